package schedule

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// redriven is the newest redrive of a delivery that was taken on.
type redriven struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
}

// Why a redrive is refused.
const (
	callUnknown = "the call is over"
	laterKnown  = "a later event of the call came since"
	tooLate     = "its deadline has passed: it is not sent later than "
)

// Redrive takes on a delivery that has ended before, when somebody has it tried
// again, or tells why it is not to be sent any more. A redrive that was taken on
// before is taken for done. With dry it only tells. What is taken on must be
// stored before anything else is sent.
func (s *Schedule) Redrive(d Delivery, now time.Time, dry bool) (refused string) {
	d.Redriven = now
	key := outcomeID(d.Call.EventID(), d.Negotiator, d.Users, 0)
	if s.state.Redriven[key].Number >= d.Redrive {
		return ""
	}
	c := s.state.Calls[d.Call.CallID]
	if refused = s.pointless(c, &d, now); refused != "" || dry {
		return refused
	}
	if c == nil {
		c = &call{Who: map[string]string{}, Lanes: map[string]*lane{}, Seen: []int{d.Call.Sequence}, Last: s.state.Newest, Silent: s.state.Silent}
		s.state.Calls[d.Call.CallID] = c
	}
	s.state.Redriven[key] = redriven{d.Redrive, now}
	l := c.lane(d.Customer, d.Negotiator, &d)
	l.Queue = append(l.Queue, &d)
	s.agenda.touch(l)
	return ""
}

// pointless tells why a redrive would mislead: only the newest event of a call
// says how it stands, and of a call that nobody knows any more only that it was
// missed.
func (s *Schedule) pointless(c *call, d *Delivery, now time.Time) string {
	newer := func(sequence int) bool { return sequence > d.Call.Sequence }
	switch {
	case c != nil && slices.ContainsFunc(c.Seen, newer):
		return laterKnown
	case !now.Before(s.deadline(d)):
		return tooLate + s.deadlines[d.Call.Type].String()
	case c == nil && d.Call.Type != event.Missed:
		return callUnknown
	default:
		return ""
	}
}

// sweepRedriven forgets what the log has long had the outcome of: whoever asks
// for the same again has looked there.
func (s *Schedule) sweepRedriven(now time.Time) {
	for key, r := range s.state.Redriven {
		if now.Sub(r.At) > 2*s.deadlines[event.Missed]+openMemory {
			delete(s.state.Redriven, key)
		}
	}
}
