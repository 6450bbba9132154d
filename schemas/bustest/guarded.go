package bustest

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// Everything is the user of a guarded server who may do everything; the others
// are the roles of the contract. The password of each is its name.
const Everything = "test"

// RunGuarded starts a server, with TLS, on which each role may do what the
// contract gives it for so many partitions.
func RunGuarded(tb testing.TB, partitions int, more ...*server.User) *Server {
	tb.Helper()
	users := append(more, &server.User{Username: Everything, Password: Everything})
	for _, r := range topology.Roles() {
		users = append(users, &server.User{
			Username: string(r), Password: string(r), Permissions: permissions(topology.Permissions(r, topology.Layout{Partitions: partitions, Replicas: 1})),
		})
	}
	trust, err := NewTrust(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	shown, err := trust.Server()
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, ca: trust.Cert, opts: server.Options{
		ServerName: "bustest", Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: tb.TempDir(), NoSigs: true, NoLog: true, MaxControlLine: 4096,
		Users: users, TLSConfig: shown,
	}}
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

func permissions(p topology.Permission) *server.Permissions {
	return &server.Permissions{
		Publish: &server.SubjectPermission{Allow: p.Publish}, Subscribe: &server.SubjectPermission{Allow: p.Subscribe},
	}
}

// As is bus settings for a user of a guarded server, and for anybody of
// another, in verify mode.
func (s *Server) As(user string, partitions int) bus.Config {
	cfg := s.Config(partitions)
	cfg.Provision = bus.ProvisionVerify
	if s.ca != "" {
		cfg.User, cfg.Password, cfg.CA = user, user, s.ca
	}
	return cfg
}
