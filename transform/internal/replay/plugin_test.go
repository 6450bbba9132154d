package replay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/choria-io/fisk"
)

// The library with which the nats CLI reads a plugin takes what replay says of
// itself, and runs replay with what was written behind nats.
func TestPlugin(t *testing.T) {
	model, errs, code := replay(t.Context(), "--fisk-introspect")
	if code != Clean || errs != "" {
		t.Fatalf("exit %d, %q", code, errs)
	}
	for line, want := range map[string][]string{
		"replay diff":                                    {"diff"},
		"replay run":                                     {"run"},
		"replay run x.bundle -o json":                    {"run", "x.bundle", "--output=json"},
		"replay run --call c1 --since 2h":                {"run", "--call=c1", "--since=2h"},
		"--server nats://there:4222 replay diff":         {"diff", "--server=nats://there:4222"},
		"replay diff --wait 1m --server nats://there":    {"diff", "--server=nats://there", "--wait=1m"},
		"replay diff --ca ca.pem":                        {"diff", "--ca=ca.pem"},
		"replay export --call c1 -o f --real":            {"export", "--call=c1", "--output=f", "--real"},
		"replay import f --into nats://127.0.0.1:1":      {"import", "f", "--into=nats://127.0.0.1:1"},
		"replay serve --since 2h --listen [::1]:1":       {"serve", "--listen=[::1]:1", "--since=2h"},
		"replay explain call c1":                         {"explain", "call", "c1"},
		"replay explain user jane@a.example --at 9:00":   {"explain", "user", "jane@a.example", "--at=9:00"},
		"replay coverage --since 24h --creds them.creds": {"coverage", "--creds=them.creds", "--since=24h"},
	} {
		got, err := delegated(t, model, strings.Fields(line))
		if err != nil {
			t.Errorf("nats %s: %v", line, err)
			continue
		}
		slices.SortStableFunc(got, flagsLast)
		if !slices.Equal(got, want) {
			t.Errorf("nats %s runs replay %q, want %q", line, got, want)
		}
	}
	for _, line := range []string{"replay import", "replay tell", "replay run --loud", "replay run a b"} {
		if got, err := delegated(t, model, strings.Fields(line)); err == nil {
			t.Errorf("nats %s runs replay %q", line, got)
		}
	}
}

// flagsLast sorts flags, which come in any order, behind the rest.
func flagsLast(a, b string) int {
	switch x, y := strings.HasPrefix(a, "--"), strings.HasPrefix(b, "--"); {
	case x && y:
		return strings.Compare(a, b)
	case x:
		return 1
	case y:
		return -1
	}
	return 0
}

// delegated returns the arguments that the CLI, with the plugin, gives the program.
func delegated(t *testing.T, model string, args []string) ([]string, error) {
	t.Helper()
	heard := filepath.Join(t.TempDir(), "args")
	program := filepath.Join(t.TempDir(), "replay")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nprintf '%s\\n' \"$@\" > '"+heard+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	nats := fisk.New("nats", "as the CLI declares its own flags")
	nats.Flag("server", "").Short('s').String()
	nats.Flag("user", "").String()
	nats.Flag("creds", "").String()
	nats.Flag("tlsca", "").String()
	nats.Terminate(func(int) {})
	if _, err := nats.ExternalPluginCommand(program, json.RawMessage(model), "", ""); err != nil {
		return nil, err
	}
	if _, err := nats.Parse(args); err != nil {
		return nil, err
	}
	said, err := os.ReadFile(heard)
	return strings.Split(strings.TrimSpace(string(said)), "\n"), err
}
