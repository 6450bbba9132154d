package explain

import (
	"time"

	"ringstream/schemas/event"
)

// Cause says in one word, or two, what became of a call on somebody's screen.
// Those of an outcome are its type and its cause: "expired-limits".
type Cause string

// The causes that no outcome states.
const (
	CauseTold      Cause = "told"           // Reapit accepted it
	CauseInPart    Cause = "told-in-part"   // the ring, but not all that followed
	CauseShadowed  Cause = "shadowed"       // DELIVER_SHADOW
	CauseUnderWay  Cause = "under-way"      // deliver still has time
	CauseNoOutcome Cause = "no-outcome"     // and had
	CauseUntold    Cause = "not-in-calls"   // transform has not told it
	CauseDiverted  Cause = "diverted"       // RTE says why the phone did not ring
	CauseWithdrawn Cause = "withdrawn"      // before it rang
	CauseElsewhere Cause = "answered-first" // before it rang
	CauseNoRing    Cause = "never-rang"     // RTE does not say why
	CauseOutbound  Cause = "outbound"       // Reapit shows no such call
	CauseBeyond    Cause = "beyond-rte"     // RTE does not reach back
	CauseNoCall    Cause = "no-call"        // RTE told of none
	CauseUnwanted  Cause = "not-subscribed" // nobody listens to the user
	CauseUnheard   Cause = "hub-refuses"    // nobody may
	CauseUncovered Cause = "not-covered"    // nobody did
	CauseUnknown   Cause = "user-unknown"   // no stream names the user
	CauseNobody    Cause = "nobody"         // no event of the call names a user
)

// Verdict is what became of a call for one user.
type Verdict struct {
	User       event.User `json:"user,omitzero"`
	Negotiator string     `json:"negotiator,omitempty"`
	Customer   string     `json:"customer,omitempty"`
	Cause      Cause      `json:"cause"`
	Told       bool       `json:"told"`
	Sentence   string     `json:"sentence"`
	Check      []string   `json:"check,omitempty"` // what to look at next

	because string // the sentence without its beginning
}

// Deadlines are deliver's settings: for how long an event may be sent.
type Deadlines struct {
	Incoming time.Duration `envconfig:"DEADLINE_INCOMING" default:"30s" desc:"how long deliver may send an incoming call"`
	Answered time.Duration `envconfig:"DEADLINE_ANSWERED" default:"2m" desc:"how long deliver may send an answered call"`
	Ended    time.Duration `envconfig:"DEADLINE_ENDED" default:"10m" desc:"how long deliver may send an ended call"`
	Missed   time.Duration `envconfig:"DEADLINE_MISSED" default:"24h" desc:"how long deliver may send a missed call"`
}

func (d Deadlines) of(t event.CallType) time.Duration {
	switch t {
	case event.Incoming:
		return d.Incoming
	case event.Answered:
		return d.Answered
	case event.Ended:
		return d.Ended
	default:
		return d.Missed
	}
}

// Judge says what became of a call for everybody whom it concerns, those who
// were not told first.
func Judge(e Evidence, deadlines Deadlines) []Verdict {
	var not, told []Verdict
	for _, u := range e.Users() {
		if v := judge(e, u, deadlines); v.Told {
			told = append(told, v)
		} else {
			not = append(not, v)
		}
	}
	return append(not, told...)
}

// judge looks for the first place behind which nothing of the ring is found.
func judge(e Evidence, u event.User, deadlines Deadlines) Verdict {
	j := judging{e: e, deadlines: deadlines, v: Verdict{User: u}}
	j.v.Negotiator, j.v.Customer = e.negotiator(u.UserID)
	if rings := e.addressed(u.UserID, event.Incoming); len(rings) > 0 {
		return j.rung(rings)
	}
	if c, step, ok := e.untold(u.UserID); ok && !e.Cut {
		return j.untold(c, step)
	}
	if misses := e.addressed(u.UserID, event.Missed); len(misses) > 0 {
		return j.missed(misses[len(misses)-1])
	}
	return j.silent()
}

// judging is the work on one verdict.
type judging struct {
	e         Evidence
	deadlines Deadlines
	v         Verdict
}

// rung judges the last ring that was not told, or else the last one.
func (j judging) rung(rings []Stored) Verdict {
	var v Verdict
	for _, r := range rings {
		if one := j.event(r); v.Sentence == "" || !one.Told || v.Told {
			v = one
		}
	}
	if v.Cause == CauseTold {
		return j.rest(v)
	}
	return v
}

// rest adds what became of the events behind a ring that was told.
func (j judging) rest(v Verdict) Verdict {
	for _, t := range []event.CallType{event.Answered, event.Ended, event.Missed} {
		for _, s := range j.e.addressed(v.User.UserID, t) {
			o, ended := j.e.outcome(s.Call.EventID(), v.User.UserID)
			if ended && (o.Outcome.Outcome == event.Delivered || o.Outcome.Outcome == event.Superseded) {
				continue
			}
			later := j.event(s)
			if later.Cause == CauseUnderWay {
				continue
			}
			return j.say(CauseInPart, false, " was told of the ring, but not of what followed: ", later.because, later.Check...)
		}
	}
	return v
}

// missed judges the miss of somebody whose phone never rang.
func (j judging) missed(s Stored) Verdict {
	why, miss := j.silent(), j.event(s)
	because := why.because + "; of the missed call it "
	if miss.Told {
		because += "was told: " + miss.because
	} else {
		because += "was not told either: " + miss.because
		why.Check = append(why.Check, miss.Check...)
	}
	return j.say(why.Cause, false, " did not pop: ", because, why.Check...)
}

// event judges what became of one call event.
func (j judging) event(s Stored) Verdict {
	o, ended := j.e.outcome(s.Call.EventID(), j.v.User.UserID)
	if !ended {
		return j.waiting(s)
	}
	switch o.Outcome.Outcome {
	case event.Delivered:
		return j.delivered(s, o)
	case event.Shadowed:
		return j.shadowed(o)
	case event.Expired:
		return j.expired(s, o)
	case event.Superseded:
		return j.superseded(o)
	case event.Unmapped:
		return j.unmapped(o)
	default: // rejected, dead
		return j.refused(s, o)
	}
}

// silent judges a call that was never to be shown to the user.
func (j judging) silent() Verdict {
	heard := j.e.of(j.v.User.UserID)
	switch {
	case j.e.Cut || len(heard) == 0:
		return j.beyond()
	case outboundOnly(heard):
		return j.outbound()
	}
	if why, ok := diverted(heard); ok {
		return j.diverted(why)
	}
	if by, ok := j.e.answer(); ok && by.AnsweredBy.UserID != j.v.User.UserID {
		return j.elsewhere(by)
	}
	return j.noRing(heard)
}
