package call

import (
	"time"

	"ringstream/schemas/event"
)

func (c *Call) answered() bool { return c.AnsweredBy != "" }

// active reports whether the call goes on by way of some user other than by
// what may still be learned.
func (c *Call) active() bool {
	for i := range c.Users {
		s := c.Users[i].State
		if s.talks() || s == ringing || s.waits() && !c.answered() {
			return true
		}
	}
	return false
}

// ending notes when the call may have ended.
func (c *Call) ending(s step) {
	c.EndAt = later(c.EndAt, s.at)
	c.Hung = c.Hung || s.kind == disconnected
}

// hangUp is the Disconnected of a talker.
func (c *Call) hangUp(p *participant, s step) []event.Call {
	c.ending(s)
	return c.endTalk(p, s)
}

// endTalk closes the call with its talker, unless somebody else goes on.
func (c *Call) endTalk(p *participant, s step) []event.Call {
	if c.active() {
		return c.dismiss(p, s)
	}
	return c.close(closing{t: event.Ended, at: c.EndAt, stored: s.stored, cause: s.cause})
}

// handOver is the TransferConnected of a talker; whether the call goes on
// shows within the settle time.
func (c *Call) handOver(p *participant, s step) []event.Call {
	c.ending(s)
	return c.dismiss(p, s)
}

// passOn is the TransferConnected of somebody who had not talked.
func (c *Call) passOn(_ *participant, s step) []event.Call {
	c.ending(s)
	return nil
}

// depart is the Disconnected of somebody who was not talking.
func (c *Call) depart(p *participant, s step) []event.Call {
	c.departEarlier(p, s)
	if c.answered() {
		return c.dismiss(p, s)
	}
	return nil
}

// departEarlier is a Disconnected that the user's own later steps overtook:
// it still says that the caller went away.
func (c *Call) departEarlier(_ *participant, s step) []event.Call {
	c.ending(s)
	if s.remote() && !c.answered() {
		c.callerGone(s.at)
	}
	return nil
}

// dismiss ends the call for one user, when that user came to rest.
func (c *Call) dismiss(p *participant, s step) []event.Call {
	if !p.open() {
		return nil
	}
	p.Told = true
	return c.emit(event.Ended, event.Inbound, p.At, s.cause, p.user())
}

// callerGone makes everybody leave who was waiting for the call by then.
func (c *Call) callerGone(at time.Time) {
	c.GoneAt = later(c.GoneAt, at)
	for i := range c.Users {
		p := &c.Users[i]
		if !p.State.rests() && !p.State.talks() && !p.At.After(at) {
			p.move(left, at)
		}
	}
}

// closing is how a life ends.
type closing struct {
	t        event.CallType // ended or missed
	at       time.Time
	stored   time.Time
	inferred bool
	cause    event.Cause
}

// close ends the life, and tells whom it concerns: an answered call everybody
// who still has it on the screen, a missed one also the owners.
func (c *Call) close(how closing) []event.Call {
	var audience []event.User
	for i := range c.Users {
		p := &c.Users[i]
		missed := how.t == event.Missed
		if !p.open() && (!missed || !p.Owner || p.MissTold) {
			continue
		}
		p.Told = true
		p.MissTold = p.MissTold || missed
		audience = append(audience, p.user())
	}
	out := c.emit(how.t, event.Inbound, how.at, how.cause, audience...)
	for i := range out {
		out[i].Inferred = how.inferred
	}
	c.Phase, c.Floor, c.Settling = closed, how.at, time.Time{}
	c.Resting = how.stored
	return out
}

// outcome is what a close that nobody announced makes of the life.
func (c *Call) outcome() event.CallType {
	if c.answered() {
		return event.Ended
	}
	return event.Missed
}
