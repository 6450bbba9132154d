package verify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// rules are the files of deploy/alerts that hold rules; their tests are beside them.
func rules(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, path := range matches(t, repoDir+"/deploy/alerts/*.yaml") {
		if _, has := read[object](t, path)["groups"]; has {
			found = append(found, path)
		}
	}
	return found
}

func matches(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// A chart cannot reach out of its folder: it has copies, made by make chart-docs.
func TestCopiesAreEqual(t *testing.T) {
	for dir, originals := range map[string][]string{"alerts": rules(t), "dashboards": matches(t, repoDir+"/deploy/dashboards/*.json")} {
		copies := map[string]bool{}
		for _, path := range matches(t, filepath.Join(chartDir, "files", dir, "*")) {
			copies[filepath.Base(path)] = true
		}
		for _, path := range originals {
			name := filepath.Base(path)
			original, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(filepath.Join(chartDir, "files", dir, name)); err != nil || string(text) != string(original) {
				t.Errorf("files/%s/%s is not that of deploy/%s: make chart-docs", dir, name, dir)
			}
			delete(copies, name)
		}
		for name := range copies {
			t.Errorf("files/%s/%s is not in deploy/%s: make chart-docs", dir, name, dir)
		}
	}
}

var metricName = regexp.MustCompile(`\bringstream_[a-z_]+`)

// A rule or a panel about a metric that nobody exports would never say anything.
func TestMetricsOfRulesAndDashboardsExist(t *testing.T) {
	names := source(t, "schemas/telemetry/names.go")
	for _, path := range append(rules(t), matches(t, repoDir+"/deploy/dashboards/*.json")...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", path)
		}
		recorded := map[string]bool{}
		for _, record := range regexp.MustCompile(`record: *(\S+)`).FindAllStringSubmatch(string(text), -1) {
			recorded[record[1]] = true
		}
		for _, name := range metricName.FindAllString(string(text), -1) {
			base := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if !recorded[name] && !strings.Contains(names, `"`+name+`"`) && !strings.Contains(names, `"`+base+`"`) {
				t.Errorf("%s: nobody exports %s", filepath.Base(path), name)
			}
		}
	}
}

// What is shipped as files arrives in the objects as it is, braces of templates included.
func TestFilesArriveAsTheyAre(t *testing.T) {
	given := object{"metrics": object{"prometheusRule": object{"enabled": true}, "dashboards": object{"enabled": true}}}
	var alerts, dashboards int
	for _, document := range documents(t, given) {
		var o struct {
			Kind string
			Data map[string]string
			Spec object
		}
		if err := yaml.Unmarshal(document, &o); err != nil {
			t.Fatal(err)
		}
		switch {
		case o.Kind == "PrometheusRule":
			alerts++
			if _, has := o.Spec["groups"]; !has {
				t.Errorf("no groups in\n%s", document)
			}
		case o.Kind == "ConfigMap" && strings.Contains(string(document), "grafana_dashboard"):
			dashboards++
			for name, content := range o.Data {
				if original, err := os.ReadFile(filepath.Join(chartDir, "files/dashboards", name)); err != nil || content != string(original) {
					t.Errorf("%s has changed on its way: %v", name, err)
				}
			}
		}
	}
	if want := len(rules(t)); alerts != want {
		t.Errorf("%d PrometheusRules of %d files", alerts, want)
	}
	if want := len(matches(t, repoDir+"/deploy/dashboards/*.json")); dashboards != want {
		t.Errorf("%d dashboards of %d files", dashboards, want)
	}
}

// Every value says what it means: the README, which is made of that, has no empty cell.
func TestValuesAreDocumented(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| ([a-zA-Z0-9_.]+) \| [a-z]+ \| .* \| *(.*?) *\|$`).FindAllStringSubmatch(source(t, "deploy/chart/README.md"), -1)
	if len(rows) < 50 {
		t.Errorf("%d values are listed", len(rows))
	}
	for _, row := range rows {
		if row[2] == "" {
			t.Errorf("nothing is said of %s", row[1])
		}
	}
}
