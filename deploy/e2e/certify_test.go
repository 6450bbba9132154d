//go:build linux

package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

var (
	certifyFor  = flag.Duration("certify", 4*time.Second, "how long the certified services are hurt while they work")
	certifySeed = flag.Uint64("certify.seed", 0, "which events and faults; 0 takes a new one")
	certifyRate = flag.Int("certify.rate", 400, "raw events a second, on average")
)

// brief is what runs among other tests: what would only make it longer is left out.
func brief(span time.Duration) bool { return span < time.Minute }

// A run of five minutes kills at least fifty times, another in proportion.
func fewestKills(span time.Duration) int { return max(1, int(50*span/(5*time.Minute))) }

// certifyLimits are those of the call model. They are shorter than those of
// production, so that every timer fires again and again.
func certifyLimits(span time.Duration) (settings []string, longest time.Duration) {
	ring, talk, settle, memory := 10*time.Second, 25*time.Second, time.Second, 20*time.Second
	if brief(span) {
		ring, talk, settle, memory = 1500*time.Millisecond, 2*time.Second, 300*time.Millisecond, 2*time.Second
	}
	return []string{
		"RING_TIMEOUT=" + ring.String(), "TALK_TIMEOUT=" + talk.String(), "SETTLE_TIMEOUT=" + settle.String(), "CLOSED_MEMORY=" + memory.String(),
	}, talk + settle
}

// TestCertify proves that CALLS is a function of RTE: three replicas of
// transform share the partitions of a cluster of three NATS servers and are
// killed, paused and stopped at random, and so are the servers, while calls of
// every kind come in with repeats, disorder, gaps and garbage. When everything
// is well again, CALLS and each CALL_LOG_<p> must be what one undisturbed
// process makes of RTE, message by message.
func TestCertify(t *testing.T) {
	t.Parallel() // most of it is waiting
	seed, span := *certifySeed, *certifyFor
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-certify=%v -certify.seed=%d -certify.rate=%d", span, seed, *certifyRate)
	messages, counted := plan(seed, readStories(t), span, int(span.Seconds()*float64(*certifyRate)))
	limits, longest := certifyLimits(span)
	born := time.Now()
	c := newTrial(emptyWorld(t), time.Second, limits)
	t.Logf("all is well after %v", time.Since(born).Round(time.Millisecond))

	table, publishing := c.publish(messages, span)
	lasted := c.strike(seed, span, table)
	early := c.holds(topology.Calls, "calls.>")

	healing := time.Now()
	c.recover()
	t.Logf("well again %v after the last strike", time.Since(healing).Round(time.Millisecond))
	c.eventually(10*time.Minute, "everything to be in RTE", table.published)
	wait(t.Context(), longest+time.Second) // the clock of the fold goes on, and its last timers fire
	table.end()
	c.eventually(5*time.Minute, "the last heartbeats to be in RTE", table.idle)
	publishing()

	t.Logf("planned: %v", counted)
	t.Logf("struck for %v: %d kill -9; %s; %s", lasted.Round(time.Second), c.count(kills), tally(c.quorum, replicaBlows), tally(c.quorum, nodeBlows))
	t.Logf("seen: %d %s, %d %s, %d %s; %d %s, %d times %s", c.count(streamLeaders), streamLeaders, c.count(metaLeaders), metaLeaders,
		c.count(takeOvers), takeOvers, c.count(inVain), inVain, c.count(unwhole), unwhole)
	c.verdict(messages, table, early)
	if !c.proves(span) {
		t.Errorf("the run proves little: it ought to kill %d times, see a leader change and a partition taken over", fewestKills(span))
	}
}

// proves reports whether enough was done for the verdict to mean something.
func (c *trial) proves(span time.Duration) bool {
	return c.count(kills) >= fewestKills(span) && c.count(takeOvers) > 0 && c.count(streamLeaders) > 0
}

// strike hurts replicas and nodes for so long, and then until enough was done and,
// unless the run is a brief one, all that is planned was heard under it; but not
// for ever.
func (c *trial) strike(seed uint64, span time.Duration, table *timetable) time.Duration {
	began := time.Now()
	over := func() bool {
		lasts := time.Since(began)
		return c.t.Failed() || lasts > 3*span+time.Minute || lasts > span && c.proves(span) && (brief(span) || table.published())
	}
	var striking sync.WaitGroup
	striking.Go(func() { nemesis(c.quorum, c, seed, 2, replicaBlows, 1500*time.Millisecond, over) })
	striking.Go(func() { nemesis(c.quorum, c.quorum, seed, 3, nodeBlows, 2*time.Second, over) })
	striking.Wait()
	return time.Since(began)
}

// publish sends what is planned, as ingest does, until the returned function is called.
func (c *trial) publish(messages []planned, span time.Duration) (*timetable, func()) {
	table := newTimetable(messages, span, certifyPartitions)
	p := bus.NewPublisher(c.as("ingest"), "ingest", table, c.log("publisher"))
	p.Stored, p.Settled = table.stored, table.settled
	p.Refused = func(m bus.Outgoing, err error) *bus.Outgoing {
		c.t.Errorf("%s was refused: %v", m.Subject, err)
		return nil
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil && ctx.Err() == nil {
			c.t.Errorf("publish: %v", err)
		}
	})
	running.Go(func() {
		for ctx.Err() == nil {
			wait(ctx, 10*time.Millisecond)
			table.tick()
		}
	})
	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	c.t.Cleanup(stop)
	return table, stop
}

