//go:build linux

package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

var (
	wholeFor  = flag.Duration("whole", 8*time.Second, "how long the whole pipeline is hurt while it works")
	wholeSeed = flag.Uint64("whole.seed", 0, "which calls and faults; 0 takes a new one")
	wholeRate = flag.Int("whole.rate", 0, "raw events a second; 0: 360, in a brief run 120")
	wholeInto = flag.String("whole.certificate", "", "the directory for the certificate; empty: none is written")
)

// TestWhole proves what ringstream promises, all of it at once: from rte-sim, which
// keeps a book of what it sent, through two replicas of each service and a
// cluster of three NATS servers, to reapit-sim, which keeps a journal of what it
// got. Meanwhile everything is killed, paused, cut off, rolled to another build and back, given
// a wrong clock or a full disk, at random. Then the two books and the streams must tell one
// story.
func TestWhole(t *testing.T) {
	t.Parallel() // most of it is waiting
	seed, lasts := *wholeSeed, *wholeFor
	if seed == 0 {
		seed = rand.Uint64() >> 32
	}
	rate := *wholeRate
	if rate == 0 {
		rate = map[bool]int{false: 360, true: 120}[brief(lasts)]
	}
	t.Logf("-whole=%v -whole.seed=%d -whole.rate=%d", lasts, seed, rate)
	began := time.Now()
	h := newPremises(t, wholly(), newOffice(1, "SBOX", 30), newOffice(2, "RES", 30))
	h.second = binaries
	var build func() string
	if !brief(lasts) {
		build = secondBuild(t, wrongClock(t)...)
	}
	h.open()
	if build != nil {
		h.second = build()
	}
	h.ail(0.01, seed, true)
	h.quorum.witness()
	t.Logf("all is well after %v", time.Since(began).Round(time.Second))

	ctx, end := context.WithCancel(t.Context())
	var meanwhile sync.WaitGroup
	t.Cleanup(meanwhile.Wait) // where it ends early
	meanwhile.Go(func() { h.ring(ctx, h.usual(seed, lasts, rate)) })
	meanwhile.Go(func() { h.look(ctx) })
	h.strike(seed, lasts)
	h.heal()
	var rest span
	if !brief(lasts) {
		rest = h.rest()
	}
	end()
	meanwhile.Wait()
	wait(t.Context(), settled)
	h.hush()
	j := h.judge(rest)

	c := h.certify(seed, began, j)
	f := j.e.figures()
	f.violations(j.found, t.Errorf)
	t.Log(f)
	t.Logf("\n%s", c.text())
	if *wholeInto != "" {
		into := filepath.Join(*wholeInto, fmt.Sprint(seed))
		if err := c.write(into); err != nil {
			t.Error(err)
		}
		t.Logf("the certificate is in %s", into)
	}
	if len(j.found) > 0 {
		h.keep("journal.json", j.e.requests)
		h.keep("strikes.json", h.quorum.strikes)
	}
	if n := len(j.heard.stored); n < int(lasts.Seconds())*rate/2 || c.FaultsDone < int(lasts.Seconds())/6 {
		t.Errorf("%d raw events and %d faults: the run proves little", n, c.FaultsDone)
	}
	if j.whole < len(h.plan)/8 && !brief(lasts) {
		t.Errorf("of %d calls that the hub told of only %d are in RTE whole and beside no gap: the run proves little", len(h.plan), j.whole)
	}
}

// wholly is what deliver is set to.
func wholly() promised {
	p := usually()
	p.rate, p.concurrency = 200, 30
	return p
}

// usual is what the hub tells: for a third of calls.
func (h *premises) usual(seed uint64, lasts time.Duration, rate int) load {
	l := load{window: 10 * time.Second, seed: seed, calls: float64(rate) / 3 / float64(len(h.offices)), other: rate * 2 / 3}
	l.mix = mix{group: 3, direct: 0.6, missed: 0.3, strangers: 0.05, ring: [2]time.Duration{2 * time.Second, 12 * time.Second}, talk: [2]time.Duration{2 * time.Second, 15 * time.Second}}
	if brief(lasts) {
		l.window, l.mix.ring, l.mix.talk = 2*time.Second, [2]time.Duration{time.Second, 3 * time.Second}, [2]time.Duration{time.Second, 3 * time.Second}
	}
	return l
}

// strike hurts everything for so long.
func (h *premises) strike(seed uint64, lasts time.Duration) {
	until := time.Now().Add(lasts)
	over := func() bool { return !time.Now().Before(until) }
	var striking sync.WaitGroup
	striking.Go(func() { nemesis(h.quorum, h, seed, 2, spotBlows, 2*time.Second, over) })
	striking.Go(func() { nemesis(h.quorum, h.quorum, seed, 3, nodeBlows, 8*time.Second, over) })
	striking.Go(func() { nemesis(h.quorum, h, seed, 4, wayBlows, 2*time.Second, over) })
	striking.Wait()
}

// look writes down how long ingest's queues become.
func (h *premises) look(ctx context.Context) {
	for ctx.Err() == nil {
		for _, s := range slices.Clone(h.all[stack.Ingest]) {
			n := s.queued()
			if most := h.quorum.count(longestQueue); n > most {
				h.quorum.noted(longestQueue, n-most)
			}
		}
		wait(ctx, time.Second)
	}
}
