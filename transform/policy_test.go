// Package transform_test holds the architecture of the module as a test.
package transform_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "ringstream/transform/"

// rule says what a package, or one file of it, may import. A pure one may
// import exactly what is listed, and may not look at a clock; any other may
// import the standard library besides.
type rule struct {
	pure    bool
	imports []string
}

func pure(imports ...string) rule { return rule{pure: true, imports: imports} }
func may(imports ...string) rule  { return rule{imports: imports} }

const (
	jetstream = "github.com/nats-io/nats.go/jetstream"
	event     = "ringstream/schemas/event"
	topology  = "ringstream/schemas/topology"
	bus       = "ringstream/schemas/bus"
	telemetry = "ringstream/schemas/telemetry"
	program   = "ringstream/schemas/program"
	probe     = "ringstream/schemas/probe"
	call      = module + "internal/call"
	fold      = module + "internal/fold"
)

// policy is the whole module. A file listed by itself is not judged by the rule
// of its package.
var policy = map[string]rule{
	"cmd/transform": may(module + "internal/app"),
	"cmd/replay":    may(module + "internal/replay"),

	// The call model knows the events' shapes and nothing else.
	"internal/call": pure("cmp", "slices", "strings", "time", event),

	// The fold is pure but for the file that joins it to the bus.
	"internal/fold":              pure("container/heap", "encoding/json", "fmt", "maps", "slices", "strings", "time", event, call),
	"internal/fold/decode.go":    pure("encoding/json", "fmt", "strings", bus, event), // bus for the shape of a message
	"internal/fold/partition.go": may(jetstream, bus, event, telemetry, topology, call),

	"internal/app": may(jetstream, "github.com/nats-io/nuid", "github.com/prometheus/client_golang/prometheus",
		"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/trace",
		bus, event, probe, program, telemetry, topology, call, fold),

	// Replay decides nothing about calls, and what it concludes is pure too.
	"internal/replay": may(jetstream, "github.com/spf13/cobra", "github.com/spf13/pflag",
		bus, event, program, telemetry, topology, call, fold),
	"internal/replay/alias.go":     pure("fmt", "strings", event),
	"internal/replay/compare.go":   pure("cmp", "maps", "slices", bus),
	"internal/replay/field.go":     pure("bytes", "encoding/json", "fmt", "maps", "reflect", "slices", "strings", telemetry),
	"internal/replay/held.go":      pure("strconv", "strings", bus, topology),
	"internal/replay/refold.go":    pure("slices", "strconv", "strings", "time", bus, event, call, fold),
	"internal/replay/selection.go": pure("fmt", "strings", "time"),
	"internal/replay/story.go":     pure("encoding/json", "fmt", "strings", "time", "golang.org/x/tools/txtar", event, topology, call, fold),
	"internal/replay/trace.go":     pure("bytes", "fmt", "slices", "strings", "time", event, call),
}

// clocks are what a pure package may not take from package time.
var clocks = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}

func TestPolicy(t *testing.T) {
	unused := maps.Clone(policy)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		name = filepath.ToSlash(name)
		key := name
		r, ok := policy[key]
		if !ok {
			key = path.Dir(name)
			r, ok = policy[key]
		}
		if !ok {
			t.Errorf("%s: its package is not listed in the policy", name)
			return nil
		}
		delete(unused, key)
		judge(t, name, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range unused {
		t.Errorf("%s is in the policy, but not in the module", key)
	}
}

func judge(t *testing.T, name string, r rule) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	for _, i := range file.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Error(err)
		}
		if i.Name != nil && (i.Name.Name == "." || r.pure && imported == "time") {
			t.Errorf("%s imports %s under the name %s, which hides what it uses", name, imported, i.Name.Name)
		}
		if !slices.Contains(r.imports, imported) && (r.pure || !standard(imported)) {
			t.Errorf("%s must not import %s", name, imported)
		}
	}
	if !r.pure {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, s.Sel.Name) {
			t.Errorf("%s is pure and must not call time.%s: time comes with the events", name, s.Sel.Name)
		}
		return true
	})
}

// standard reports whether a package is of the standard library: its first
// element names no host, and it is none of ours.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && first != "ringstream"
}

// Tests may use whatever they like, but not the inside of another service.
func TestNoServiceImportsAnother(t *testing.T) {
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			imported := strings.Trim(i.Path.Value, `"`)
			if ours := strings.HasPrefix(imported, module) || strings.HasPrefix(imported, "ringstream/schemas/"); strings.HasPrefix(imported, "ringstream/") && !ours {
				t.Errorf("%s imports %s, of another module", name, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
