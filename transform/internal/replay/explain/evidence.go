// Package explain concludes from what the streams hold of a call why a screen was
// told of it or not ([Judge]), and puts what happened in one timeline.
//
// It owns the sentences. What it concludes is pure; only [Gatherer] and [Search]
// read streams, and no more of them than belongs to a call or a span of time. It
// decides nothing about calls: what an event made of whom is what package call says.
package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// Evidence is what the streams hold of one call.
type Evidence struct {
	Call     string
	Now      time.Time
	Cut      bool     // RTE has lost the beginning of the call: what its raw events led to is not known
	Raw      []Heard  // in the order of RTE
	Unread   []uint64 // positions in RTE of what has the call in its subject and cannot be read
	Events   []Stored // of CALLS, in order
	Outcomes []Ended  // of DELIVERIES, in order
	Letters  []Letter // of DEADLETTERS, those of its deliveries
	Steps    []Step   // what the fold makes of Raw

	Listening map[string]Listening // by user; of those whose phones did not ring, nobody knows why
}

// Heard is one raw event of the call.
type Heard struct {
	Seq      uint64 // in RTE
	Stored   time.Time
	Recorded time.Time // when ingest heard it; zero where it does not say
	By       string    // the replica of ingest whose copy was stored; empty likewise
	Raw      event.Raw
	Words    []string // reasons that the call model does not read
}

// User is whom it names.
func (h Heard) User() event.User {
	return event.User{UserID: call.Participant(h.Raw), UserName: h.Raw.UserName}
}

// Stored is one call event.
type Stored struct {
	Seq    uint64 // in CALLS
	Stored time.Time
	In     uint64 // position in RTE of what made it; 0 where it does not say
	Call   event.Call
}

// Ended is one outcome.
type Ended struct {
	Seq    uint64 // in DELIVERIES
	Stored time.Time
	event.Outcome
}

// Letter is one dead letter.
type Letter struct {
	Seq uint64 // in DEADLETTERS
	event.DeadLetter
}

// Empty reports whether no stream holds anything of the call.
func (e Evidence) Empty() bool { return len(e.Raw) == 0 && len(e.Events) == 0 && len(e.Outcomes) == 0 }

// Nothing says what there is of a call that [Evidence.Empty] holds for.
func (e Evidence) Nothing() string {
	if len(e.Unread) > 0 {
		name := "names call %s in its subject"
		if len(e.Unread) > 1 {
			name = "name call %s in their subjects"
		}
		return fmt.Sprintf("%s of RTE "+name+" and cannot be read, so that transform passed over that (nats stream get RTE %d)",
			Count(len(e.Unread), "message"), Plain(e.Call), e.Unread[0])
	}
	return "no stream holds anything of call " + Plain(e.Call)
}

// Users lists everybody whom some stream names, in the order of their appearance.
func (e Evidence) Users() []event.User {
	var all []event.User
	add := func(u event.User) {
		at := slices.IndexFunc(all, func(k event.User) bool { return k.UserID == u.UserID })
		switch {
		case u.UserID == "":
		case at < 0:
			all = append(all, u)
		case all[at].UserName == "":
			all[at].UserName = u.UserName
		}
	}
	for _, h := range e.Raw {
		add(event.User{UserID: call.Participant(h.Raw), UserName: h.Raw.UserName})
	}
	for _, s := range e.Events {
		for _, u := range s.Call.Audience {
			add(u)
		}
	}
	for _, o := range e.Outcomes {
		for _, u := range o.Users {
			add(u)
		}
	}
	return all
}

// addressed lists the call events of a type that a user is to be told.
func (e Evidence) addressed(user string, t event.CallType) (all []Stored) {
	for _, s := range e.Events {
		if s.Call.Type == t && s.Call.Direction == event.Inbound && slices.ContainsFunc(s.Call.Audience, func(u event.User) bool { return u.UserID == user }) {
			all = append(all, s)
		}
	}
	return all
}

// heardLast is when the newest raw event of the call was stored.
func (e Evidence) heardLast() (at time.Time) {
	for _, h := range e.Raw {
		if h.Stored.After(at) {
			at = h.Stored
		}
	}
	return at
}

// offered reports whether the call has come to a user and nothing yet came of it.
func (e Evidence) offered(user string) bool {
	state := ""
	for _, s := range e.Steps {
		for _, m := range s.Moves {
			if m.User.UserID == user {
				state = m.To
			}
		}
	}
	return state == "offered"
}

// outcome is the newest of a call event for a user: a redrive counts more than
// what it repeats.
func (e Evidence) outcome(id, user string) (Ended, bool) {
	for _, o := range slices.Backward(e.Outcomes) {
		if o.EventID == id && slices.ContainsFunc(o.Users, func(u event.User) bool { return u.UserID == user }) {
			return o, true
		}
	}
	return Ended{}, false
}

// shared is the delivery that another user of the same negotiator got instead.
func (e Evidence) shared(o Ended) (Ended, bool) {
	for _, by := range slices.Backward(e.Outcomes) {
		if o.Cause == "same-negotiator" && by.Outcome.Outcome == event.Delivered && by.SubType == o.SubType &&
			by.NegotiatorID == o.NegotiatorID && by.Customer == o.Customer && len(by.Users) > 0 {
			return by, true
		}
	}
	return Ended{}, false
}

// letter is the dead letter of a delivery.
func (e Evidence) letter(o Ended) (Letter, bool) {
	for _, l := range slices.Backward(e.Letters) {
		if l.EventID == o.EventID && l.NegotiatorID == o.NegotiatorID && l.Customer == o.Customer {
			return l, true
		}
	}
	return Letter{}, false
}

// negotiator is who a user is at Reapit, as any outcome of the call says.
func (e Evidence) negotiator(user string) (negotiator, customer string) {
	for _, o := range e.Outcomes {
		if o.NegotiatorID != "" && slices.ContainsFunc(o.Users, func(u event.User) bool { return u.UserID == user }) {
			return o.NegotiatorID, o.Customer
		}
	}
	return "", ""
}

// of lists the raw events that name a user.
func (e Evidence) of(user string) (all []Heard) {
	for _, h := range e.Raw {
		if strings.EqualFold(call.Participant(h.Raw), user) {
			all = append(all, h)
		}
	}
	return all
}

// untold is the first event for a user that RTE implies and CALLS does not hold.
func (e Evidence) untold(user string) (event.Call, Step, bool) {
	for _, s := range e.Steps {
		for _, c := range s.Told {
			to := slices.ContainsFunc(c.Audience, func(u event.User) bool { return u.UserID == user })
			if to && c.Direction == event.Inbound && !slices.ContainsFunc(e.Events, func(s Stored) bool { return s.Call.EventID() == c.EventID() }) {
				return c, s, true
			}
		}
	}
	return event.Call{}, Step{}, false
}

// answer is who answered first, and when ringstream heard of it.
func (e Evidence) answer() (event.Call, bool) {
	for _, s := range e.Events {
		if s.Call.Type == event.Answered && s.Call.AnsweredBy != nil {
			return s.Call, true
		}
	}
	return event.Call{}, false
}
