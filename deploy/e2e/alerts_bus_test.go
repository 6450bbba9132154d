//go:build linux

package e2e

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/topology"
)

// bereft is a stack that loses NATS, or what NATS holds.
var bereft = place{name: "bereft", open: func(t *testing.T) *site {
	return siteOf(start(t, stack.Options{Ingest: 2}))
}}

// What becomes of NATS, and of the processes.
var busAlerts = []provocation{
	{
		alert: "RingstreamNATSDisconnected", place: &bereft,
		company: []string{"RingstreamTransformStalled", "RingstreamDeliverStalled"},
		fails:   []string{"transform check"}, says: map[string]string{"transform check": "NATS_URL"},
		cause: func(s *site) { s.StopNATS() },
		cure:  func(s *site) { s.must(s.StartNATS()) },
	},
	{
		alert: "RingstreamStreamsDiffer", place: &bereft, admits: "CALLS has max age",
		company: []string{"RingstreamTransformStalled", "RingstreamDeliverStalled"},
		fails:   []string{"transform provision"}, says: map[string]string{"transform provision": "CALLS", "nats stream info": `"deny_purge": true`},
		cause: func(s *site) { // somebody who may has made CALLS forget sooner, and deleted a bucket
			s.change(topology.Calls, func(c *jetstream.StreamConfig) { c.MaxAge = 24 * time.Hour })
			s.must(s.js.DeleteKeyValue(s.t.Context(), topology.Leases))
		},
		cure: func(s *site) {
			if said, code := s.as(tester, "nats stream edit CALLS --max-age=720h --force"); code != 0 {
				s.t.Errorf("nats stream edit ends with %d:\n%s", code, said)
			}
			s.cures(topology.Provisioner, "NATS_PROVISION=create transform provision")
		},
	},
	{
		alert: "RingstreamRestarting", place: &bereft, lingers: true,
		cause: func(s *site) { // it is killed as often as it starts
			for range 5 {
				before := s.began(hurt)
				s.must(s.Restart(hurt))
				s.eventually(time.Minute, say("the new %s to be scraped", hurt), func() bool { now := s.began(hurt); return now != "" && now != before })
			}
		},
		cure: func(*site) {}, // it is given memory
	},
	{
		alert: "RingstreamNATSWithoutQuorum", place: &cluster, company: []string{"RingstreamTransformStalled"},
		fails: []string{"nats stream report"}, says: map[string]string{"nats server report jetstream": "nats-1"},
		cause: func(s *site) {
			for _, node := range s.cluster.nodes[1:] {
				node.kill()
			}
		},
		cure: func(s *site) { // they come back with their volumes
			for _, node := range s.cluster.nodes[1:] {
				node.start()
			}
			s.eventually(2*time.Minute, say("three replicas of each stream"), s.cluster.whole)
		},
	},
}

// change makes a stream another than the contract says.
func (s *site) change(name string, how func(*jetstream.StreamConfig)) {
	s.t.Helper()
	stream, err := s.js.Stream(s.t.Context(), name)
	s.must(err)
	config := stream.CachedInfo().Config
	how(&config)
	_, err = s.js.UpdateStream(s.t.Context(), config)
	s.must(err)
}

// began is when a process began, as Prometheus knows it; nothing while it does not.
func (s *site) began(instance string) string {
	s.t.Helper()
	for _, v := range s.query(`process_start_time_seconds{instance="` + instance + `"}`) {
		return v.String()
	}
	return ""
}
