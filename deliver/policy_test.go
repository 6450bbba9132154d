package deliver_test

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "ringstream/deliver/"

// pure packages decide; time, chance and effects come to them as arguments.
var pure = []string{"cmp", "encoding/json", "errors", "fmt", "maps", "math", "slices", "strconv", "strings", "time"}

// policy lists what each package may import beyond the standard library: of
// this module by its path within, of others by a prefix. A package that is not
// listed fails, and so does an entry without a package.
var policy = map[string]struct {
	std   []string // nil: all of it
	other []string
}{
	"internal/delivery": {std: pure},
	"internal/schedule": {std: pure, other: []string{"internal/delivery", "ringstream/schemas/event"}},
	"internal/reapit":   {other: []string{"ringstream/schemas/event", "github.com/nyaruka/phonenumbers", "golang.org/x/oauth2"}},
	"internal/directory": {other: []string{
		"internal/reapit", "ringstream/schemas/event", "github.com/cenkalti/backoff/v5",
	}},
	"internal/reapitsim": {other: []string{"go.yaml.in/yaml/v3"}},
	"internal/app": {other: []string{
		"internal/delivery", "internal/directory", "internal/reapit", "internal/schedule",
		"ringstream/schemas/", "github.com/nats-io/nats.go", "github.com/prometheus/client_golang", "go.opentelemetry.io/otel", "golang.org/x/time/rate",
	}},
	"cmd/deliver":    {std: []string{"os"}, other: []string{"internal/app", "ringstream/schemas/program"}},
	"cmd/reapit-sim": {other: []string{"internal/reapitsim", "ringstream/schemas/program", "github.com/kelseyhightower/envconfig"}},
}

func TestEveryPackageImportsWhatItMay(t *testing.T) {
	found := packages(t)
	for path := range policy {
		if !slices.Contains(found, path) {
			t.Errorf("%s is listed and does not exist", path)
		}
	}
	for _, path := range found {
		rule, listed := policy[path]
		if !listed {
			t.Errorf("%s is not listed", path)
			continue
		}
		p, err := build.ImportDir(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range p.Imports {
			if !allowed(imported, rule.std, rule.other) {
				t.Errorf("%s must not import %s", path, imported)
			}
		}
	}
}

func allowed(imported string, std, other []string) bool {
	if own, ok := strings.CutPrefix(imported, module); ok {
		return slices.Contains(other, own)
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") && first != "ringstream" {
		return std == nil || slices.Contains(std, imported)
	}
	return slices.ContainsFunc(other, func(prefix string) bool {
		return imported == prefix || strings.HasPrefix(imported, strings.TrimSuffix(prefix, "/")+"/")
	})
}

// TestPureCoresHaveNoClock: the import of time is for its types.
func TestPureCoresHaveNoClock(t *testing.T) {
	for _, path := range []string{"internal/delivery", "internal/schedule"} {
		for _, file := range sources(t, path) {
			for _, call := range []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After(", "time.NewTimer", "go func"} {
				if strings.Contains(file, call) {
					t.Errorf("%s uses %s", path, call)
				}
			}
		}
	}
}

func packages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && filepath.Dir(path) != "." && !slices.Contains(found, filepath.ToSlash(filepath.Dir(path))) {
			found = append(found, filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sources are the files of a package without its tests.
func sources(t *testing.T, path string) []string {
	t.Helper()
	p, err := build.ImportDir(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(path, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}
