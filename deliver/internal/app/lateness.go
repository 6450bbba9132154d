package app

import "time"

// lateness is how late call events are taken in. Whoever could not hear for a while
// is told everything at once, and first that it rings, then that it does not any more:
// nothing is to be sent before all of it is taken in.
type lateness struct {
	least time.Duration // which is what the clocks differ by, and a little
	known bool
	late  bool // the last one was
}

// tardy is how much later than others a call event must come to be late.
const tardy = 250 * time.Millisecond

// took notes that a call event which was stored at a time, by the server's clock, is
// taken in now, and reports whether it is the first one that is late.
func (l *lateness) took(stored, now time.Time) (first bool) {
	by := now.Sub(stored)
	if !l.known || by < l.least {
		l.least, l.known = by, true
	}
	was := l.late
	l.late = by-l.least > tardy
	return l.late && !was
}
