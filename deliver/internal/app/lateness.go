package app

import "time"

// lateness is how late call events are taken in. Whoever could not hear for a while
// is told everything at once, and first that it rings, then that it does not any more:
// nothing is sent as long as more comes.
type lateness struct {
	least time.Duration // which is what the clocks differ by, and a little
	known bool
	since time.Time // when the first of those came that are taken in late, one after the other
	last  time.Time // when the last one did
}

const (
	// tardy is how much later than others a call event must come to be late.
	tardy = 250 * time.Millisecond
	// silence is how long nothing more may come of what was late. What a server
	// has to tell follows itself within a few milliseconds.
	silence = 20 * time.Millisecond
	// longestWait is for how long nothing is sent, at most, though more comes.
	longestWait = time.Second
)

// took notes that a call event which was stored at a time, by the server's clock, is
// taken in now.
func (l *lateness) took(stored, now time.Time) {
	by := now.Sub(stored)
	if !l.known || by < l.least {
		l.least, l.known = by, true
	}
	switch {
	case by-l.least <= tardy:
		l.last = time.Time{}
	case now.Sub(l.last) > silence:
		l.since, l.last = now, now
	default:
		l.last = now
	}
}

// wait is how long nothing is to be sent, unless more comes.
func (l *lateness) wait(now time.Time) time.Duration {
	if l.last.IsZero() {
		return 0
	}
	return max(0, min(l.last.Add(silence).Sub(now), l.since.Add(longestWait).Sub(now)))
}
