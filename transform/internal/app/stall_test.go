package app

import (
	"testing"
	"time"
)

// looks is a course of looks, each half a second after the one before.
type looks struct {
	course
	now time.Time
}

func newLooks() *looks { return &looks{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)} }

func (l *looks) pass(d time.Duration) { l.now = l.now.Add(d) }

// see looks for so long at what each look finds.
func (l *looks) see(d time.Duration, find func(n uint64) sight) {
	for n := range uint64(d / mergeInterval) {
		l.pass(mergeInterval)
		l.course = l.saw(l.now, find(n))
	}
}

func (l *looks) miss(d time.Duration) {
	for range d / mergeInterval {
		l.pass(mergeInterval)
		l.course = l.missed()
	}
}

func always(g sight) func(uint64) sight { return func(uint64) sight { return g } }

func TestWhenAMergeIsStalled(t *testing.T) {
	quiet, behind := always(sight{newest: 7, merged: 7}), always(sight{newest: 9, merged: 7})
	for _, c := range []struct {
		name    string
		story   func(*looks)
		stalled bool
		lag     time.Duration
	}{
		{"nothing seen", func(*looks) {}, false, 0},
		{"empty", func(l *looks) { l.see(time.Hour, always(sight{})) }, false, 0},
		{"quiet for long", func(l *looks) { l.see(time.Hour, quiet) }, false, 0},
		{"behind for a moment", func(l *looks) { l.see(time.Minute, quiet); l.see(2*time.Second, behind) }, false, 1500 * time.Millisecond},
		{"behind for too long", func(l *looks) { l.see(time.Minute, quiet); l.see(2500*time.Millisecond, behind) }, true, 2 * time.Second},
		{"behind since the first look", func(l *looks) { l.see(2500*time.Millisecond, behind) }, true, 2 * time.Second},
		{"behind, and the log goes on", func(l *looks) {
			l.see(10*time.Second, func(n uint64) sight { return sight{newest: 9 + n, merged: 7} })
		}, true, 9500 * time.Millisecond},
		{"slow but moving", func(l *looks) {
			l.see(time.Minute, func(n uint64) sight { return sight{newest: 1000, merged: 1 + n/4} })
		}, false, 59500 * time.Millisecond},
		{"busy, and always a little behind", func(l *looks) {
			l.see(time.Minute, func(n uint64) sight { return sight{newest: 9 * n, merged: 9*n - min(n, 1)} })
		}, false, 0},
		{"went on", func(l *looks) { l.see(time.Minute, behind); l.see(mergeInterval, always(sight{newest: 9, merged: 8})) }, false, time.Minute},
		{"went on and stopped again", func(l *looks) {
			l.see(time.Minute, behind)
			l.see(2500*time.Millisecond, always(sight{newest: 9, merged: 8}))
		}, true, time.Minute + 2*time.Second},
		{"nobody answers", func(l *looks) { l.see(time.Minute, behind); l.miss(time.Minute) }, false, 2*time.Minute - mergeInterval},
		{"nobody answered for a while", func(l *looks) {
			l.see(time.Second, behind)
			l.miss(time.Minute)
			l.see(1500*time.Millisecond, behind)
		}, false, 62 * time.Second},
		{"nobody answered in between", func(l *looks) {
			l.see(1500*time.Millisecond, behind)
			l.miss(time.Minute)
			l.see(2*time.Second, behind)
		}, true, 63 * time.Second},
		{"this replica itself stood still", func(l *looks) {
			l.see(time.Minute, quiet)
			l.pass(time.Hour)
			l.see(mergeInterval, behind)
		}, false, 0},
		{"a quiet log is not heard of", func(l *looks) { l.see(5*time.Second, always(sight{silent: 4 * time.Second})) }, true, 0},
		{"a quiet log is not heard of, as seen first", func(l *looks) { l.see(mergeInterval, always(sight{silent: time.Hour})) }, false, 0},
		{"a quiet log tells of itself late", func(l *looks) { l.see(time.Minute, always(sight{silent: 2900 * time.Millisecond})) }, false, 0},
		{"a log that did not answer is not heard of", func(l *looks) {
			l.miss(time.Minute)
			l.see(mergeInterval, always(sight{silent: time.Minute}))
		}, false, 0},
		{"a log that answers again is not heard of", func(l *looks) {
			l.miss(time.Minute)
			l.see(2*mergeInterval, always(sight{silent: time.Minute}))
		}, true, 0},
		{"not heard of, and then heard", func(l *looks) {
			l.see(time.Minute, always(sight{silent: time.Minute}))
			l.see(mergeInterval, always(sight{}))
		}, false, 0},
		{"stands, but this replica did as well", func(l *looks) {
			l.see(mergeInterval, behind)
			l.pass(time.Hour)
			l.see(mergeInterval, behind)
		}, false, time.Hour + mergeInterval},
		{"a log made anew", func(l *looks) { l.see(time.Minute, quiet); l.see(time.Minute, always(sight{newest: 2, merged: 7})) }, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLooks()
			c.story(l)
			if got := l.stalled(); got != c.stalled {
				t.Errorf("stalled: %t", got)
			}
			if got := l.lag(l.now); got != c.lag {
				t.Errorf("lag %v, want %v", got, c.lag)
			}
		})
	}
}

