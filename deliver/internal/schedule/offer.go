package schedule

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// Offer is one call event and whom it is for.
type Offer struct {
	Call        event.Call
	Position    uint64    // in the stream
	Received    time.Time // when the stream stored it
	Traceparent string
	Customer    string
	Region      string
	AnsweredBy  string   // the negotiator who answered; empty when nobody did or he is none
	Audience    []Member // of the event, in its order
	Doubt       bool     // somebody before may have sent it, and nobody is left to tell
	Now         time.Time
}

// Member is one user of an audience and the negotiator he is.
type Member struct {
	User       event.User
	Negotiator string // empty: he is none
	Cause      string // why he is none, in one word
	Reason     string // and in words
}

// Recorded is an outcome as the log has it.
type Recorded struct {
	EventID    string            `json:"eventId"`
	CallID     string            `json:"callId"`
	Customer   string            `json:"customer,omitempty"`
	Negotiator string            `json:"negotiator,omitempty"`
	Users      []event.User      `json:"users"`
	Outcome    event.OutcomeType `json:"outcome"`
	Cause      string            `json:"cause,omitempty"`
	At         time.Time         `json:"at"`
	Perhaps    bool              `json:"perhaps,omitempty"` // a request of it may have been acted upon, whatever the outcome
	Redrive    int               `json:"redrive,omitempty"`
}

// of reports whether it is the customer's, as far as the log tells.
func (r *Recorded) of(customer string) bool { return r.Customer == "" || r.Customer == customer }

// target is all users of an audience who are one negotiator.
type target struct {
	Member // the first of them
	users  []event.User
	known  *Recorded // what the log has of all of them
}

// Offer takes in an event. What ends at once is returned: who is no negotiator,
// what is not worth sending, what was overtaken.
func (s *Schedule) Offer(o Offer) []Record {
	if !Wanted(o.Call) {
		return nil
	}
	s.pass(o.Received)
	if s.offers++; s.offers%sweepEvery == 0 {
		s.sweep()
	}
	c := s.state.Calls[o.Call.CallID]
	if c == nil {
		c = &call{Who: map[string]string{}, Lanes: map[string]*lane{}}
		s.state.Calls[o.Call.CallID] = c
	}
	if slices.Contains(c.Seen, o.Call.Sequence) {
		return nil
	}
	c.Seen = append(c.Seen, o.Call.Sequence)
	s.happened(c, o.Received)
	c.belong(o.Customer)
	if a := o.Call.AnsweredBy; a != nil && c.Who[a.UserID] != "" {
		o.AnsweredBy = c.Who[a.UserID]
	}
	known := s.state.Known[o.Call.EventID()]
	delete(s.state.Known, o.Call.EventID())
	var records []Record
	for i, t := range c.targets(o, known) {
		records = append(records, s.take(c, o, t, i)...)
	}
	return records
}

// belong sees to it that nobody is taken for a negotiator of another customer: an
// organization may become another's, or nobody's, while a call lasts.
func (c *call) belong(customer string) {
	if c.Customer != customer && c.Customer != "" {
		clear(c.Who)
	}
	c.Customer = customer
}

// targets groups the audience by negotiator. Who a user is, is decided once in
// a call; what the log says of him goes first.
func (c *call) targets(o Offer, recorded []Recorded) []target {
	var all []target
	for _, m := range o.Audience {
		known := recordedFor(recorded, m.User)
		switch {
		case known != nil && known.of(o.Customer):
			m.Negotiator = known.Negotiator
		case known != nil:
			m.Negotiator = "" // it has ended, for another customer
		case c.Who[m.User.UserID] != "":
			m.Negotiator = c.Who[m.User.UserID]
		}
		same := func(t target) bool {
			if m.Negotiator == "" {
				return t.Negotiator == "" && t.users[0].UserID == m.User.UserID
			}
			return t.Negotiator == m.Negotiator && t.known == known
		}
		if m.Negotiator != "" {
			c.Who[m.User.UserID] = m.Negotiator
		}
		if i := slices.IndexFunc(all, same); i >= 0 {
			all[i].users = append(all[i].users, m.User)
			continue
		}
		all = append(all, target{m, []event.User{m.User}, known})
	}
	return all
}

