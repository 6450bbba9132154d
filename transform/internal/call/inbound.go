package call

import (
	"time"

	"ringstream/schemas/event"
)

// take decides what one event means for the call.
func (c *Call) take(s step) ([]event.Call, Verdict) {
	switch {
	case s.kind == unknown:
		if c.Phase != closed {
			c.learn(s)
		}
		return nil, UnknownType
	case s.kind.outbound():
		return c.outbound(s)
	case s.kind == recording:
		c.Last = s.stored
		return c.note(s, event.RecordingAvailable, event.Inbound)
	case !c.admits(s):
		return nil, AfterClose
	}
	c.learn(s)
	c.Last = s.stored
	if s.kind == callback {
		return c.note(s, event.CallbackRequested, event.Inbound)
	}
	c.Phase = open
	if s.user == "" {
		return nil, c.withoutUser(s)
	}
	return c.withUser(s)
}

// admits reports whether the event belongs to a life that is not closed; a
// ring or an answer that happened after the close opens a new one.
func (c *Call) admits(s step) bool {
	if c.Phase != closed {
		return !s.at.Before(c.Floor)
	}
	if s.user == "" || s.kind != allocated && s.kind != connected || !s.at.After(c.Floor) {
		return false
	}
	c.life = life{}
	for i := range c.Users {
		c.Users[i].spell = spell{}
	}
	return true
}

// note tells the user something that moves nobody.
func (c *Call) note(s step, t event.CallType, d event.Direction) ([]event.Call, Verdict) {
	if s.user == "" {
		return nil, Unexpected
	}
	u := event.User{UserID: s.user, UserName: c.nameOf(s.user, s.raw.UserName)}
	return c.emit(t, d, s.at, s.cause, u), Changed
}

// withoutUser takes what is said of a queue and of nobody in it.
func (c *Call) withoutUser(s step) Verdict {
	switch {
	case s.kind == disconnected:
		c.ending(s)
		if s.queue || s.remote() && !c.answered() {
			c.callerGone(s.at)
		}
	case !s.queue:
		return Unexpected
	}
	c.Cause = s.cause
	return Changed
}

// withUser takes a step of the table.
func (c *Call) withUser(s step) ([]event.Call, Verdict) {
	p := c.participant(s)
	if s.kind == coming {
		p.Owner = true
	}
	if s.kind == allocated && c.rangLate(p, s.at) {
		return nil, LateRing
	}
	next := inTime[p.State][s.kind]
	if c.isOvertaken(p, s) {
		next = overtaken[p.State][s.kind]
	}
	switch s.kind {
	case holdStart, holdEnd, transferStarted, transferCancelled:
		p.Mid = later(p.Mid, s.at)
	}
	if next.to == none || next.unrung && p.Rung {
		return nil, Unexpected
	}
	p.move(next.to, s.at)
	c.Cause = s.cause
	if next.do == nil {
		return nil, Changed
	}
	return next.do(c, p, s), Changed
}

// isOvertaken chooses the table. Once the caller has gone, only a ring or an
// answer can bring back somebody at rest: an overflow logged with the
// hang-up must not keep the call waiting.
func (c *Call) isOvertaken(p *participant, s step) bool {
	if p.State == none {
		return false
	}
	goneOn := p.State.rests() && !c.GoneAt.IsZero()
	switch s.kind {
	case coming, arrived, overflowed:
		return goneOn || s.at.Before(p.At)
	case transferStarted:
		return goneOn || s.at.Before(p.At) || s.at.Before(p.Mid)
	case holdStart, holdEnd, transferCancelled:
		return s.at.Before(p.At) || s.at.Before(p.Mid)
	case connected:
		// In one instant people answer and hang up, not the other way round.
		over := p.State == hungUp || p.State == handedOver
		return s.at.Before(p.At) || over && s.at.Equal(p.At)
	}
	return s.at.Before(p.At)
}

// rangLate makes somebody lost whose ring happened before an answer and is
// learned after it. Who is doing something since then goes on doing it.
func (c *Call) rangLate(p *participant, at time.Time) bool {
	if !c.answered() || !at.Before(c.AnsweredAt) || p.State.talks() {
		return false
	}
	if !p.State.rests() && !p.At.After(c.AnsweredAt) {
		p.move(lost, c.AnsweredAt)
	}
	return true
}

// participant finds or adds the user of a step. Who is first heard of after
// the caller went away is taken to have been away since then, so that a ring
// that happened before does not ring on.
func (c *Call) participant(s step) *participant {
	for i := range c.Users {
		if p := &c.Users[i]; p.ID == s.user {
			if p.Name == "" {
				p.Name = s.raw.UserName
			}
			return p
		}
	}
	p := participant{ID: s.user, Name: c.nameOf(s.user, s.raw.UserName)}
	if !c.GoneAt.IsZero() {
		p.move(left, c.GoneAt)
	}
	c.Users = append(c.Users, p)
	return &c.Users[len(c.Users)-1]
}

// tell emits one event to the user of the step, unless it would follow that
// user's ended or missed.
func tell(t event.CallType) func(*Call, *participant, step) []event.Call {
	return func(c *Call, p *participant, s step) []event.Call {
		if p.Told {
			return nil
		}
		return c.emit(t, event.Inbound, s.at, s.cause, p.user())
	}
}

// ring shows the call to the user.
func (c *Call) ring(p *participant, s step) []event.Call {
	if p.open() {
		return nil
	}
	p.Rung, p.Told = true, false
	return c.emit(event.Incoming, event.Inbound, s.at, s.cause, p.user())
}

// answer makes the user the one who answered, and everybody who was waiting
// for the call by then lose it. An answer that an already known one overtook
// is announced, but does not become the last.
func (c *Call) answer(p *participant, s step) []event.Call {
	var out []event.Call
	if !p.Told || p.State.talks() {
		out = c.ring(p, s)
	}
	for i := range c.Users {
		if q := &c.Users[i]; q != p && (q.State.waits() || q.State == ringing) && !q.At.After(s.at) {
			q.move(lost, s.at)
		}
	}
	if !s.at.Before(c.AnsweredAt) {
		c.AnsweredBy, c.AnsweredAt = p.ID, s.at
	}
	told := c.emit(event.Answered, event.Inbound, s.at, s.cause, c.openUsers()...)
	for i := range told {
		by := p.user()
		told[i].AnsweredBy = &by
	}
	return append(out, told...)
}

// answerBeforeTransfer: the transfer under way is a talker's after all.
func (c *Call) answerBeforeTransfer(p *participant, s step) []event.Call {
	p.Back = talking
	return c.answer(p, s)
}

// answerBeforeHangUp: the user had talked when the Disconnected came.
func (c *Call) answerBeforeHangUp(p *participant, s step) []event.Call {
	return append(c.answer(p, s), c.endTalk(p, s)...)
}

// answerBeforeHandOver: the user had talked before handing the call over.
func (c *Call) answerBeforeHandOver(p *participant, s step) []event.Call {
	return append(c.answer(p, s), c.dismiss(p, s)...)
}
