package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/schemas/telemetry"
)

// namedMetrics reads the list of names that collectors, dashboards and alerts go
// by: each constant and its value.
func namedMetrics(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../schemas/telemetry/names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			named[spec.Names[0].Name], _ = strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	return named
}

var nameOfDesc = regexp.MustCompile(`fqName: "(ringstream_[a-z_]+)"`)

// What is named is exported, and what is exported is named.
func TestMetricsAreThoseNamed(t *testing.T) {
	registry := prometheus.NewRegistry()
	observe(registry, slog.New(slog.DiscardHandler), time.Minute)
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	exported := map[string]bool{}
	for d := range descs {
		exported[nameOfDesc.FindStringSubmatch(d.String())[1]] = true
	}
	named := map[string]bool{}
	for constant, name := range namedMetrics(t) {
		named[name] = true
		if strings.HasPrefix(constant, "Transform") && !exported[name] {
			t.Errorf("%s is named, and not exported", name)
		}
	}
	for _, name := range []string{telemetry.LogAppendSeconds, telemetry.LogFenceConflicts, telemetry.LeaseHeld, telemetry.LeaseChanges, telemetry.LastProgressSeconds} {
		if !exported[name] {
			t.Errorf("%s is not exported", name)
		}
	}
	for name := range exported {
		if !named[name] {
			t.Errorf("%s is exported, and not named", name)
		}
	}
	if len(exported) < 13 {
		t.Errorf("only %d are exported", len(exported))
	}
}
