package rtesim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Settings of the simulator, read from RTE_SIM_*. Zero values are not defaults:
// start from [Defaults].
type Settings struct {
	Addr     string `envconfig:"RTE_SIM_ADDR" default:"127.0.0.1:0" desc:"address to listen on; port 0 takes a free one"`
	AddrFile string `envconfig:"RTE_SIM_ADDR_FILE" desc:"file to write the URL to once listening"`

	Username  string        `envconfig:"RTE_SIM_USERNAME" default:"demo@agency.example" desc:"user name for the REST API"`
	SecretKey string        `envconfig:"RTE_SIM_SECRET_KEY" default:"demo-secret" desc:"secret key for the REST API"`
	TokenTTL  time.Duration `envconfig:"RTE_SIM_TOKEN_TTL" default:"1h" desc:"life of an RTE token"`

	PingInterval     time.Duration `envconfig:"RTE_SIM_PING_INTERVAL" default:"15s" desc:"time between the hub's pings"`
	ClientTimeout    time.Duration `envconfig:"RTE_SIM_CLIENT_TIMEOUT" default:"30s" desc:"silence of a client after which the hub closes"`
	HandshakeTimeout time.Duration `envconfig:"RTE_SIM_HANDSHAKE_TIMEOUT" default:"15s" desc:"time a client has for the handshake"`
	WriteTimeout     time.Duration `envconfig:"RTE_SIM_WRITE_TIMEOUT" default:"10s" desc:"time a socket has to take a write"`

	Unauthorized []string `envconfig:"RTE_SIM_UNAUTHORIZED" desc:"entity ids whose subscription is refused as Unauthorized"`
	Events       []string `envconfig:"RTE_SIM_EVENTS" desc:"event names beside the known ones"`
	Coalesce     int      `envconfig:"RTE_SIM_COALESCE" default:"1" desc:"most records in one WebSocket message"`
	Escape       bool     `envconfig:"RTE_SIM_ESCAPE" default:"false" desc:"escape non-ASCII and + < > & ' as .NET Core 3.1 does"`
	Queue        int      `envconfig:"RTE_SIM_QUEUE" default:"256" desc:"messages that wait for one connection's socket"`
	SentLimit    int      `envconfig:"RTE_SIM_SENT_LIMIT" default:"1000000" desc:"entries kept of what was sent"`
}

// Defaults returns the settings of an empty environment, ready for a test.
func Defaults() Settings {
	return Settings{
		Addr: "127.0.0.1:0", Username: "demo@agency.example", SecretKey: "demo-secret", TokenTTL: time.Hour,
		PingInterval: 15 * time.Second, ClientTimeout: 30 * time.Second,
		HandshakeTimeout: 15 * time.Second, WriteTimeout: 10 * time.Second,
		Coalesce: 1, Queue: 256, SentLimit: 1_000_000,
	}
}

// Invalid tells what is wrong, by the setting's name.
func (s Settings) Invalid() map[string]string {
	wrong := map[string]string{}
	for name, d := range map[string]time.Duration{
		"RTE_SIM_TOKEN_TTL": s.TokenTTL, "RTE_SIM_PING_INTERVAL": s.PingInterval, "RTE_SIM_CLIENT_TIMEOUT": s.ClientTimeout,
		"RTE_SIM_HANDSHAKE_TIMEOUT": s.HandshakeTimeout, "RTE_SIM_WRITE_TIMEOUT": s.WriteTimeout,
	} {
		if d <= 0 {
			wrong[name] = "must be positive"
		}
	}
	for name, n := range map[string]int{"RTE_SIM_COALESCE": s.Coalesce, "RTE_SIM_QUEUE": s.Queue, "RTE_SIM_SENT_LIMIT": s.SentLimit} {
		if n < 1 {
			wrong[name] = "must be at least 1"
		}
	}
	return wrong
}

func (s Settings) validate() error {
	invalid := s.Invalid()
	wrong := make([]error, 0, len(invalid))
	for _, name := range slices.Sorted(maps.Keys(invalid)) {
		wrong = append(wrong, fmt.Errorf("%s %s", name, invalid[name]))
	}
	return errors.Join(wrong...)
}
