package stack

import (
	"github.com/nats-io/nats-server/v2/server"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// Guard is whom NATS lets in, and how each proves who it is.
type Guard struct {
	Server func(*server.Options) error  // users and TLS
	Client func(user string) bus.Config // all but the URL; a process is the user of its program's name
}

// NATS is how a user reaches it, or anybody if there is no [Guard].
func (s *Stack) NATS(user string) bus.Config { return s.options.Guard.config(user, s.NATSURL()) }

func (g *Guard) config(user, url string) bus.Config {
	cfg := bus.Config{}
	if g != nil {
		cfg = g.Client(user)
	}
	cfg.URL = url
	return cfg
}

// Settings are those of the environment that make a service connect like this.
func Settings(cfg bus.Config) []string {
	env := []string{"NATS_URL=" + cfg.URL}
	for _, s := range []struct{ name, value string }{
		{"NATS_USER", cfg.User},
		{"NATS_PASSWORD", cfg.Password},
		{"NATS_CREDS", cfg.Creds},
		{"NATS_CA", cfg.CA},
	} {
		if s.value != "" {
			env = append(env, s.name+"="+s.value)
		}
	}
	return env
}

const provisioner = string(topology.Provisioner)