// recover waits until everything is well again.
func (c *trial) recover() {
	c.t.Helper()
	c.eventually(5*time.Minute, "three replicas of each stream", c.whole)
	for _, p := range c.replicas {
		c.eventually(5*time.Minute, p.name+" to be well again", p.ready)
	}
}

// verdict compares what the streams hold with the reference.
func (c *trial) verdict(messages []planned, table *timetable, early int) {
	c.t.Helper()
	printed, err := c.replay("run", "-o", "json")
	if err != nil {
		c.t.Fatal(err)
	}
	want, err := referenceOf(printed, certifyPartitions)
	if err != nil {
		c.t.Fatal(err)
	}
	waiting := time.Now()
	c.caughtUp(len(want))
	c.t.Logf("waited %v for the last call event", time.Since(waiting).Round(time.Millisecond))
	difference, err := c.replay("diff", "--wait", "30s")
	if err != nil {
		c.t.Errorf("%v\n%.3000s", err, difference)
	}
	for _, p := range c.replicas {
		p.stop()
	}
	found := c.rteIs(messages, table)
	found = append(found, c.callsAre(want)...)
	for i, f := range found {
		if i == 20 {
			c.t.Errorf("and %d more", len(found)-i)
			break
		}
		c.t.Error(f)
	}
	c.t.Logf("replay diff: %s", difference)
	c.t.Logf("%d call events, %d of them before the last strike was over; differences from the reference fold: %d (%s)",
		len(want), early, len(found), listOf(kindsOf(found)))
	if len(want) < len(messages)/20 {
		c.t.Error("hardly any call events: the run proves little")
	}
}

// caughtUp waits until every stream holds as many call events as it ought to,
// as long as there is progress.
func (c *quorum) caughtUp(events int) {
	c.t.Helper()
	const patience = 2 * time.Minute
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for best, since := -1, time.Now(); ; <-tick.C {
		n := c.holds(topology.Calls, "calls.>")
		switch {
		case n >= events:
			return
		case n > best:
			best, since = n, time.Now()
		case time.Since(since) > patience:
			c.t.Errorf("CALLS has held %d of %d events for %v: nothing goes on", n, events, patience)
			return
		}
	}
}

// callsAre finds what CALLS and the logs hold that they ought not to, and what
// they lack.
func (c *quorum) callsAre(want []callEvent) (found []finding) {
	calls := c.messages(topology.Calls, "calls.>")
	appended := map[string]time.Time{}
	merged, mislabelled := heldBy(topology.Calls, calls, certifyPartitions)
	found = slices.Concat(mislabelled, differences(topology.Calls, want, merged), miscounted(topology.Calls, merged))
	for p := range certifyPartitions {
		name := topology.CallLog(p)
		log := c.messages(name, topology.CallLogPrefix(p)+".ev.>")
		for _, m := range log {
			appended[m.Header.Get("ce-id")] = m.Stored
		}
		have, mislabelled := heldBy(name, log, certifyPartitions)
		found = slices.Concat(found, mislabelled, differences(name, onlyOf(p, want), have), miscounted(name, have), positions(name, log))
	}
	c.tellDelays(calls, appended)
	return found
}

// tellDelays says how long the logs took to be merged: transform sees to it that
// the server goes on with it after an election.
func (c *quorum) tellDelays(calls []bus.Message, appended map[string]time.Time) {
	var delays []time.Duration
	for _, m := range calls {
		delays = append(delays, m.Stored.Sub(appended[m.Header.Get("ce-id")]).Round(time.Millisecond))
	}
	slices.Sort(delays)
	if n := len(delays); n > 0 {
		c.t.Logf("from a log to CALLS: half within %v, 99 of 100 within %v, all within %v", delays[n/2], delays[n*99/100], delays[n-1])
	}
}

// rteIs finds planned messages that are not in RTE once.
func (c *trial) rteIs(messages []planned, table *timetable) (found []finding) {
	c.t.Helper()
	planned, stored := map[string]bool{}, map[string]int{}
	for _, m := range messages {
		out, err := m.message(table.start, table.start, certifyPartitions)
		if err != nil {
			c.t.Fatal(err)
		}
		planned[out.Header.Get(nats.MsgIdHdr)] = true
	}
	raw, beats := 0, 0
	for _, filter := range []string{"rte.>", topology.FeedAll} {
		for _, m := range c.messages(topology.RTE, filter) {
			stored[m.Header.Get(nats.MsgIdHdr)]++
			if filter == topology.FeedAll {
				beats++
			} else {
				raw++
			}
		}
	}
	for id := range planned {
		if n := stored[id]; n == 0 {
			found = append(found, finding{topology.RTE, missingEvent, id, ""})
		} else if n > 1 {
			found = append(found, finding{topology.RTE, doubledEvent, id, fmt.Sprintf("%d times", n)})
		}
	}
	c.t.Logf("RTE: %d raw events and %d coverage events; %d repeats under the same Msg-Id that it did not take", raw, beats, table.again)
	return found
}
