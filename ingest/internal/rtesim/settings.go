package rtesim

import (
	"errors"
	"fmt"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Settings of the simulator, read from RTE_SIM_*. Zero values are not defaults:
// start from [Defaults].
type Settings struct {
	Addr     string `default:"127.0.0.1:0" desc:"address to listen on; port 0 takes a free one"`
	AddrFile string `split_words:"true" desc:"file to write the URL to once listening"`

	Username  string        `default:"demo@agency.example" desc:"user name for the REST API"`
	SecretKey string        `split_words:"true" default:"demo-secret" desc:"secret key for the REST API"`
	TokenTTL  time.Duration `split_words:"true" default:"1h" desc:"life of an RTE token"`

	PingInterval     time.Duration `split_words:"true" default:"15s" desc:"time between the hub's pings"`
	ClientTimeout    time.Duration `split_words:"true" default:"30s" desc:"silence of a client after which the hub closes"`
	HandshakeTimeout time.Duration `split_words:"true" default:"15s" desc:"time a client has for the handshake"`
	WriteTimeout     time.Duration `split_words:"true" default:"10s" desc:"time a socket has to take a write"`

	Unauthorized []string `desc:"entity ids whose subscription is refused as Unauthorized"`
	Events       []string `desc:"event names beside the known ones"`
	Coalesce     int      `default:"1" desc:"most records in one WebSocket message"`
	Escape       bool     `default:"false" desc:"escape non-ASCII and + < > & ' as .NET Core 3.1 does"`
	Queue        int      `default:"256" desc:"messages that wait for one connection's socket"`
	SentLimit    int      `split_words:"true" default:"1000000" desc:"entries kept of what was sent"`
}

const prefix = "RTE_SIM"

// FromEnvironment reads the settings from RTE_SIM_*.
func FromEnvironment() (Settings, error) {
	var s Settings
	if err := envconfig.Process(prefix, &s); err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	return s, s.validate()
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

func (s Settings) validate() error {
	var wrong []error
	for name, d := range map[string]time.Duration{
		"TOKEN_TTL": s.TokenTTL, "PING_INTERVAL": s.PingInterval, "CLIENT_TIMEOUT": s.ClientTimeout,
		"HANDSHAKE_TIMEOUT": s.HandshakeTimeout, "WRITE_TIMEOUT": s.WriteTimeout,
	} {
		if d <= 0 {
			wrong = append(wrong, fmt.Errorf("%s_%s must be positive", prefix, name))
		}
	}
	for name, n := range map[string]int{"COALESCE": s.Coalesce, "QUEUE": s.Queue, "SENT_LIMIT": s.SentLimit} {
		if n < 1 {
			wrong = append(wrong, fmt.Errorf("%s_%s must be at least 1", prefix, name))
		}
	}
	return errors.Join(wrong...)
}
