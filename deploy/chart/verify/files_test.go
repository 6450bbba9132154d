package verify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
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

// Where the chart is told how the repository is reached, alerts link there; nothing
// else of a rule is changed.
func TestAlertsLinkToTheirRunbooks(t *testing.T) {
	const there = "https://git.example/ringstream/blob/main"
	var original []object
	for _, path := range rules(t) {
		original = append(original, read[object](t, path))
	}
	for base, want := range map[string]string{"": "deploy/runbooks/", there: there + "/deploy/runbooks/", there + "/": there + "/deploy/runbooks/"} {
		found, links := prometheusRules(t, object{"enabled": true, "runbookBase": base}), 0
		for _, annotations := range annotationsOf(found) {
			path, under := strings.CutPrefix(annotations["runbook_url"].(string), want)
			if !under || !strings.HasPrefix(path, "Ringstream") {
				t.Errorf("with %q an alert links to %v", base, annotations["runbook_url"])
			}
			links++
			annotations["runbook_url"] = "deploy/runbooks/" + path
		}
		if links == 0 || !reflect.DeepEqual(found, original) {
			t.Errorf("with %q the %d alerts differ from deploy/alerts in more than their links", base, links)
		}
	}
}

// prometheusRules are the specs of the rules that these values make.
func prometheusRules(t *testing.T, values object) (found []object) {
	t.Helper()
	for _, document := range documents(t, object{"metrics": object{"prometheusRule": values}}) {
		var o struct {
			Kind string
			Spec object
		}
		if err := yaml.Unmarshal(document, &o); err != nil {
			t.Fatal(err)
		}
		if o.Kind == "PrometheusRule" {
			found = append(found, o.Spec)
		}
	}
	return found
}

// annotationsOf are those of all alerts in files of rules.
func annotationsOf(files []object) (all []object) {
	for _, file := range files {
		for _, group := range file["groups"].([]any) {
			for _, rule := range group.(object)["rules"].([]any) {
				if annotations, ok := rule.(object)["annotations"].(object); ok {
					all = append(all, annotations)
				}
			}
		}
	}
	return all
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
