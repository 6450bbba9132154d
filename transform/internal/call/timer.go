package call

import (
	"time"

	"ringstream/schemas/event"
)

// Tick fires everything that is due at stored time now.
func (c *Call) Tick(now time.Time, lim Limits) []event.Call {
	now = instant(now)
	var out []event.Call
	if due := c.closeDue(lim); !due.IsZero() && !now.Before(due) {
		out = c.expire(now, lim)
	}
	for i := range c.Legs {
		if due := c.legDue(c.Legs[i], lim); !due.IsZero() && !now.Before(due) {
			out = append(out, c.expireLeg(&c.Legs[i], now)...)
		}
	}
	return out
}

// Due is the stored time of the next timer or of being forgotten; zero when
// there is none.
func (c *Call) Due(lim Limits) time.Time {
	due := c.closeDue(lim)
	for _, l := range c.Legs {
		due = earlier(due, c.legDue(l, lim))
	}
	if due.IsZero() && !c.Open() && !c.Resting.IsZero() {
		return c.Resting.Add(lim.Memory)
	}
	return due
}

// Forgotten reports that nothing of the call needs to be remembered any more.
func (c *Call) Forgotten(now time.Time, lim Limits) bool {
	return !c.Open() && !c.Resting.IsZero() && !now.Before(c.Resting.Add(lim.Memory))
}

// watchSettle starts or stops the settle time after an event: it runs while
// nobody is active and the call may be over.
func (c *Call) watchSettle(stored time.Time) {
	switch {
	case c.Phase != open || c.active() || !c.answered() && !c.Hung:
		c.Settling = time.Time{}
	case c.Settling.IsZero():
		c.Settling = stored
	}
}

// closeDue is when the inbound side closes if nothing more is heard.
func (c *Call) closeDue(lim Limits) time.Time {
	if c.Phase != open {
		return time.Time{}
	}
	limit := lim.Ring
	if c.answered() {
		limit = lim.Talk
	}
	return earlier(c.settleDue(lim), c.Last.Add(limit))
}

func (c *Call) settleDue(lim Limits) time.Time {
	if c.Settling.IsZero() {
		return time.Time{}
	}
	return c.Settling.Add(lim.Settle)
}

func (c *Call) expire(now time.Time, lim Limits) []event.Call {
	how := closing{t: c.outcome(), at: c.EndAt, stored: now, cause: c.Cause}
	if due := c.settleDue(lim); due.IsZero() || now.Before(due) {
		how.at, how.inferred = now, true
	}
	return c.close(how)
}

// earlier returns the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
