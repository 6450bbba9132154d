package replay

import (
	"github.com/spf13/pflag"

	"ringstream/schemas/bus"
	"ringstream/schemas/program"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/explain"
)

// Settings of the command, from the environment; flags override those of the
// connection.
type Settings struct {
	bus.Config
	call.Limits
	explain.Deadlines
}

// connection are the flags that stand above the environment. A password is
// never a flag: every user of the machine could read it.
type connection struct {
	server, creds, user, ca, cert, key string
}

func (c *connection) bind(f *pflag.FlagSet) {
	f.StringVar(&c.server, "server", "", "NATS servers, comma separated (NATS_URL)")
	f.StringVar(&c.creds, "creds", "", "path of a user credentials file (NATS_CREDS)")
	f.StringVar(&c.user, "user", "", "user name (NATS_USER; the password is NATS_PASSWORD or NATS_PASSWORD_FILE)")
	f.StringVar(&c.ca, "ca", "", "path of the CA certificates to trust (NATS_CA)")
	f.StringVar(&c.cert, "cert", "", "path of the client certificate (NATS_CERT)")
	f.StringVar(&c.key, "key", "", "path of its key (NATS_KEY)")
}

// settings reads the environment and puts the flags over it.
func (c *connection) settings() (Settings, error) {
	var s Settings
	if err := program.Load(&s); err != nil {
		return s, err
	}
	for _, over := range []struct {
		to   *string
		from string
	}{
		{&s.URL, c.server},
		{&s.Creds, c.creds},
		{&s.User, c.user},
		{&s.CA, c.ca},
		{&s.Cert, c.cert},
		{&s.Key, c.key},
	} {
		if over.from != "" {
			*over.to = over.from
		}
	}
	return s, nil
}
