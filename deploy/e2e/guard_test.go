package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

// Every NATS server of the tests lets in the users of deploy/nats/accounts.conf,
// each with what it may do and no more, over TLS, and one user who may do
// everything and exists here only. Benchmarks have none of it: they compare with
// processes that are no users.
const (
	accounts = "../nats/accounts.conf"
	tester   = "tester"
)

// trust is a certificate for this run, in a directory that TestMain removes.
var trust = sync.OnceValue(func() bustest.Trust {
	dir, err := os.MkdirTemp("", "ringstream-e2e-trust-")
	must(err)
	t, err := bustest.NewTrust(dir)
	must(err)
	return t
})

// guard is for a stack.
func guard() *stack.Guard {
	return &stack.Guard{Server: func(o *server.Options) error { return protect(o, trust()) }, Client: as}
}

// as is how a user proves who it is.
func as(user string) bus.Config {
	return bus.Config{User: user, Password: passwordOf(user), CA: trust().Cert}
}

func passwordOf(user string) string { return user + " of the tests" }

// environment has what accounts.conf takes from it.
var environment = sync.OnceValue(func() error {
	var errs []error
	for _, r := range topology.Roles() {
		errs = append(errs, os.Setenv("NATS_"+strings.ToUpper(string(r))+"_PASSWORD", strconv.Quote(passwordOf(string(r)))))
	}
	return errors.Join(errs...)
})

// protect gives a server the users and the certificate.
func protect(o *server.Options, shown bustest.Trust) error {
	if err := environment(); err != nil {
		return err
	}
	known, err := server.ProcessConfigFile(accounts)
	if err != nil {
		return err
	}
	o.Accounts = append(o.Accounts, known.Accounts...)
	o.Users = append(append(o.Users, known.Users...), &server.User{Username: tester, Password: passwordOf(tester), Account: known.Users[0].Account})
	o.TLSConfig, err = shown.Server()
	return err
}

// withhold takes from transform the permission to publish to a subject.
func withhold(users []*server.User, subject string) {
	for _, u := range users {
		if u.Username == string(topology.Transform) && subject != "" {
			u.Permissions.Publish.Deny = append(u.Permissions.Publish.Deny, subject)
		}
	}
}

// dial connects as one of the users, and again whenever it is cut off.
func dial(t testing.TB, cfg bus.Config, extra ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := bus.Dial(cfg, cfg.User, append(extra, nats.MaxReconnects(-1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// violation is a line in which a server says who was refused what.
var violation = regexp.MustCompile(`cid:\d+ - (.* - (?:Publish|Subscription) Violation - .*)`)

// allowed fails the test if a server has refused anything: each service has what it needs.
func allowed(t testing.TB, logs string) {
	t.Helper()
	for what, times := range refusals(t, logs) {
		t.Errorf("NATS refused, %d times: %s", times, what)
	}
}

// refusals are what the logs of servers say of it, and how often.
func refusals(t testing.TB, logs string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(logs, "nats*.log"))
	if err != nil {
		t.Error(err)
	}
	refused := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		for _, found := range violation.FindAllSubmatch(text, -1) {
			refused[string(found[1])]++
		}
	}
	return refused
}

// A refusal does not go unseen, and nobody gets in who is not known.
func TestRefusalIsSeen(t *testing.T) {
	s, err := stack.Start(t.Context(), stack.Options{Dir: t.TempDir(), Bin: binaries, NATSPort: -1, Bare: true, Guard: guard()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	nc := dial(t, s.NATS("subscriber"))
	if err := nc.Publish("rte.0.any.any.any", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.SubscribeSync("rte.>"); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if found := refusals(t, s.LogDir()); len(found) != 2 {
		t.Errorf("refused were %v", found)
	}
	for _, cfg := range []bus.Config{{CA: trust().Cert}, {User: tester, Password: "guessed", CA: trust().Cert}, {User: tester, Password: passwordOf(tester)}} {
		cfg.URL = s.NATSURL()
		if _, err := bus.Dial(cfg, "somebody"); err == nil {
			t.Errorf("%+v is let in", cfg)
		}
	}
}
