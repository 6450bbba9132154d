package app

import (
	"math"
	"slices"
	"time"
)

// window counts the requests that Reapit may count in the second that is
// running: those under way, and those that ended within the last second. When
// a request arrived is known only to lie between its start and its end, so
// whatever the network does to it, no second of Reapit's has more than limit.
// It has no clock.
type window struct {
	limit int
	span  time.Duration
	open  int
	ended []time.Time
}

// newWindow admits perSecond in any second; less than one is one in a longer time.
func newWindow(perSecond float64) window {
	if perSecond < 1 {
		return window{limit: 1, span: time.Duration(float64(time.Second) / perSecond)}
	}
	return window{limit: int(math.Floor(perSecond)), span: time.Second}
}

// enter counts a request in, or tells how long to wait at least; zero is until
// another one ends.
func (w *window) enter(now time.Time) (wait time.Duration, ok bool) {
	free, wait := w.room(now)
	if free <= 0 {
		return wait, false
	}
	w.open++
	return 0, true
}

// room is how many may enter, and after what wait one more may.
func (w *window) room(now time.Time) (free int, wait time.Duration) {
	for len(w.ended) > 0 && now.Sub(w.ended[0]) >= w.span {
		w.ended = w.ended[1:]
	}
	if len(w.ended) > 0 {
		wait = w.span - now.Sub(w.ended[0])
	}
	return w.limit - w.open - len(w.ended), wait
}

// inherit takes as many requests for made as there may be, by somebody else, the
// last of them at a time.
func (w *window) inherit(last time.Time) {
	for w.open+len(w.ended) < w.limit {
		w.ended = append(w.ended, last)
	}
	slices.SortFunc(w.ended, time.Time.Compare)
}

// correct takes what is known of somebody else's requests in the place of what was
// assumed of them, at a time.
func (w *window) correct(assumed time.Time, known []time.Time) {
	w.ended = slices.DeleteFunc(w.ended, assumed.Equal)
	w.ended = append(w.ended, known...)
	slices.SortFunc(w.ended, time.Time.Compare)
}

// leave is told when a request ended.
func (w *window) leave(now time.Time) {
	w.open--
	w.ended = append(w.ended, now)
}
