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

	"ringstream/deploy/local/stack"
)

var (
	rollingFull = flag.Bool("rolling", false, "the roll in full")
	rollingSeed = flag.Uint64("rolling.seed", 0, "which calls; 0 takes new ones")
	rollingOld  = flag.String("rolling.old", "", "directory of binaries of an older build, to begin with and to roll back to")
)

// roll is how a run goes.
type roll struct {
	rate      float64 // raw events a second
	window    time.Duration
	mix       mix
	rest      time.Duration // between two replicas
	rounds    int           // every service is rolled so often, to the second build and back
	handovers time.Duration // a lease may take to be taken again

	undisturbed time.Duration // windows before anything is rolled
}

// usualRoll has calls whose steps are further apart than a take-over lasts: what is
// overtaken meanwhile is superseded, by design. The short one shares its machine, on
// which it has to catch up with what came during a take-over before the calls' next
// steps.
func usualRoll(full bool) roll {
	m := mix{group: 3, direct: 0.6, missed: 0.3, strangers: 0.05}
	if !full {
		m.ring, m.talk = [2]time.Duration{3 * time.Second, 4 * time.Second}, [2]time.Duration{3 * time.Second, 4 * time.Second}
		return roll{rate: 60, window: 2 * time.Second, mix: m, rest: 500 * time.Millisecond, rounds: 2, handovers: 2 * time.Second, undisturbed: 5}
	}
	m.ring, m.talk = [2]time.Duration{5 * time.Second, 12 * time.Second}, [2]time.Duration{5 * time.Second, 15 * time.Second}
	return roll{rate: 200, window: 30 * time.Second, mix: m, rest: 4 * time.Second, rounds: 2, handovers: time.Second, undisturbed: 1}
}

// settled is how long after its last event a call of the shift has told all, and
// everybody has been shown it.
const settled = 3 * time.Second

// longest is how long a call may last.
func (r roll) longest() time.Duration { return r.mix.ring[1] + r.mix.talk[1] + settled }

// rolled is what deliver is set to: limits that the calls keep within, so that
// everything is shown and whoever takes over still has to keep them.
func rolled() promised {
	p := usually()
	p.rate, p.concurrency = 600, 60
	return p
}

const together = "all of them"

// TestRolling: every service is rolled under load, to another build and back, and
// then all of them at the same time. All that reapit-sim can see of it is that some
// notifications take longer, none for longer than its deadline: the calls that ring
// meanwhile are shown as the same calls were before, each notification once, in
// order. Whoever is asked to end hands over what it holds, and exits with 0 in the
// time that the chart gives it.
func TestRolling(t *testing.T) {
	t.Parallel() // most of it is waiting
	seed, r := *rollingSeed, usualRoll(*rollingFull)
	if seed == 0 {
		seed = rand.Uint64() >> 32
	}
	t.Logf("-rolling=%v -rolling.seed=%d", *rollingFull, seed)
	o := newOffice(1, "SBOX", 60)
	s := drawShift(seed, r.rate, r.window, r.mix, o)
	first, second := binaries, secondBuild(t)
	if *rollingOld != "" {
		first, second = *rollingOld, func() string { return binaries }
	}
	f := newFleet(t, rolled(), o)
	f.open(first)
	var watch *program
	if *rollingFull {
		watch = f.watch("--tenant=" + o.organization + "=" + o.customer)
	}

	ctx, hush := context.WithCancel(t.Context())
	var ringing sync.WaitGroup
	t.Cleanup(ringing.Wait) // where it ends early
	var windows []playing
	builds := []string{second(), first} // before: a compiler is no undisturbed neighbour
	quiet := span{from: time.Now()}
	ringing.Go(func() { windows = f.ring(ctx, s) })
	wait(t.Context(), r.undisturbed*r.window+r.longest()) // then all of the first windows are shown: what the others are compared with
	quiet.until = time.Now()
	during := map[string][]span{}
	for round := range r.rounds {
		for _, service := range rolledOver {
			during[service] = append(during[service], f.roll(service, builds[round%2], r.rest))
		}
	}
	during[together] = append(during[together], f.rollTogether(builds[r.rounds%2], r.rest))
	hush()
	ringing.Wait()
	f.rung(windows[len(windows)-1])
	drain := f.drained(s.deliveries*len(windows), time.Minute)
	if watch != nil {
		f.unbroken(watch)
	}
	f.close()

	e := f.gathered()
	known := newSights(windows)
	seen, found := known.sort(e.requests, len(windows))
	from := known.firstWhole(seen[:r.undisturbed], s.deliveries-s.unmapped)
	if from < 0 {
		t.Fatalf("%d notifications of the first undisturbed window, want %d; the others are not whole either", len(seen[0]), s.deliveries-s.unmapped)
	}
	slowest := time.Duration(0)
	if !*rollingFull { // it shares the machine with other tests
		slowest = most(e.rings(quiet))
	}
	e.slow = slowest
	fig := e.figures()
	found = slices.Concat(found, unlike(seen[from:]), known.since(from, e.check()), e.lateForTheHub(), e.uncovered(), f.rawIsWhole(s.raw*len(windows)), f.handedOver(fig, r.handovers+slowest))
	fig.add("%d windows passed before one was shown whole, with which those behind it are compared", from)
	fig.add("%d windows of %v with %d raw events each (%.0f a second), %d notifications; drained within %v",
		len(windows), s.window, s.raw, float64(s.raw)/s.window.Seconds(), len(seen[from]), drain.Round(time.Millisecond))
	fig.add("from the hub's event to the POST, undisturbed: %s", spreadOf(e.rings(quiet)))
	for _, service := range append(slices.Clone(rolledOver), together) {
		fig.add("from the hub's event to the POST, %s rolled for %v: %s", service, total(during[service]), spreadOf(e.rings(during[service]...)))
	}
	f.foldIsEqual()
	f.verdict(fig, found)
}

// handedOver tells how replicas ended, and finds what they did not hand over.
func (f *fleet) handedOver(fig *figures, limit time.Duration) (found []finding) {
	for _, service := range rolledOver {
		var took, lasted []time.Duration
		for _, e := range f.ends {
			if e.service != service {
				continue
			}
			lasted = append(lasted, e.gone.Sub(e.signalled))
			if most := time.Duration(shutdownSeconds(f.t, service)) * time.Second; e.gone.Sub(e.signalled) > most {
				found = append(found, finding{where: e.name, kind: "ended late", note: fmt.Sprintf("%v after the signal", e.gone.Sub(e.signalled))})
			}
			one, wrong := f.book.handovers(e, limit)
			took, found = append(took, one...), append(found, wrong...)
		}
		slices.Sort(took)
		slices.Sort(lasted)
		fig.add("%s, from SIGTERM to its end: %s", service, spreadOf(lasted))
		if service == stack.Ingest {
			continue
		}
		if fig.add("%s, from SIGTERM to its lease being another's: %s", service, spreadOf(took)); len(took) == 0 {
			found = append(found, finding{where: service, kind: "had nothing to hand over", note: "the run proves little"})
		}
	}
	return found
}
