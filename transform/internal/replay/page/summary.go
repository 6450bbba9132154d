package page

import (
	"cmp"
	"slices"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/replay/explain"
)

// Summary is a call in one line.
type Summary struct {
	Call, Organization string
	First              time.Time // stored
	Caller, Called     string    // in full
	Outbound           bool      // nobody is rung
	Group              bool
	Gap                bool // not all of it may have been heard
	State              State
	Screens            []Screen
	Deliveries         []Delivery
	Wait               time.Duration // the longest from hearing of a ring to its first POST; 0: there was none

	withheld bool // the caller
	settled  bool // time alone changes nothing any more
}

// Screen is what became of a call on one user's screen.
type Screen struct {
	User       event.User
	Negotiator string
	Cause      explain.Cause
	Told       bool
}

// Tone is how much what became of a screen matters.
type Tone string

// The tones.
const (
	Good    Tone = "good"    // told
	Waiting Tone = "waiting" // not yet
	Quiet   Tone = "quiet"   // not told, and there was nothing to tell, or it would have misled
	Bad     Tone = "bad"     // not told
)

// quiet are the causes that are as they should be.
var quiet = []explain.Cause{
	explain.CauseOutbound, explain.CauseElsewhere, explain.CauseDiverted, explain.CauseWithdrawn, explain.CauseShadowed,
}

// Tone of a screen.
func (s Screen) Tone() Tone { return toneOf(s.Cause, s.Told) }

func toneOf(c explain.Cause, told bool) Tone {
	switch {
	case told:
		return Good
	case c == explain.CauseUnderWay, c == explain.CauseUntold:
		return Waiting
	case slices.Contains(quiet, c), overtaken(c):
		return Quiet
	default:
		return Bad
	}
}

func overtaken(c explain.Cause) bool {
	kind := string(event.Superseded)
	return len(c) >= len(kind) && string(c[:len(kind)]) == kind
}

// missing reports whether somebody was to be told and was not.
func (s Screen) missing() bool {
	return !s.Told && s.Cause != explain.CauseOutbound && s.Tone() != Waiting
}

// Delivery is one outcome.
type Delivery struct {
	At         time.Time // when it ended
	Took       time.Duration
	Tried      bool // Took is until the first POST; otherwise, until it ended without one
	Type       event.CallType
	Outcome    event.OutcomeType
	Negotiator string
	Call       string
}

func (b *Book) summarize(r *record, now time.Time) Summary {
	e := r.evidence
	e.Now = now
	if !e.Cut {
		e.Steps = explain.Trace(e.Call, e.Raw, b.rules.Limits, now)
	}
	certain := b.overhear(&e)
	s := Summary{Call: e.Call, First: r.first, State: stateOf(e), Outbound: true}
	for _, c := range e.Events {
		s.about(c.Call.OrganizationID, c.Call.Caller, c.Call.Called)
		s.withheld = s.withheld || c.Call.CallerWithheld
		s.Group, s.Gap = s.Group || c.Call.HuntGroup, s.Gap || c.Call.Coverage == event.Gap
		s.Outbound = s.Outbound && c.Call.Direction == event.Outbound
	}
	for _, h := range e.Raw {
		caller := h.Raw.CallerNumber
		if s.withheld {
			caller = ""
		}
		s.about(h.Raw.OrganizationID, caller, h.Raw.TargetNumber)
	}
	s.settled = s.State.over() && certain
	for _, v := range explain.Judge(e, b.rules.Deadlines) {
		one := Screen{User: v.User, Negotiator: v.Negotiator, Cause: v.Cause, Told: v.Told}
		s.Screens = append(s.Screens, one)
		s.settled = s.settled && one.Tone() != Waiting
		s.Outbound = s.Outbound && v.Cause == explain.CauseOutbound
	}
	s.Outbound = s.Outbound && len(s.Screens) > 0
	for _, o := range e.Outcomes {
		d := delivery(e, o)
		s.Deliveries = append(s.Deliveries, d)
		if d.Type == event.Incoming && d.Tried {
			s.Wait = max(s.Wait, d.Took)
		}
	}
	return s
}

func (s *Summary) about(organization, caller, called string) {
	s.Organization, s.Caller, s.Called = cmp.Or(s.Organization, organization), cmp.Or(s.Caller, caller), cmp.Or(s.Called, called)
}

// delivery says how long an outcome took since ringstream heard of the call event.
func delivery(e explain.Evidence, o explain.Ended) Delivery {
	since := o.ReceivedAt
	for _, s := range e.Events {
		if s.Call.EventID() == o.EventID {
			since = explain.HeardAt(s)
		}
	}
	end, tried := o.FinishedAt, o.Attempts > 0
	if o.FirstTriedAt != nil {
		end = *o.FirstTriedAt
	}
	return Delivery{
		At: o.FinishedAt, Took: max(0, end.Sub(since)), Tried: tried, Type: o.Type, Outcome: o.Outcome.Outcome, Negotiator: o.NegotiatorID, Call: o.CallID,
	}
}