func TestWhatIsDoneAboutAStalledMerge(t *testing.T) {
	l := newLooks()
	l.see(time.Minute, always(sight{newest: 9, merged: 7}))
	asked := func(times int, before time.Duration) course {
		c := l.course
		for range times {
			c = c.asked(l.now.Add(-before))
		}
		return c
	}
	whole := chair{leads: time.Hour, replicas: 3, standby: 2}
	for _, c := range []struct {
		name string
		is   course
		lead chair
		want remedy
	}{
		{"goes on", course{}, whole, nothing},
		{"whole cluster", l.course, whole, stepDown},
		{"a node away", l.course, chair{leads: time.Hour, replicas: 3, standby: 1}, stepDown},
		{"two nodes away", l.course, chair{leads: time.Hour, replicas: 3}, thin},
		{"two of five away", l.course, chair{leads: time.Hour, replicas: 5, standby: 2}, stepDown},
		{"three of five away", l.course, chair{leads: time.Hour, replicas: 5, standby: 1}, thin},
		{"one of two away", l.course, chair{leads: time.Hour, replicas: 2}, thin},
		{"one replica", l.course, chair{leads: time.Hour, replicas: 1}, single},
		{"one server", l.course, chair{replicas: 1}, single},
		{"elected just now", l.course, chair{leads: firstTerm - 1, replicas: 3, standby: 2}, newTerm},
		{"not told since when", l.course, chair{replicas: 3, standby: 2}, newTerm},
		{"asked just now", asked(1, firstGap-1), whole, patient},
		{"asked a while ago", asked(1, firstGap), whole, stepDown},
		{"asked twice", asked(2, 2*firstGap-1), whole, patient},
		{"asked twice, a while ago", asked(2, 2*firstGap), whole, stepDown},
		{"asked in vain all day", asked(1000, longestGap-1), whole, patient},
		{"asked in vain, but not given up", asked(1000, longestGap), whole, stepDown},
	} {
		if got := judge(l.now, c.is, c.lead); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// An attempt that got the merge going for a moment only is one in vain: on a
// server that is merely slow, elections must not go on and on.
func TestAttemptsCountUntilCallsHasCaughtUp(t *testing.T) {
	l := newLooks()
	l.see(time.Minute, always(sight{newest: 99, merged: 7}))
	l.course = l.asked(l.now)
	l.see(time.Minute, func(n uint64) sight { return sight{newest: 999, merged: 8 + n} })
	if l.tries != 1 {
		t.Errorf("%d attempts are counted before CALLS has caught up", l.tries)
	}
	l.see(time.Second, always(sight{newest: 999, merged: 999, silent: time.Hour}))
	if l.tries != 1 {
		t.Errorf("%d attempts are counted while the log is not heard of", l.tries)
	}
	l.see(time.Second, always(sight{newest: 999, merged: 999}))
	if l.tries != 0 {
		t.Errorf("%d attempts are counted after CALLS has caught up", l.tries)
	}
}

// However long a merge stands, its leader is replaced seldom.
func TestElectionsAreFew(t *testing.T) {
	l := newLooks()
	elections := 0
	for range time.Hour / mergeInterval {
		l.see(mergeInterval, always(sight{newest: 9, merged: 7}))
		if judge(l.now, l.course, chair{leads: time.Hour, replicas: 3, standby: 2}) == stepDown {
			l.course = l.asked(l.now)
			elections++
		}
	}
	if elections < 10 || elections > 20 {
		t.Errorf("%d elections in an hour", elections)
	}
}
