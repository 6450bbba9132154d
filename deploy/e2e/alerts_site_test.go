//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/topology"
)

// place is where alerts can be provoked; it is opened once for all of them.
type place struct {
	name string
	open func(*testing.T) *site
}

// site is a place while it is open, and what a provocation asks of it.
type site struct {
	*rig                             // without a stack where there is a cluster
	foreign    uint64                // sequence in RTE of what a foreign publisher wrote
	cluster    *trial                // nil where there is none
	down       *program              // the server of it that is down
	gate       *gate                 // between the hurt replica of ingest and NATS
	user       func(string) []string // settings with which a user reaches NATS
	targets    []target              // what is scraped
	processes  map[string][]string   // their settings, by name
	prometheus string                // URL of the one that watches
	logs       string                // directory
	dir        string                // in which commands are typed; empty: each in one of its own
	past       string                // a sample that Prometheus has from days ago
	alert, pod string                // that is being provoked, and the instance that it names
	means      map[string]string     // what placeholders of its page stand for
}

// target is one process that is scraped, and what labels it gets.
type target struct{ job, instance, address string }

// wholeStack is the whole stack: two replicas of ingest, the second of which reaches
// NATS through a gate, two of transform and one of deliver.
var wholeStack = place{name: "stack", open: func(t *testing.T) *site {
	port := freePort(t)
	way := newGate(t, fmt.Sprintf("127.0.0.1:%d", port))
	r := start(t, stack.Options{
		Ingest: 2, Transform: 2, NATSPort: port,
		Env: map[string][]string{"ingest": {"LOG_FORMAT=json"}, "transform": {"LOG_FORMAT=json"}, hurt: {"NATS_URL=tls://" + way.listener.Addr().String()}},
	})
	s := siteOf(r)
	s.gate = way
	s.targets = append(s.targets, target{"replay", "replay-1", strings.TrimPrefix(r.watch(), "http://")})
	return s
}}

// cluster is three NATS servers and three replicas of transform, to which events
// come in. NATS refuses transform what it needs to get a merge going that stands still.
var cluster = place{name: "cluster", open: func(t *testing.T) *site {
	w := emptyWorld(t)
	w.withheld = "$JS.API.STREAM.LEADER.STEPDOWN." + topology.Calls
	c := newTrial(w, 3*time.Second, nil)
	const lasts, perSecond = 10 * time.Minute, 20
	messages, _ := plan(1, readStories(t), lasts, perSecond*int(lasts.Seconds()))
	c.publish(messages, lasts)
	s := &site{rig: &rig{t: t, js: c.js}, cluster: c, logs: w.dir, processes: map[string][]string{}}
	s.user = func(name string) []string {
		cfg := c.as(name)
		if name == system {
			cfg.Password = system
		}
		return stack.Settings(cfg)
	}
	for _, p := range c.replicas {
		s.targets = append(s.targets, target{stack.Transform, p.name, strings.TrimPrefix(p.url, "http://")})
		s.processes[p.name] = p.env
	}
	return s
}}

// leaderOf is the server that leads a stream; nil while there is none.
func (c *trial) leaderOf(stream string) *program {
	s, err := c.js.Stream(c.t.Context(), stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return nil
	}
	for _, node := range c.nodes {
		if node.name == s.CachedInfo().Cluster.Leader {
			return node
		}
	}
	return nil
}

// siteOf is the site of a whole stack.
func siteOf(r *rig) *site {
	s := &site{rig: r, logs: r.LogDir(), user: func(name string) []string { return r.settings(name) }, processes: map[string][]string{}}
	for _, p := range r.Services() {
		switch p.Program {
		case stack.Ingest, stack.Transform, stack.Deliver:
			s.targets = append(s.targets, target{p.Program, p.Name, strings.TrimPrefix(p.URL, "http://")})
			s.processes[p.Name] = settingsIn(r.t, p.PID)
		}
	}
	return s
}

// settingsIn is the environment of a process that runs.
func settingsIn(t *testing.T, pid int) (settings []string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	for setting := range bytes.SplitSeq(bytes.TrimRight(text, "\x00"), []byte{0}) {
		settings = append(settings, string(setting))
	}
	return settings
}

// within is the site for a test of its own.
func (s *site) within(t *testing.T, alert string) *site {
	here, r := *s, *s.rig
	r.t = t
	here.rig, here.alert = &r, alert
	return &here
}

// sample is one value of an instant query.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

func (v sample) String() string { return fmt.Sprint(v.Value[1]) }

// query asks what an expression comes to now.
func (s *site) query(expr string) []sample {
	s.t.Helper()
	var answer struct {
		Data struct{ Result []sample }
	}
	s.get(s.prometheus+"/api/v1/query?query="+url.QueryEscape(expr), &answer)
	return answer.Data.Result
}
