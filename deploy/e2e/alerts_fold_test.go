//go:build linux

package e2e

import (
	"strconv"
	"strings"
	"syscall"
	"time"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/topology"
)

// What becomes of transform, and of the streams on both sides of it.
var foldAlerts = []provocation{
	{
		alert: "RingstreamTransformStalled", place: &wholeStack,
		says:  map[string]string{"nats kv ls": "deliver-1", "nats stream report": topology.RTE},
		cause: func(s *site) { s.transforms(func(name string) error { return s.Signal(name, syscall.SIGSTOP) }) },
		cure:  func(s *site) { s.transforms(s.Restart) },
	},
	{
		alert: "RingstreamCallsNotMerged", place: &cluster, admits: "transform may not ask its leader to step down",
		cause: func(s *site) { // a server stops that CALLS hears of a log from, and transform may not have CALLS elect another leader
			c := s.cluster
			s.eventually(3*time.Minute, say("three replicas of each stream"), c.whole)
			anew := func() bool { return deposed(c.js.Conn(), "$JS.API.STREAM.LEADER.STEPDOWN."+topology.Calls) } // who leads then asks the leaders that there are
			s.eventually(time.Minute, say("CALLS to elect another leader"), anew)
			s.eventually(time.Minute, say("a leader of CALLS that hears of a log from another server"), func() bool {
				calls, log := c.leaderOf(topology.Calls), c.leaderOf(topology.CallLog(0))
				if s.down = log; calls == log && log != nil {
					anew()
				}
				return calls != nil && log != nil && calls != log
			})
			merged := c.holds(topology.Calls, "calls.>")
			s.eventually(time.Minute, say("CALLS to go on"), func() bool { return c.holds(topology.Calls, "calls.>") > merged+20 })
			s.down.kill()
		},
		cure: func(s *site) {
			s.cures(tester, "nats stream cluster step-down CALLS")
			s.down.start()
		},
	},
	{
		alert: "RingstreamTakeOverStorm", place: &wholeStack, lingers: true, company: []string{"RingstreamTransformStalled"},
		cause: func(s *site) { // the replica lives, gets no CPU for longer than its leases last, and does again
			for range 5 {
				s.must(s.Signal("transform-1", syscall.SIGSTOP))
				s.eventually(time.Minute, say("transform-2 to have everything"), func() bool { return s.folds("transform-2") == topology.DefaultPartitions })
				s.must(s.Signal("transform-1", syscall.SIGCONT))
				s.eventually(time.Minute, say("transform-1 to have a part of it"), func() bool { return s.folds("transform-2") < topology.DefaultPartitions })
			}
		},
		cure: func(*site) {}, // it gets CPU
	},
	{
		alert: "RingstreamUnreadableMessages", place: &wholeStack, lingers: true,
		cause: func(s *site) { // a foreign publisher, who has a permission that nobody ought to have
			ack, err := s.js.Publish(s.t.Context(), "rte.0.any.Any.any", []byte("any"))
			s.must(err)
			s.foreign = ack.Sequence
		},
		means: func(s *site) map[string]string { return map[string]string{"SEQ": strconv.FormatUint(s.foreign, 10)} },
		cure:  func(*site) {}, // the permission is taken away
	},
}

// transforms does something to each replica of transform.
func (s *site) transforms(do func(name string) error) {
	s.t.Helper()
	for _, p := range s.Services() {
		if p.Program == stack.Transform {
			s.must(do(p.Name))
		}
	}
}

// folds counts the partitions of a replica.
func (s *site) folds(name string) (n int) {
	s.t.Helper()
	p, _ := s.Service(name)
	for line := range strings.Lines(s.scrape(p.URL)) {
		if strings.HasPrefix(line, `ringstream_lease_held{lease="partition.`) && strings.HasSuffix(line, "} 1\n") {
			n++
		}
	}
	return n
}
