//go:build alerts && linux

package e2e

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

var prometheus = flag.String("prometheus", "", "path of the binary that watches where alerts are provoked")

// watched starts a Prometheus that scrapes the site and has these rules.
func (s *site) watched(rules string, every time.Duration) {
	s.t.Helper()
	dir := s.t.TempDir()
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: %v, scrape_timeout: %v, evaluation_interval: %v}\nrule_files: [rules.yaml]\nscrape_configs:\n", every, min(every, 10*time.Second), every)
	for _, g := range s.targets {
		fmt.Fprintf(&config, "  - {job_name: %s, static_configs: [{targets: [%q], labels: {job: %s, instance: %s}}]}\n", g.instance, g.address, g.job, g.instance)
	}
	for file, text := range map[string]string{"rules.yaml": rules, "prometheus.yml": config.String()} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(s.logs, "prometheus.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.past != "" {
		s.remembers(dir)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(s.t))
	cmd := exec.CommandContext(s.t.Context(), *prometheus, "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+address)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	spawner() <- func() { started <- cmd.Start() }
	s.must(<-started)
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = log.Close() })
	s.prometheus = "http://" + address
	s.eventually(time.Minute, say("Prometheus, whose log is %s", log.Name()), func() bool { return respondsAt(s.prometheus + "/-/ready") })
	s.eventually(time.Minute, say("everybody to be scraped"), func() bool { return len(s.query(`up == 1`)) == len(s.targets) })
}

// remembers gives a Prometheus that has not begun yet the sample of the past, as
// old as the quickened rules look back.
func (s *site) remembers(dir string) {
	s.t.Helper()
	name, _, _ := strings.Cut(s.past, "{")
	text := fmt.Sprintf("# TYPE %s gauge\n%s %d\n# EOF\n", name, s.past, time.Now().Add(-4*24*time.Hour/quicker).Unix())
	file := filepath.Join(dir, "past.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	promtool := filepath.Join(filepath.Dir(*prometheus), "promtool")
	if out, err := exec.CommandContext(s.t.Context(), promtool, "tsdb", "create-blocks-from", "openmetrics", file, dir+"/data").CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
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

// conditions are what all that are scraped say of themselves, as far as they answer.
func (s *site) conditions() string {
	s.t.Helper()
	var all strings.Builder
	for _, g := range s.targets {
		resp, err := (&http.Client{Timeout: 2 * time.Second}).Get("http://" + g.address + "/readyz")
		if err != nil {
			continue
		}
		fmt.Fprintf(&all, "%s: ", g.instance)
		_, err = io.Copy(&all, resp.Body)
		resp.Body.Close()
		s.must(err)
	}
	return all.String()
}

// firing is an alert that fires.
type firing struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"`
}

// firing are the alerts that fire, by name: of several the first.
func (s *site) firing() map[string]firing {
	s.t.Helper()
	var answer struct{ Data struct{ Alerts []firing } }
	s.get(s.prometheus+"/api/v1/alerts", &answer)
	names := map[string]firing{}
	for _, a := range answer.Data.Alerts {
		if _, known := names[a.Labels["alertname"]]; a.State == "firing" && !known {
			names[a.Labels["alertname"]] = a
		}
	}
	return names
}

// criticals are the names of those that somebody is woken for.
func (s *site) criticals() (names []string) {
	s.t.Helper()
	all := s.firing()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name].Labels["severity"] == "critical" {
			names = append(names, name)
		}
	}
	return names
}

// awaits waits until the alert fires, or does not, and returns how long that took.
func (s *site) awaits(fires bool, patience time.Duration) time.Duration {
	s.t.Helper()
	began := time.Now()
	what := func() string {
		return fmt.Sprintf("%s to fire: %v; what fires is %v", s.alert, fires, slices.Sorted(maps.Keys(s.firing())))
	}
	s.eventually(patience, what, func() bool {
		_, does := s.firing()[s.alert]
		return does == fires
	})
	return time.Since(began).Round(100 * time.Millisecond)
}
