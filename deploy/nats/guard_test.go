package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// test is the user of the tests alone, who may do everything.
const test = "test"

var everybody = func() (names []string) {
	for _, r := range topology.Roles() {
		names = append(names, string(r))
	}
	return names
}()

// guard is a server that knows the users.
type guard struct {
	t  *testing.T
	ns *server.Server
	as func(user string) bus.Config
}

// guards are the two ways to have it know them.
var guards = map[string]func(*testing.T) *guard{"passwords": byPassword, "credentials": byCredentials}

// byPassword has the configuration as it is kept here, over TLS.
func byPassword(t *testing.T) *guard {
	t.Helper()
	for i, r := range topology.Roles() {
		t.Setenv(passwordVariable(r), passwordOf(t, r, i))
	}
	opts := configured(t, "accounts.conf")
	opts.Users = append(opts.Users, &server.User{Username: test, Password: test + " and more", Account: opts.Users[0].Account})
	trust, err := bustest.NewTrust(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if opts.TLSConfig, err = trust.Server(); err != nil {
		t.Fatal(err)
	}
	ns := serve(t, opts)
	return &guard{t: t, ns: ns, as: func(user string) bus.Config {
		return bus.Config{URL: ns.ClientURL(), User: user, Password: user + " and more", CA: trust.Cert}
	}}
}

// passwordOf is what the server is given for a user: a hash for one, the
// password itself for the next.
func passwordOf(t *testing.T, r topology.Role, n int) string {
	t.Helper()
	password := string(r) + " and more"
	if n%2 == 1 {
		return strconv.Quote(password)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// byCredentials has an operator made for the occasion.
func byCredentials(t *testing.T) *guard {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "operator")
	if code := run([]string{"creds", "-o", dir}, os.Stdout, os.Stderr); code != clean {
		t.Fatalf("exit %d", code)
	}
	unlimited(t, dir)
	ns := serve(t, configured(t, filepath.Join(dir, "resolver.conf")))
	return &guard{t: t, ns: ns, as: func(user string) bus.Config {
		return bus.Config{URL: ns.ClientURL(), Creds: filepath.Join(dir, user+".creds")}
	}}
}

// unlimited makes credentials of the user of the tests.
func unlimited(t *testing.T, dir string) {
	t.Helper()
	_, signer, err := mint{account: filepath.Join(dir, "account.nk")}.signer()
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey(nkeys.CreateUser)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewUserClaims(key.public).Encode(signer)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, test+".creds"), creds, 0o600); err != nil {
		t.Fatal(err)
	}
}

// configured reads a configuration as the server does.
func configured(t *testing.T, file string) *server.Options {
	t.Helper()
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", -1, true, t.TempDir(), true, true
	return opts
}

func serve(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	ns, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(patience) {
		t.Fatal("nats-server is not ready")
	}
	return ns
}

// provision makes the streams as the provisioner.
func (g *guard) provision() {
	g.t.Helper()
	cfg := g.as(string(topology.Provisioner))
	nc, err := bus.Dial(cfg, string(topology.Provisioner))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	js, err := bus.JetStream(nc)
	if err != nil {
		g.t.Fatal(err)
	}
	cfg.Provision, cfg.Partitions, cfg.Replicas = bus.ProvisionCreate, topology.DefaultPartitions, 1
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	if err := bus.Prepare(ctx, js, cfg, slog.New(slog.DiscardHandler)); err != nil {
		g.t.Fatal(err)
	}
}

// listen answers what is published where no stream and no server does: whoever
// may publish there is answered.
func (g *guard) listen() {
	g.t.Helper()
	nc, err := bus.Dial(g.as(test), test)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	for _, subject := range []string{"heard.*", "redrive.deliver", "$JS.ACK.>", "$JS.API.>", "$SYS.>", "any.thing", "calls.>", "*.other.*"} {
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		g.t.Fatal(err)
	}
}
