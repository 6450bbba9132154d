package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	rulesFile = "../alerts/ringstream.rules.yaml"
	runbooks  = "../runbooks"
)

type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal([]byte(text(t, rulesFile)), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// declared are the metrics that schemas/telemetry names.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../schemas/telemetry/names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if name, _ := strconv.Unquote(literal.Value); strings.HasPrefix(name, "ringstream_") {
				names[name] = true
			}
		}
		return true
	})
	if len(names) < 50 {
		t.Fatalf("%d names", len(names))
	}
	return names
}

var (
	metric = regexp.MustCompile(`\bringstream_[a-z_]+`)
	part   = regexp.MustCompile(`_(bucket|sum|count)$`)
	ours   = regexp.MustCompile(`\bringstream:[a-z0-9_:]+`)
)

// used are the metrics in an expression.
func used(expr string) (names []string) {
	for _, name := range metric.FindAllString(expr, -1) {
		names = append(names, part.ReplaceAllString(name, ""))
	}
	return names
}

// A rule or a panel about what nobody exports would say nothing for ever.
func TestMetricsOfRulesAndPanelsAreDeclared(t *testing.T) {
	names, recorded := declared(t), map[string]bool{}
	for _, r := range rules(t) {
		recorded[r.Record] = true
	}
	exprs := expressions()
	for _, r := range rules(t) {
		exprs = append(exprs, r.Expr)
	}
	for _, expr := range exprs {
		for _, name := range used(expr) {
			if !names[name] {
				t.Errorf("%s is not declared: %s", name, expr)
			}
		}
		for _, name := range ours.FindAllString(expr, -1) {
			if !recorded[name] {
				t.Errorf("%s is not recorded: %s", name, expr)
			}
		}
	}
}

// Whoever finds a metric in a scrape finds out what it means, and sees it somewhere.
func TestEveryMetricIsDocumentedAndDrawn(t *testing.T) {
	documented, drawn := map[string]bool{}, map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [a-z]+ \\| [a-z_, ]* \\| [a-z, ]+ \\| .+ \\|$").FindAllStringSubmatch(text(t, filepath.Join(runbooks, "metrics.md")), -1) {
		documented[row[1]] = true
	}
	for _, expr := range expressions() {
		for _, name := range used(expr) {
			drawn[name] = true
		}
	}
	names := declared(t)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !documented[name] {
			t.Errorf("%s is not in metrics.md", name)
		}
		if !drawn[name] {
			t.Errorf("%s is on no dashboard", name)
		}
	}
	for name := range documented {
		if !names[name] {
			t.Errorf("metrics.md has %s, which is not declared", name)
		}
	}
}

// Every alert has its page, with all that is asked of one, and every page its alert.
func TestEveryAlertHasARunbook(t *testing.T) {
	pages := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(runbooks, "Ringstream*.md"))
	for _, path := range files {
		pages[strings.TrimSuffix(filepath.Base(path), ".md")] = true
	}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if !pages[r.Alert] {
			t.Errorf("%s has no page", r.Alert)
			continue
		}
		delete(pages, r.Alert)
		if want := "deploy/runbooks/" + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
			t.Errorf("%s links to %q", r.Alert, r.Annotations["runbook_url"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
			t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
		}
		page := text(t, filepath.Join(runbooks, r.Alert+".md"))
		for _, want := range []string{"# " + r.Alert + "\n", "(" + r.Labels["severity"] + ")", "\n## Meaning\n", "\n## Impact\n", "\n## How to see\n", "\n## How to cure\n"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s lacks %q", r.Alert, want)
			}
		}
	}
	for page := range pages {
		t.Errorf("%s has no alert", page)
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)\)`)

func TestLinksOfRunbooksLeadSomewhere(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(runbooks, "*.md"))
	for _, path := range files {
		for _, to := range link.FindAllStringSubmatch(text(t, path), -1) {
			if found, _ := filepath.Glob(filepath.Join(runbooks, to[1])); len(found) != 1 {
				t.Errorf("%s links to %s", path, to[1])
			}
		}
		for _, name := range used(text(t, path)) {
			if !declared(t)[name] {
				t.Errorf("%s is about %s, which is not declared", path, name)
			}
		}
	}
}

// promtool, which says whether these hold, is not asked by make test; that none is left out is.
func TestEveryAlertIsTestedToFireAndToBeSilent(t *testing.T) {
	type fired struct {
		Alert    string `yaml:"alertname"`
		Expected []any  `yaml:"exp_alerts"`
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	files, _ := filepath.Glob("../alerts/*_test.yaml")
	for _, path := range files {
		var file struct {
			Tests []struct {
				Alerts []fired `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal([]byte(text(t, path)), &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.Tests {
			before := map[string]bool{}
			for _, a := range test.Alerts {
				fires[a.Alert] = fires[a.Alert] || len(a.Expected) > 0
				silent[a.Alert] = silent[a.Alert] || len(a.Expected) == 0 && before[a.Alert]
				before[a.Alert] = before[a.Alert] || len(a.Expected) > 0
			}
		}
	}
	for _, r := range rules(t) {
		if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert]) {
			t.Errorf("%s: fires in a test %v, and clears in one %v", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}
