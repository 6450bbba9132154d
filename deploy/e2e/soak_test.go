//go:build linux

package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

var (
	soakFor  = flag.Duration("soak", 0, "how long the fleet works undisturbed; 0: a few seconds")
	soakRate = flag.Float64("soak.rate", 500, "raw events a second meanwhile")
	soakSeed = flag.Uint64("soak.seed", 0, "which calls; 0 takes new ones")
)

// soak is how a run goes.
type soak struct {
	lasts, every time.Duration
	rate         float64
	window       time.Duration
	mix          mix
	closed       time.Duration // CLOSED_MEMORY
}

// ofCalls: one in so many events is of a call, the others are what people do with
// their phones. More calls than that would be more than Reapit takes.
const ofCalls = 8

// filled adds events of no call, up to so many a second in all.
func (s shift) filled(rate float64, o office) shift {
	others := int(rate*s.window.Seconds()) - s.raw
	var text strings.Builder
	text.WriteString(s.text + "-- call --\n")
	for n := range others {
		fmt.Fprintf(&text, "+%v UserStatus user=%s\n", s.window*time.Duration(n)/time.Duration(others), o.staff[n%len(o.staff)].UserName)
	}
	s.text = text.String()
	s.raw += others
	return s
}

// usualSoak has transform remember closed calls for no longer than a sixth of the
// run, if that is short: memory that is still being filled cannot be flat. In an
// hour it is what it is by default, and everybody's is full before the second quarter.
func usualSoak(lasts time.Duration) soak {
	m := mix{group: 3, direct: 0.6, missed: 0.3, strangers: 0.05, ring: [2]time.Duration{3 * time.Second, 8 * time.Second}, talk: [2]time.Duration{3 * time.Second, 12 * time.Second}}
	s := soak{lasts: lasts, every: 10 * time.Second, rate: *soakRate, window: 10 * time.Second, mix: m, closed: min(10*time.Minute, max(lasts/6, 10*time.Second))}
	if lasts == 0 {
		s.lasts, s.every, s.rate, s.window = 6*time.Second, 500*time.Millisecond, 400, 2*time.Second
		s.mix.ring, s.mix.talk = [2]time.Duration{time.Second, 2 * time.Second}, [2]time.Duration{time.Second, 2 * time.Second}
	}
	return s
}

// TestSoak: the whole fleet works for as long as is asked, and replay watch looks on.
// It finds nothing, and no process needs more memory, goroutines or files in the
// end than when the run had settled.
func TestSoak(t *testing.T) {
	t.Parallel() // most of it is waiting
	seed, s := *soakSeed, usualSoak(*soakFor)
	if seed == 0 {
		seed = rand.Uint64() >> 32
	}
	t.Logf("-soak=%v -soak.rate=%v -soak.seed=%d", s.lasts, s.rate, seed)
	o := newOffice(1, "SBOX", 60)
	calls := drawShift(seed, s.rate/ofCalls, s.window, s.mix, o).filled(s.rate, o)
	p := rolled()
	p.rate, p.concurrency = int(s.rate)+100, 10
	f := newFleet(t, p, o)
	f.control("knobs", fmt.Sprintf(`{"rate":%d,"concurrency":%d,"daily":0}`, p.rate+readsAtStart, p.concurrency+readsAtStart), nil)
	f.settings[stack.Deliver] = append(f.settings[stack.Deliver], "REAPIT_DAILY=1000000000")
	f.settings[stack.Transform] = append(f.settings[stack.Transform], "CLOSED_MEMORY="+s.closed.String())
	f.open(binaries)
	watch := f.watch("CLOSED_MEMORY="+s.closed.String(), "--memory="+s.closed.String(), "--tenant="+o.organization+"="+o.customer)

	ctx, hush := context.WithTimeout(t.Context(), s.lasts)
	defer hush()
	var ringing sync.WaitGroup
	var windows []playing
	ringing.Go(func() { windows = f.ring(ctx, calls) })
	book := newUsage(append(f.everybody(), watch))
	for tick := time.NewTicker(s.every); ctx.Err() == nil; {
		select {
		case <-tick.C:
			book.take(f)
		case <-ctx.Done():
			tick.Stop()
		}
	}
	ringing.Wait()
	f.rung(windows[len(windows)-1])
	drain := f.drained(calls.deliveries*len(windows), 2*time.Minute)
	t.Logf("%d windows of %v with %d raw events each (%.0f a second), %d deliveries; drained within %v; %s gaps of coverage",
		len(windows), s.window, calls.raw, float64(calls.raw)/s.window.Seconds(), calls.deliveries*len(windows), drain.Round(time.Millisecond), watch.metric("ringstream_watch_gaps_total"))
	f.unbroken(watch)
	t.Log("\n" + book.table())
	if *soakFor == 0 {
		return
	}
	for _, grown := range book.grown() {
		t.Error(grown)
	}
}

// watch starts replay watch beside the fleet.
func (f *fleet) watch(settings ...string) *program {
	f.t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(f.t))
	var flags, env []string
	for _, s := range settings {
		if strings.HasPrefix(s, "--") {
			flags = append(flags, s)
		} else {
			env = append(env, s)
		}
	}
	w := f.program("replay-1", binaries+"/replay", "http://"+addr, slices.Concat(stack.Settings(f.as("replay")), []string{"HTTP_ADDR=" + addr}, f.deadlineSettings(), env)...)
	w.args = append([]string{"watch"}, flags...)
	w.start()
	f.eventually(time.Minute, w.name, w.ready)
	return w
}

// unbroken ends replay watch, when it has seen all outcomes. It has found nothing.
func (f *fleet) unbroken(watch *program) {
	f.t.Helper()
	f.eventually(time.Minute, "all to be looked at", func() bool { return watch.metric("ringstream_watch_awaited_outcomes") == "0" })
	watch.stop() // ends with 1 if it has found anything, and that fails the test
	text, err := os.ReadFile(watch.log)
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n0 violations in ") {
		f.t.Errorf("replay watch found\n%s", text)
	}
}

// everybody is every process whose use of the machine is promised to end somewhere.
func (f *fleet) everybody() (all []*program) {
	for _, service := range rolledOver {
		all = append(all, f.pods[service]...)
	}
	return all
}
