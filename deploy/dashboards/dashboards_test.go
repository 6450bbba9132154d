package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is kept here is what is generated.
func TestUpToDate(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	kept, _ := filepath.Glob("*.json")
	if len(kept) != len(boards()) {
		t.Errorf("%d files of %d dashboards: %v", len(kept), len(boards()), kept)
	}
	for _, name := range kept {
		if text(t, name) != text(t, filepath.Join(dir, name)) {
			t.Errorf("%s is out of date: make gen", name)
		}
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A dashboard is taken by any Grafana: it names no data source of its own, no
// plugin beyond the core, and no two panels are one.
func TestGrafanaCanShowThem(t *testing.T) {
	for _, b := range boards() {
		var d struct {
			UID    string
			Panels []struct {
				ID         int
				Type       string
				Title      string
				Datasource struct{ UID string }
				GridPos    struct{ X, Y, W, H int }
				Targets    []struct{ Expr, LegendFormat string }
			}
		}
		if err := json.Unmarshal([]byte(text(t, b.name+".json")), &d); err != nil {
			t.Fatal(err)
		}
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: panel %d %q", b.name, p.ID, p.Title)
			}
			ids[p.ID] = true
			if p.GridPos.X+p.GridPos.W > width {
				t.Errorf("%s: %s reaches beyond the edge", b.name, p.Title)
			}
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if other := taken[at]; other != "" {
						t.Fatalf("%s: %s and %s are in one place", b.name, other, p.Title)
					}
					taken[at] = p.Title
				}
			}
			switch p.Type {
			case "row":
				continue
			case "timeseries", "stat":
			default:
				t.Errorf("%s: %s is of type %q", b.name, p.Title, p.Type)
			}
			if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
				t.Errorf("%s: %s has data source %q and %d expressions", b.name, p.Title, p.Datasource.UID, len(p.Targets))
			}
			for _, target := range p.Targets {
				if on := strings.Contains(target.Expr, " on ("); on && !strings.Contains(target.Expr, " on (namespace, job, instance)") {
					t.Errorf("%s: %s takes a process of another namespace for its own: %s", b.name, p.Title, target.Expr)
				}
				if !strings.Contains(target.Expr, ns) || target.LegendFormat == "" {
					t.Errorf("%s: %s: %s (%s)", b.name, p.Title, target.Expr, target.LegendFormat)
				}
			}
		}
	}
}
