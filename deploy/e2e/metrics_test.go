package e2e

import (
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// family is one metric as it is documented or exported.
type family struct{ kind, help string }

// families are what is exported by all services together, and by those at more URLs.
func (r *rig) families(more ...string) map[string]family {
	r.t.Helper()
	all := map[string]family{}
	urls := slices.Clone(more)
	for _, s := range r.Services() {
		if s.Program == "ingest" || s.Program == "transform" || s.Program == "deliver" {
			urls = append(urls, s.URL)
		}
	}
	for _, url := range urls {
		helps := map[string]string{}
		for line := range strings.Lines(r.scrape(url)) {
			switch field := strings.SplitN(strings.TrimSpace(line), " ", 4); {
			case len(field) < 4 || !strings.HasPrefix(field[2], "ringstream_"):
			case field[1] == "HELP":
				helps[field[2]] = field[3]
			case field[1] == "TYPE":
				all[field[2]] = family{field[3], helps[field[2]]}
			}
		}
	}
	return all
}

func (r *rig) scrape(url string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s/metrics: %s %v", url, resp.Status, err)
	}
	return string(b)
}

var watchesAt = regexp.MustCompile(`http://\S+/metrics`)

// watch starts replay watch, and returns where it answers.
func (r *rig) watch() (url string) {
	r.t.Helper()
	log, err := os.Create(filepath.Join(r.LogDir(), "replay-1.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.t.Context(), filepath.Join(binaries, "replay"), "watch")
	cmd.Env = r.settings("replay", "HTTP_ADDR=127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = log.Close() })
	r.eventually(time.Minute, say("replay watch, whose log is %s", log.Name()), func() bool {
		text, err := os.ReadFile(log.Name())
		url = strings.TrimSuffix(string(watchesAt.Find(text)), "/metrics")
		return err == nil && url != "" && strings.Contains(string(text), "watching from")
	})
	return url
}

var documentedMetric = regexp.MustCompile("(?m)^\\| `(ringstream_[a-z_]+)` \\| ([a-z]+) \\|.*\\| (.+) \\|$")

// What the dashboards, the alerts and metrics.md name is what the running
// services export, no more and no less: the faults that some of it waits for are
// a subscription refused and a customer parked.
func TestMetricsAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel() // most of it is waiting
	page, err := os.ReadFile("../runbooks/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]family{}
	for _, row := range documentedMetric.FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = family{row[2], row[3]}
	}
	r := start(t, stack.Options{Env: map[string][]string{"ingest": {"RTE_SUBSCRIPTIONS=user:" + jane + ",UserTeleported:" + jane}}})
	r.post(r.ReapitSim()+"/control/faults", map[string]any{
		"match": map[string]string{"path": "/notifications"}, "times": 1000, "action": map[string]int{"status": http.StatusForbidden},
	}, nil)
	r.post(r.RTESim()+"/control/play", map[string]any{"scenario": "hunt-group"}, nil)
	watch := r.watch()
	lacking := func() (names []string) {
		exported := r.families(watch)
		for _, name := range slices.Sorted(maps.Keys(documented)) {
			if _, ok := exported[name]; !ok {
				names = append(names, name)
			}
		}
		return names
	}
	r.eventually(30*time.Second, func() string { return "not exported: " + strings.Join(lacking(), ", ") }, func() bool { return len(lacking()) == 0 })
	several := []string{"ringstream_last_progress_timestamp_seconds", "ringstream_lease_held", "ringstream_log_append_seconds", "ringstream_log_fence_conflicts_total"} // each service words its own
	for name, have := range r.families(watch) {
		switch want, ok := documented[name]; {
		case !ok:
			t.Errorf("%s is not in metrics.md", name)
		case want.kind != have.kind || want.help != have.help && !slices.Contains(several, name):
			t.Errorf("%s: metrics.md has %v, the scrape %v", name, want, have)
		}
	}
}
