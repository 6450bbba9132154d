package explain

import (
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// Step is what one raw event, or a time limit, did to the call.
type Step struct {
	At      time.Time
	Seq     uint64 // in RTE; 0: a time limit
	Verdict call.Verdict
	Moves   []Move
	Told    []event.Call
}

// Move is one user's transition.
type Move struct {
	User     event.User `json:"user"`
	Outbound bool       `json:"outbound,omitempty"`
	From     string     `json:"from"`
	To       string     `json:"to"`
}

// Tracer folds the raw events of one call as transform does, and tells each step.
// Time limits fire by themselves.
type Tracer struct {
	call   *call.Call
	limits call.Limits
}

// NewTracer begins with a call of which nothing has been heard.
func NewTracer(callID string, limits call.Limits) *Tracer {
	return &Tracer{call: call.New(callID), limits: limits}
}

// Trace tells all steps of a call up to now.
func Trace(callID string, raw []Heard, limits call.Limits, now time.Time) (steps []Step) {
	t := NewTracer(callID, limits)
	for _, h := range raw {
		steps = append(steps, t.Hear(h)...)
	}
	return append(steps, t.Until(now)...)
}

// Hear takes the next event, behind the time limits that were due before it.
func (t *Tracer) Hear(h Heard) []Step {
	steps := t.Until(h.Stored)
	was := t.call.Standings()
	told, verdict := t.call.Apply(h.Raw, h.Stored, t.limits)
	return append(steps, Step{At: h.Stored, Seq: h.Seq, Verdict: verdict, Moves: moves(was, t.call.Standings()), Told: told})
}

// Until fires the time limits that are due by then.
func (t *Tracer) Until(end time.Time) (steps []Step) {
	for due := t.call.Due(t.limits); !due.IsZero() && !due.After(end) && !t.Forgotten(due); due = t.call.Due(t.limits) {
		was := t.call.Standings()
		told := t.call.Tick(due, t.limits)
		steps = append(steps, Step{At: due, Moves: moves(was, t.call.Standings()), Told: told})
	}
	return steps
}

// Forgotten reports whether the call counts for nothing any more.
func (t *Tracer) Forgotten(at time.Time) bool { return t.call.Forgotten(at, t.limits) }

func moves(was, is []call.Standing) []Move {
	var all []Move
	for _, s := range is {
		from := "none"
		for _, w := range was {
			if w.User.UserID == s.User.UserID && w.Outbound == s.Outbound {
				from = w.State
			}
		}
		if from != s.State {
			all = append(all, Move{User: s.User, Outbound: s.Outbound, From: from, To: s.State})
		}
	}
	return all
}

// told reports whether the step did or said anything.
func (s Step) told() bool { return len(s.Moves)+len(s.Told) > 0 }

// Concerns lists whom a step moved, or had told.
func (s Step) Concerns() (all []event.User) {
	for _, m := range s.Moves {
		all = append(all, m.User)
	}
	for _, c := range s.Told {
		all = append(all, c.Audience...)
	}
	return all
}
