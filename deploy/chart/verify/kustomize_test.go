package verify

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var update = flag.Bool("update", false, "write deploy/kustomize/base anew")

const kustomizeDir = repoDir + "/deploy/kustomize"

// What only Helm understands is left out of what is not for it.
var (
	hooks      = regexp.MustCompile(`(?m)^  annotations:\n(?:    helm\.sh/.*\n)+`)
	helmLabels = regexp.MustCompile(`(?m)^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n`)
)

// base is what the chart makes of kustomize's values, by file name.
func base(t *testing.T) map[string]string {
	t.Helper()
	files, err := templates("ringstream", read[common.Values](t, kustomizeDir+"/values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for path, text := range files {
		text = helmLabels.ReplaceAllString(hooks.ReplaceAllString(text, ""), "")
		if strings.HasSuffix(path, ".yaml") && strings.TrimSpace(text) != "" {
			all[filepath.Base(path)] = strings.TrimSpace(text) + "\n"
		}
	}
	return all
}

// Kustomize's base is the chart, rendered.
func TestKustomizeBaseIsTheChart(t *testing.T) {
	expected := base(t)
	for name, text := range expected {
		path := filepath.Join(kustomizeDir, "base", name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if present, err := os.ReadFile(path); err != nil || string(present) != text {
			t.Errorf("base/%s is not what the chart makes of deploy/kustomize/values.yaml (%v): make chart-docs", name, err)
		}
	}
	for _, path := range matches(t, kustomizeDir+"/base/*") {
		if name := filepath.Base(path); name != "kustomization.yaml" && expected[name] == "" {
			t.Errorf("the chart makes no base/%s", name)
		}
	}
}

// Base and overlay build, with nothing left out, and a server would accept them.
func TestKustomizeBuilds(t *testing.T) {
	wanted := 0
	for _, text := range base(t) {
		wanted += len(split(t, text))
	}
	for dir, more := range map[string]int{"base": 0, "overlays/production": 1} { // its namespace
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(kustomizeDir, dir))
		if err != nil {
			t.Fatal(err)
		}
		if built.Size() != wanted+more {
			t.Errorf("%s has %d objects, the chart %d", dir, built.Size(), wanted)
		}
		for _, one := range built.Resources() {
			text, err := one.AsYAML()
			if err != nil {
				t.Fatal(err)
			}
			accepted(t, text)
		}
	}
	production, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), kustomizeDir+"/overlays/production")
	if err != nil {
		t.Fatal(err)
	}
	text, err := production.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"image: registry.example/telephony/ringstream/ingest:0.1.0", "value: RES-GOGO", "queues: [c9eeb030", "replicas: 3"} {
		if !strings.Contains(string(text), says) {
			t.Errorf("the overlay does not say %q", says)
		}
	}
}
