package schedule

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// Why nobody in an event is a negotiator whose deadline passed first.
const (
	notLoaded = "not-loaded"
	notKnown  = "the negotiators of the customer were not known in time"
)

// mostUnresolved bounds what one customer whose list cannot be had may cost. It
// is more than one has within a deadline.
const mostUnresolved = 50_000

// lapsePause is the least time between two looks for what is late.
const lapsePause = time.Second

// unresolved is an event of which nobody can tell yet whom it is for.
type unresolved struct {
	Call        event.Call `json:"call"`
	Position    uint64     `json:"position"`
	Received    time.Time  `json:"received"`
	Traceparent string     `json:"traceparent,omitempty"`
	Customer    string     `json:"customer,omitempty"`
	Region      string     `json:"region,omitempty"`
	Doubt       bool       `json:"doubt,omitempty"`
}

func (u *unresolved) offer(now time.Time) Offer {
	return Offer{
		Call: u.Call, Position: u.Position, Received: u.Received, Traceparent: u.Traceparent,
		Customer: u.Customer, Region: u.Region, Doubt: u.Doubt, Now: now,
	}
}

// Await takes in an event whose organization's negotiators are not known. It
// waits, behind the others of its organization, until Known, or until its
// deadline: then it ends as an event of users who are none.
func (s *Schedule) Await(o Offer) {
	if !Wanted(o.Call) || s.repeated(o.Call) {
		return
	}
	s.pass(o.Received)
	u := &unresolved{
		Call: o.Call, Position: o.Position, Received: o.Received, Traceparent: o.Traceparent,
		Customer: o.Customer, Region: o.Region, Doubt: o.Doubt,
	}
	organization := o.Call.OrganizationID
	s.state.Unresolved[organization] = append(s.state.Unresolved[organization], u)
	s.awaits(u)
}

func (s *Schedule) awaits(u *unresolved) {
	s.awaiting[u.Call.CallID] = append(s.awaiting[u.Call.CallID], u.Call.Sequence)
	s.reconsider(u.Call.CallID)
	s.lapseAt = earlier(s.lapseAt, s.lapse(u))
}

func (s *Schedule) resolved(u *unresolved) {
	id := u.Call.CallID
	left := slices.DeleteFunc(s.awaiting[id], func(sequence int) bool { return sequence == u.Call.Sequence })
	if s.awaiting[id] = left; len(left) == 0 {
		delete(s.awaiting, id)
		s.reconsider(id)
	}
}

// reconsider has the lanes of a call looked at again.
func (s *Schedule) reconsider(callID string) {
	if c := s.state.Calls[callID]; c != nil {
		for _, l := range c.Lanes {
			s.agenda.touch(l)
		}
	}
}

func (s *Schedule) repeated(c event.Call) bool {
	if known := s.state.Calls[c.CallID]; known != nil && slices.Contains(known.Seen, c.Sequence) {
		return true
	}
	return slices.Contains(s.awaiting[c.CallID], c.Sequence)
}

// Unresolved counts the events that wait for negotiators, by organization.
func (s *Schedule) Unresolved() map[string]int {
	if len(s.state.Unresolved) == 0 {
		return nil
	}
	n := make(map[string]int, len(s.state.Unresolved))
	for organization, all := range s.state.Unresolved {
		n[organization] = len(all)
	}
	return n
}

// Known hands out what waits for an organization's negotiators, in order, to be
// resolved and offered before anything else of that organization.
func (s *Schedule) Known(organization string, now time.Time) []Offer {
	var all []Offer
	for _, u := range s.state.Unresolved[organization] {
		s.resolved(u)
		all = append(all, u.offer(now))
	}
	if delete(s.state.Unresolved, organization); len(s.state.Unresolved) == 0 {
		s.lapseAt = time.Time{}
	}
	return all
}

// lapse is until when an event is worth resolving.
func (s *Schedule) lapse(u *unresolved) time.Time { return s.deadlines.Of(&Delivery{Call: u.Call}) }

// nextLapse is when to look for what is late; zero when nothing can be. It costs
// by how much waits, so it is not done for each.
func (s *Schedule) nextLapse() time.Time {
	if s.lapseAt.IsZero() {
		return time.Time{}
	}
	return later(s.lapseAt, s.lapsedAt.Add(lapsePause))
}

// lapsed gives up what is late, the events of a call in their order. Who is known
// all the same, by the log or from earlier in the call, has a delivery that ends
// in the usual way.
func (s *Schedule) lapsed(now time.Time) (records []Record) {
	if at := s.nextLapse(); at.IsZero() || now.Before(at) {
		return nil
	}
	s.lapseAt, s.lapsedAt = time.Time{}, now
	for organization, all := range s.state.Unresolved {
		var kept []*unresolved
		first := map[string]bool{} // calls of which something is kept
		for i, u := range all {
			late, behind := s.lapse(u), first[u.Call.CallID]
			switch {
			case len(all)-i <= mostUnresolved && (behind || now.Before(late)):
				kept, first[u.Call.CallID] = append(kept, u), true
				if !behind {
					s.lapseAt = earlier(s.lapseAt, late)
				}
			default:
				s.resolved(u)
				records = append(records, s.Offer(u.nobody(now))...)
			}
		}
		if s.state.Unresolved[organization] = kept; len(kept) == 0 {
			delete(s.state.Unresolved, organization)
		}
	}
	return records
}

// nobody offers the event to users who are none.
func (u *unresolved) nobody(now time.Time) Offer {
	o := u.offer(now)
	for _, user := range u.Call.Audience {
		o.Audience = append(o.Audience, Member{User: user, Cause: notLoaded, Reason: notKnown})
	}
	return o
}
