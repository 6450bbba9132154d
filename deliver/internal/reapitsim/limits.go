package reapitsim

import (
	"sync"
	"time"
)

type refusal string

const (
	admitted           refusal = ""
	refusedDaily       refusal = "daily"
	refusedRate        refusal = "rate"
	refusedConcurrency refusal = "concurrency"
)

// limits are those of one application, which is all that a Sim has.
type limits struct {
	mu     sync.Mutex
	day    time.Time
	today  int
	recent []time.Time // admitted within the last second
	taken  map[string]int
	leaked map[string][]time.Time
}

func newLimits() *limits {
	l := &limits{taken: map[string]int{}}
	l.reset()
	return l
}

// reset keeps the slots of requests that are still under way.
func (l *limits) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.day, l.today, l.recent, l.leaked = time.Time{}, 0, nil, map[string][]time.Time{}
}

// admit takes a slot, which leave gives back, unless it says why not.
func (l *limits) admit(now time.Time, customer string, k Knobs) refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now, customer, k.RateWindow)
	switch {
	case k.Daily > 0 && l.today >= k.Daily:
		return refusedDaily
	case k.Rate > 0 && len(l.recent) >= k.Rate:
		return refusedRate
	case k.Concurrency > 0 && l.taken[customer]+len(l.leaked[customer]) >= k.Concurrency:
		return refusedConcurrency
	}
	l.today++
	l.recent = append(l.recent, now)
	l.taken[customer]++
	return admitted
}

func (l *limits) forget(now time.Time, customer, window string) {
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(l.day) {
		l.day, l.today = day, 0
	}
	since := now.Add(-time.Second)
	if window == "fixed" {
		since = now.Truncate(time.Second).Add(-1)
	}
	l.recent = after(l.recent, since)
	l.leaked[customer] = after(l.leaked[customer], now)
}

// leave gives the slot back; with a time it stays taken until then.
func (l *limits) leave(customer string, leakUntil time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[customer]--
	if !leakUntil.IsZero() {
		l.leaked[customer] = append(l.leaked[customer], leakUntil)
	}
}

// after drops what is not after the limit, in place.
func after(times []time.Time, limit time.Time) []time.Time {
	kept := times[:0]
	for _, t := range times {
		if t.After(limit) {
			kept = append(kept, t)
		}
	}
	return kept
}
