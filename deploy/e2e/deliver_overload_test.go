//go:build linux

package e2e

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringstream/schemas/event"
)

var (
	deliverFull = flag.Bool("deliver", false, "the runs of deliver in full")
	deliverFor  = flag.Duration("deliver.for", 0, "how long a run of deliver lasts; 0 is as long as is usual")
	deliverSeed = flag.Uint64("deliver.seed", 0, "which calls and faults; 0 takes a new one")
)

// lasting is how long a run lasts, and from which seed it is drawn.
func lasting(t *testing.T, short, full time.Duration) (span time.Duration, random *rand.Rand, seed uint64) {
	t.Helper()
	span, seed = short, *deliverSeed
	if *deliverFull {
		span = full
	}
	if *deliverFor > 0 {
		span = *deliverFor
	}
	if seed == 0 {
		seed = rand.Uint64() >> 32
	}
	t.Logf("-deliver=%v -deliver.for=%v -deliver.seed=%d", *deliverFull, span, seed)
	return span, rand.New(rand.NewPCG(seed, 7)), seed
}

// overloaded is five times what Reapit allows, for hunt groups.
func overloaded(span time.Duration) (mix, promised) {
	p := usually()
	m := mix{
		perSecond: 5 * float64(p.rate), group: 25, direct: 0.15, missed: 0.25, quick: 0.2, strangers: 0.1,
		ring: [2]time.Duration{2 * time.Second, 25 * time.Second}, talk: [2]time.Duration{2 * time.Second, 30 * time.Second},
	}
	if brief(span) { // all of it in less time, but as late as it can be
		m.ring[1], m.talk[1] = 6*time.Second, 4*time.Second
		p.deadlines[event.Incoming], p.deadlines[event.Answered], p.deadlines[event.Ended] = 4*time.Second, 6*time.Second, 10*time.Second
	}
	return m, p
}

// TestDeliverOverload: calls for five times as many notifications as Reapit
// allows, while one in twenty requests fails in one way or another. Nothing is
// shown late, after the end or in the wrong order; every missed call arrives; and
// the books balance.
func TestDeliverOverload(t *testing.T) {
	t.Parallel() // most of it is waiting
	span, random, seed := lasting(t, 6*time.Second, 3*time.Minute)
	m, p := overloaded(span)
	o := newOffice(1, "SBOX", 60)
	d := newDesk(t, p, o)
	d.control("latency", `{"meanMs":60,"jitterMs":30}`, nil)
	d.ail(0.05, seed, brief(span))
	d.open(2, append(p.deadlineSettings(), d.single())...)

	cues := m.cues(random, span, o)
	wait(t.Context(), time.Second) // until what both replicas read at their start counts no more
	began := time.Now()
	d.say(t.Context(), cues)
	lasted := time.Since(began)
	drain := d.drained(notifications(cues), 4*time.Minute+4*span)
	d.close()

	e := d.evidence(cues)
	found := append(e.check(), d.refusals()...)
	f := e.figures()
	f.add("said within %v (%.0f notifications/s, at most %v late), drained after %v more", lasted.Round(time.Second),
		float64(notifications(cues))/lasted.Seconds(), d.late.Round(time.Millisecond), drain.Round(time.Second))
	d.verdict(f, found)
}

// refusals is what reapit-sim itself counts beyond its limits.
func (d *desk) refusals() (found []finding) {
	st := d.stats()
	if st.MaxPerSecond > d.rate || st.MaxInFlight > d.concurrency {
		found = append(found, finding{where: reapitSide, kind: overTheRate, note: "by its own count"})
	}
	for limit, n := range st.Refused {
		found = append(found, finding{where: reapitSide, kind: limited, id: limit, note: listOf(map[string]int{"times": n})})
	}
	return found
}

// verdict prints the figures and fails for what was found.
func (d *desk) verdict(f *figures, found []finding) {
	d.t.Helper()
	st := d.stats()
	f.add("at reapit-sim, by its own count: at most %d in a second, %d at a time; refused for a limit: %s; answers: %s",
		st.MaxPerSecond, st.MaxInFlight, listOf(st.Refused), listOf(st.Statuses))
	f.violations(found, d.t.Errorf)
	d.t.Log(f)
	if len(found) > 0 {
		d.keep("journal.json", d.journal())
	}
}

// keep puts something among the logs.
func (d *desk) keep(file string, what any) {
	b, err := json.Marshal(what)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.dir, file), b, 0o600)
	}
	if err != nil {
		d.t.Log(err)
	}
}
