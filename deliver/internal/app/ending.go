package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
)

// finish takes nothing new, waits for the requests under way, and saves. While one
// of them hangs everybody else is served as before: nobody else would do it.
func (t *term) finish() error {
	limit := t.now().Add(t.drain)
	for t.memory.Flying() > 0 {
		left := limit.Sub(t.now())
		if left <= 0 {
			t.log.Warn("requests under way are broken off", "requests", t.memory.Flying())
			break
		}
		wait := t.rest
		if t.memory.Stuck(t.now()) && left > t.drain/lastWait {
			wait = func(time.Duration) error { return t.turn(nil) }
		}
		if err := wait(min(left, restLook)); err != nil {
			return err
		}
	}
	t.budget.slots.follow()
	ctx, cancel := context.WithTimeout(t.ctx, lastAnswer)
	defer cancel()
	t.budget.slots.idle(ctx)
	t.snapshot(t.certain())
	return nil
}

// certain reports whether nothing behind this term was sent by one before it: what
// may have been must have been taken in, which marks it.
func (t *term) certain() bool { return t.memory.doubt.IsZero() || t.memory.in >= t.doubted }

const (
	lastWait   = 4                      // the part of the drain in which nothing is taken any more
	restLook   = 100 * time.Millisecond // between looks whether a request hangs
	lastAnswer = time.Second            // for one about tokens or negotiators; what takes longer is left to the next, and told
)

// rest takes in what came of one of the requests under way, or nothing for a while.
func (t *term) rest(while time.Duration) error {
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case r := <-t.reports:
		t.report(r)
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	case <-timer.C:
	}
	return nil
}

// end takes the term down and returns what Reapit has answered and the log does
// not have, as far as is known.
func (t *term) end(err error, breakOff func()) (left []schedule.Record) {
	if errors.Is(err, bus.ErrFenced) {
		left = t.answers()
	}
	t.cancel(nil)
	breakOff()
	t.workers.Wait() // before the journal, which they do not use
	t.journal.close()
	return slices.DeleteFunc(append(t.journal.left, left...), func(r schedule.Record) bool { return !r.Answered() })
}

// aftermath is for how long a term that has lost its log waits for answers. Calls
// that ring meanwhile wait, too.
const aftermath = 4 * time.Second

// answers waits for the requests under way and returns how deliveries ended.
func (t *term) answers() (ended []schedule.Record) {
	late := time.NewTimer(aftermath)
	defer late.Stop()
	for t.memory.Flying() > 0 {
		select {
		case r := <-t.reports:
			ended = append(ended, t.memory.Result(r)...)
		case <-t.posts.Done():
			return ended
		case <-late.C:
			return ended
		}
	}
	return ended
}
