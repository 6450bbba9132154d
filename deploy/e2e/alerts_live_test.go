//go:build alerts

package e2e

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

var prometheus = flag.String("prometheus", "", "path of the binary with which TestAlerts watches a stack")

// watcher is a Prometheus that scrapes a stack and has the rules of deploy/alerts.
type watcher struct {
	*rig
	url string
}

func watch(t *testing.T, r *rig) watcher {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs("../alerts/ringstream.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n", rules)
	for _, s := range r.Services() {
		switch s.Program {
		case "ingest", "transform", "deliver":
			fmt.Fprintf(&config, "  - {job_name: %s, static_configs: [{targets: [%q]}]}\n", s.Name, strings.TrimPrefix(s.URL, "http://"))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	cmd := exec.CommandContext(t.Context(), *prometheus, "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+address)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r.eventually(30*time.Second, say("Prometheus listens"), func() bool {
		return respondsAt("http://" + address + "/-/ready")
	})
	return watcher{r, "http://" + address}
}

// respondsAt reports whether somebody answers there, with 200 and within a second.
func respondsAt(url string) bool {
	resp, err := (&http.Client{Timeout: time.Second}).Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// firing are the names of the alerts that fire, each once.
func (w watcher) firing() map[string]bool {
	w.t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string            `json:"state"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		} `json:"data"`
	}
	w.get(w.url+"/api/v1/alerts", &answer)
	names := map[string]bool{}
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			names[a.Labels["alertname"]] = true
		}
	}
	return names
}

// awaits waits until an alert fires, or does not.
func (w watcher) awaits(name string, fires bool) {
	w.t.Helper()
	w.eventually(2*time.Minute, func() string { return fmt.Sprintf("%s fires: %v; %v", name, fires, w.firing()) }, func() bool { return w.firing()[name] == fires })
}

// The cause of an alert makes it fire, and the cure of its runbook clears it.
func TestAlerts(t *testing.T) {
	w := watch(t, start(t, stack.Options{}))
	for _, c := range []struct {
		alert        string
		cause, cured func() error
	}{
		{
			"RingstreamTenantParked",
			func() error {
				w.post(w.ReapitSim()+"/control/faults", map[string]any{"match": map[string]string{"path": "/notifications"}, "times": 1000, "action": map[string]int{"status": 403}}, nil)
				w.post(w.RTESim()+"/control/play", map[string]any{"scenario": "hunt-group"}, nil)
				return nil
			},
			func() error {
				w.exchange("DELETE", w.ReapitSim()+"/control/faults", nil, nil)
				w.post(w.RTESim()+"/control/play", map[string]any{"scenario": "hunt-group"}, nil)
				return nil
			},
		},
		{
			"RingstreamTransformStalled",
			func() error { return w.Signal("transform-1", syscall.SIGSTOP) },
			func() error { return w.Restart("transform-1") },
		},
		{
			"RingstreamFeedUncovered",
			func() error { return w.Signal("rte-sim", syscall.SIGSTOP) },
			func() error { return w.Signal("rte-sim", syscall.SIGCONT) },
		},
	} {
		t.Run(c.alert, func(t *testing.T) {
			w.t = t
			w.awaits(c.alert, false)
			if err := c.cause(); err != nil {
				t.Fatal(err)
			}
			w.awaits(c.alert, true)
			if err := c.cured(); err != nil {
				t.Fatal(err)
			}
			w.awaits(c.alert, false)
		})
	}
}
