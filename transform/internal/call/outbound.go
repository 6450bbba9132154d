package call

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// legState is what a caller of ours is doing. The numbers are part of the
// snapshot format.
type legState uint8

const (
	legNone legState = iota
	dialling
	linked
	legHeld
	legEnded
	numLegStates
)

var legNames = [numLegStates]string{"none", "dialling", "connected", "held", "ended"}

func (s legState) String() string { return legNames[s] }

// leg is a user on the outbound side, in the order of first appearance.
type leg struct {
	ID    string
	Name  string
	State legState
}

func (l leg) open() bool { return l.State != legNone && l.State != legEnded }

// legCell is one step of an outbound leg. Its states only move forward, so
// that a step heard too late is simply missing here.
type legCell struct {
	to legState
	t  event.CallType
}

var legSteps = [numLegStates][numOutSteps]legCell{
	legNone: {
		outGoing:        {dialling, event.Outgoing},
		outConnected:    {linked, event.Connected},
		outDisconnected: {legEnded, event.Ended},
	},
	dialling: {
		outConnected:    {linked, event.Connected},
		outDisconnected: {legEnded, event.Ended},
	},
	linked: {
		outHoldStart:    {legHeld, event.Held},
		outDisconnected: {legEnded, event.Ended},
	},
	legHeld: {
		outHoldEnd:      {linked, event.Resumed},
		outDisconnected: {legEnded, event.Ended},
	},
}

// outbound takes a step of the user's own call.
func (c *Call) outbound(s step) ([]event.Call, Verdict) {
	c.learn(s)
	c.Last = s.stored
	if s.kind == outRecording {
		return c.note(s, event.RecordingAvailable, event.Outbound)
	}
	if s.user == "" {
		return nil, Unexpected
	}
	l := c.leg(s)
	next := legSteps[l.State][s.kind]
	switch {
	case l.State == legEnded:
		return nil, AfterClose
	case next.to == legNone:
		return nil, Unexpected
	}
	c.Cause = s.cause
	return c.moveLeg(l, next, closing{at: s.at, stored: s.stored, cause: s.cause}), Changed
}

func (c *Call) moveLeg(l *leg, next legCell, how closing) []event.Call {
	l.State = next.to
	if next.to == legEnded {
		c.Resting = how.stored
	}
	out := c.emit(next.t, event.Outbound, how.at, how.cause, l.user())
	for i := range out {
		out[i].Inferred = how.inferred
	}
	return out
}

// leg finds or adds the user of a step.
func (c *Call) leg(s step) *leg {
	i := slices.IndexFunc(c.Legs, func(l leg) bool { return l.ID == s.user })
	if i < 0 {
		i = len(c.Legs)
		c.Legs = append(c.Legs, leg{ID: s.user})
	}
	l := &c.Legs[i]
	if l.Name == "" {
		l.Name = c.nameOf(s.user, s.raw.UserName)
	}
	return l
}

// legDue is when the leg has ended if nothing more is heard. One that is
// connected, or whose callee has answered, may talk.
func (c *Call) legDue(l leg, lim Limits) time.Time {
	if !l.open() {
		return time.Time{}
	}
	if l.State == dialling && (c.Phase != open || !c.answered()) {
		return c.Last.Add(lim.Ring)
	}
	return c.Last.Add(lim.Talk)
}

func (c *Call) expireLeg(l *leg, now time.Time) []event.Call {
	how := closing{at: now, stored: now, inferred: true, cause: c.Cause}
	return c.moveLeg(l, legCell{legEnded, event.Ended}, how)
}
