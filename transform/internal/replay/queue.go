package replay

import (
	"slices"
	"time"
)

// hold is how long a line waits for what was stored before it and is read later.
const hold = 150 * time.Millisecond

// queue puts the lines of several streams in the order in which they were stored.
type queue struct{ waiting []waiting }

type waiting struct {
	line
	since time.Time
}

func (q *queue) add(l line, now time.Time) {
	at := len(q.waiting)
	for at > 0 && q.waiting[at-1].At.After(l.At) {
		at--
	}
	q.waiting = slices.Insert(q.waiting, at, waiting{l, now})
}

// due takes those that have waited long enough, and what was stored before them.
func (q *queue) due(now time.Time) []line {
	n := 0
	for i, w := range q.waiting {
		if now.Sub(w.since) >= hold {
			n = i + 1
		}
	}
	return q.take(n)
}

func (q *queue) rest() []line { return q.take(len(q.waiting)) }

func (q *queue) take(n int) []line {
	taken := make([]line, n)
	for i, w := range q.waiting[:n] {
		taken[i] = w.line
	}
	q.waiting = q.waiting[n:]
	return taken
}
