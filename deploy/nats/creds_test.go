package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// tool runs the program and returns its exit code and what it said.
func tool(args ...string) (code int, said string) {
	var out, problems bytes.Buffer
	code = run(args, &out, &problems)
	return code, out.String() + problems.String()
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCredentialsAreForNobodyElseToRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "operator")
	if code, said := tool("creds", "-o", dir); code != clean || said != "" {
		t.Fatalf("exit %d, %q", code, said)
	}
	if names := strings.Join(files(t, dir), " "); names != "account.nk deliver.creds ingest.creds operator.nk provisioner.creds replay.creds resolver.conf subscriber.creds system.nk transform.creds" {
		t.Errorf("it has %s", names)
	}
	about, err := os.Stat(dir)
	if err != nil || about.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", about.Mode(), err)
	}
	for _, name := range files(t, dir) {
		about, err := os.Stat(filepath.Join(dir, name))
		if err != nil || about.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, about.Mode(), err)
		}
	}
}

// Nothing is overwritten, and where one file is there, no other is written.
func TestCredentialsAreNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "replay.creds")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := tool("creds", "-o", dir); code != failure || !strings.Contains(said, "replay.creds") || !strings.Contains(said, "exists") {
		t.Errorf("exit %d, %q", code, said)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" || len(files(t, dir)) != 1 {
		t.Errorf("%q, %v, %v", text, err, files(t, dir))
	}
	if err := write(file, nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("somebody else was quicker, and then: %v", err)
	}
}

// One user's credentials can be made anew, for some time only, without new ones
// for the others and without another configuration of the server.
func TestFurtherCredentialsOfAnAccount(t *testing.T) {
	dir, more := t.TempDir(), filepath.Join(t.TempDir(), "more")
	if code, said := tool("creds", "-o", dir); code != clean {
		t.Fatal(said)
	}
	ns := serve(t, configured(t, filepath.Join(dir, "resolver.conf")))
	key := filepath.Join(dir, "account.nk")
	if code, said := tool("creds", "-account", key, "-expires", "1h", "-o", more, "replay"); code != clean || len(files(t, more)) != 1 {
		t.Fatalf("exit %d, %q", code, said)
	}
	nc, err := bus.Dial(bus.Config{URL: ns.ClientURL(), Creds: filepath.Join(more, "replay.creds")}, "replay")
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	late := filepath.Join(t.TempDir(), "late")
	l := topology.Layout{Partitions: topology.DefaultPartitions, Replicas: 1}
	if err := (mint{account: key, life: time.Hour}).run(l, late, []string{"replay"}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Dial(bus.Config{URL: ns.ClientURL(), Creds: filepath.Join(late, "replay.creds")}, "replay"); err == nil {
		t.Error("credentials that have expired are good")
	}
}

func TestBadUsage(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if code, said := tool("creds", "-o", other); code != clean {
		t.Fatal(said)
	}
	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"accounts or creds?":        {badUsage, nil},
		`"keys" is unknown`:         {badUsage, []string{"keys"}},
		"expected 1 to 128":         {badUsage, []string{"accounts", "-partitions", "129"}},
		"not defined: -fast":        {badUsage, []string{"accounts", "-fast"}},
		"-o is missing":             {badUsage, []string{"creds"}},
		`"nobody" is no user`:       {badUsage, []string{"creds", "-o", dir, "-account", "x", "nobody"}},
		"of which -account?":        {badUsage, []string{"creds", "-o", dir, "replay"}},
		"-expires is less":          {badUsage, []string{"creds", "-o", dir, "-expires", "-1h"}},
		"no such file":              {failure, []string{"creds", "-o", dir, "-account", filepath.Join(dir, "none")}},
		"operator.nk holds another": {failure, []string{"creds", "-o", dir, "-account", filepath.Join(other, "operator.nk")}},
		"lacks the marks":           {failure, []string{"accounts", "-values", filepath.Join(other, "resolver.conf")}},
		"usage: nats accounts":      {clean, []string{"creds", "-h"}},
	} {
		if code, said := tool(c.args...); code != c.code || !strings.Contains(said, want) {
			t.Errorf("%q: exit %d, %q", c.args, code, said)
		}
	}
	if roles, err := rolesOf(nil); err != nil || len(roles) != len(topology.Roles()) {
		t.Errorf("%v, %v", roles, err)
	}
}
