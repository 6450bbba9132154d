package ingest_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "ringstream/ingest"

// allowed lists what each package may import beyond the standard library. Of
// the module's own packages, and of ringstream/schemas, the last part of the
// path is written; of others the module.
var allowed = map[string][]string{
	"cmd/ingest":       {"ingest/app", "schemas/program"},
	"cmd/rte-sim":      {"ingest/rtesim"},
	"internal/session": {},
	"internal/rte":     {},
	"internal/hub": {
		"ingest/rte", "ingest/session", "schemas/event", "schemas/telemetry",
		"github.com/philippseith/signalr", "github.com/go-kit/log", "github.com/coder/websocket",
		"github.com/cenkalti/backoff/v5", "github.com/google/uuid", "go.yaml.in/yaml/v3",
	},
	"internal/feed": {
		"schemas/bus", "schemas/event", "schemas/telemetry", "schemas/topology",
		"github.com/cloudevents/sdk-go/v2", "github.com/nats-io/nats.go", "go.opentelemetry.io/otel",
	},
	"internal/app": {
		"ingest/feed", "ingest/hub", "ingest/rte", "ingest/session",
		"schemas/bus", "schemas/event", "schemas/probe", "schemas/program", "schemas/telemetry", "schemas/topology",
		"github.com/nats-io/nats.go", "github.com/prometheus/client_golang",
	},
	"internal/rtesim": {
		"ingest/rte",
		"github.com/coder/websocket", "github.com/golang-jwt/jwt/v5", "github.com/google/uuid", "github.com/kelseyhightower/envconfig",
		"golang.org/x/tools",
	},
}

// impure is what the deciding core must not know.
var impure = map[string][]string{
	"internal/session": {"context", "net", "net/http", "os", "sync", "log/slog", "math/rand", "math/rand/v2", "crypto/rand"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestPackagesImportWhatTheyMay(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if p.ImportPath == module {
			continue // this test
		}
		seen[name] = true
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s is not in the list", name)
			continue
		}
		for _, path := range p.Imports {
			if slices.Contains(impure[name], path) {
				t.Errorf("%s must be pure and imports %s", name, path)
			}
			if !standard(path) && !slices.ContainsFunc(may, func(m string) bool { return within(path, m) }) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(allowed)) {
		if !seen[name] {
			t.Errorf("package %s is in the list and does not exist", name)
		}
	}
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != "ringstream"
}

// within tells whether path is what m, an entry of the list, allows.
func within(path, m string) bool {
	if own, ok := strings.CutPrefix(m, "ingest/"); ok {
		return path == module+"/internal/"+own
	}
	if strings.HasPrefix(m, "schemas/") {
		return path == "ringstream/"+m
	}
	return path == m || strings.HasPrefix(path, m+"/")
}