func recordedFor(all []Recorded, u event.User) *Recorded {
	for i, r := range all {
		if slices.ContainsFunc(r.Users, func(x event.User) bool { return x.UserID == u.UserID }) {
			return &all[i]
		}
	}
	return nil
}

// take puts the delivery to one target into its lane.
func (s *Schedule) take(c *call, o Offer, t target, index int) []Record {
	known := t.known
	d := &Delivery{
		Call: o.Call, Position: o.Position, Index: index, Received: o.Received, Traceparent: o.Traceparent,
		Customer: o.Customer, Region: o.Region, Negotiator: t.Negotiator, AnsweredBy: o.AnsweredBy, Users: t.users,
	}
	d.Call.Audience = nil
	if t.Negotiator == "" {
		// Whoever had it before a crash may have known the user.
		c.Doubted = c.Doubted || o.Doubt && (t.Cause == notLoaded || known != nil && known.Cause == notLoaded)
		if known != nil {
			return nil
		}
		return []Record{{*d, event.Unmapped, t.Cause, t.Reason, o.Now}}
	}
	l := c.lane(o.Customer, t.Negotiator, d)
	overtaken, refused := l.add(d)
	if o.Doubt && refused == "" && l.Queue[0] == d {
		l.doubt()
	}
	l.trail = l.trail || len(overtaken) > 0
	records := superseded(overtaken, o.Now)
	switch {
	case known != nil && refused == "":
		records = append(records, s.settle(l, d, *known, o.Now)...)
	case known == nil && refused != "":
		records = append(records, supersede(d, refused, o.Now))
	}
	s.agenda.touch(l)
	return records
}

// lane is where a delivery belongs. One that begins with an answer or an end
// rang before anything was offered: it is perhaps shown.
func (c *call) lane(customer, negotiator string, first *Delivery) *lane {
	key := customer + "/" + negotiator
	if c.Lanes[key] == nil {
		rang := first.Call.Type == event.Answered || first.Call.Type == event.Ended
		c.Lanes[key] = &lane{Customer: customer, Negotiator: negotiator, Perhaps: c.Doubted || rang}
	}
	return c.Lanes[key]
}

func superseded(out []removed, now time.Time) []Record {
	var records []Record
	for _, r := range out {
		records = append(records, supersede(r.d, r.reason, now))
	}
	return records
}

// Settle tells of an outcome that the log got after the state was saved. What
// stood before it in its lane and was not recorded is overtaken by it. Of an
// event that is yet to be offered, it is remembered until then.
func (s *Schedule) Settle(r Recorded, now time.Time) []Record {
	id := outcomeID(r.EventID, r.Negotiator, r.Users, r.Redrive)
	if c := s.state.Calls[r.CallID]; c != nil {
		for _, l := range c.Lanes {
			for _, d := range l.Queue {
				if d.ID() == id {
					records := s.settle(l, d, r, now)
					s.agenda.touch(l)
					return records
				}
			}
		}
	}
	if r.Redrive == 0 {
		s.state.Known[r.EventID] = append(s.state.Known[r.EventID], r)
	} else if reached(r.Outcome) {
		s.state.Known[r.EventID] = append([]Recorded{r}, s.state.Known[r.EventID]...) // says more than the first
	}
	return nil
}

// Doubt says that somebody before may have sent, since the state was saved,
// what is now at the head of any lane. It comes after the last Settle.
func (s *Schedule) Doubt() {
	for _, all := range s.state.Unresolved {
		for _, u := range all {
			u.Doubt = true
		}
	}
	for _, c := range s.state.Calls {
		for _, l := range c.Lanes {
			l.doubt()
			s.agenda.touch(l)
		}
	}
}

func (s *Schedule) settle(l *lane, d *Delivery, known Recorded, now time.Time) []Record {
	var records []Record
	for reached(known.Outcome) && l.Queue[0] != d {
		records = append(records, supersede(l.Queue[0], laterDelivered, now))
		l.settle(l.Queue[0], event.Superseded)
		l.drop(l.Queue[0])
		l.trail = true
	}
	l.drop(d)
	l.Perhaps = l.Perhaps || known.Perhaps && d.shows()
	l.settle(d, known.Outcome)
	return records
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
