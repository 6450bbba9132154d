package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

// stage is how far a call has come; the order is that of cause and effect.
type stage int

const (
	stageRaw  stage = iota // an RTE message in RTE
	stageCall              // a call event in CALLS
	stagePost              // a notification that arrived
	stageSkip              // a delivery that ended otherwise
	stageNote              // something that this program has to say
)

// entry is one thing that was seen.
type entry struct {
	at         time.Time
	stage      stage
	callID     string
	cause      string // id of the raw event: its own, or that of the call event's cause
	kind       string // event type, call event type or subType
	about      string // who, and what they are shown
	negotiator string
	result     string // of a delivery
	bad        bool   // an end that somebody should look at
}

// writer turns what was read into entries. Each stream is read by one goroutine,
// and only that of RTE touches the names.
type writer struct {
	mask  bool              // hide numbers: the callers are real
	names map[string]string // of users, by id: not every RTE event tells them
}

func newWriter(mask bool) writer { return writer{mask: mask, names: map[string]string{}} }

// raw reads a message of RTE; one that is of no call is not for the timeline.
func (w writer) raw(m bus.Message) (entry, bool) {
	r, err := event.ParseRaw(m.Data)
	if err != nil || r.CallID == "" || !strings.Contains(r.EventType, "Call") {
		return entry{}, false
	}
	about := w.person(event.User{UserID: cmp.Or(r.UserID, r.EntityID), UserName: r.UserName})
	switch r.EventType {
	case "UserCallInComing", "UserCallInUserAllocated", "UserCallOutGoing":
		about = fmt.Sprintf("%-6s %s → %s", about, w.number(r.CallerNumber), w.number(r.TargetNumber))
	default:
		if r.Reason != nil {
			about = fmt.Sprintf("%-6s %s", about, *r.Reason)
		}
	}
	return entry{at: m.Stored, stage: stageRaw, callID: r.CallID, cause: r.ID, kind: r.EventType, about: about}, true
}

func (w writer) number(n string) string {
	switch {
	case !strings.ContainsAny(n, "0123456789"):
		return cmp.Or(n, "no number")
	case w.mask:
		return "…" + n[max(0, len(n)-3):]
	}
	return n
}

// person is [person] of a user whose name may have been told before.
func (w writer) person(u event.User) string {
	switch {
	case u.UserID == "":
	case u.UserName == "":
		u.UserName = w.names[u.UserID]
	default:
		w.names[u.UserID] = u.UserName
	}
	return person(u)
}

// person is the short name of a user.
func person(u event.User) string {
	name, _, _ := strings.Cut(u.UserName, "@")
	return cmp.Or(name, u.UserID[:min(len(u.UserID), 8)], "?")
}

func people(users []event.User) string {
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = person(u)
	}
	return strings.Join(names, ", ")
}

// call reads a message of CALLS.
func (w writer) call(m bus.Message) (entry, error) {
	var c event.Call
	if err := decode(m, &c); err != nil {
		return entry{}, err
	}
	notes := []string{people(c.Audience)}
	if c.HuntGroup {
		notes = append(notes, "group")
	}
	if c.AnsweredBy != nil {
		notes = append(notes, person(*c.AnsweredBy)+" answered")
	}
	if c.Inferred {
		notes = append(notes, "inferred")
	}
	if c.Coverage != event.Complete {
		notes = append(notes, "coverage "+string(c.Coverage))
	}
	return entry{
		at: m.Stored, stage: stageCall, callID: c.CallID, cause: c.Cause.EventID,
		kind: string(c.Type), about: strings.Join(notes, " · "),
	}, nil
}

func decode(m bus.Message, into any) error {
	e, err := event.Decode(m.Header, m.Data)
	if err == nil {
		err = json.Unmarshal(e.Data(), into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", m.Subject, err)
	}
	return nil
}

// outcome reads a message of DELIVERIES.
func (w writer) outcome(m bus.Message) (entry, error) {
	var o event.Outcome
	if err := decode(m, &o); err != nil {
		return entry{}, err
	}
	e := entry{
		at: o.FinishedAt, stage: stageSkip, callID: o.CallID, kind: o.SubType,
		about: people(o.Users), negotiator: o.NegotiatorID, result: string(o.Outcome),
	}
	if o.Outcome == event.Delivered {
		e.stage, e.result = stagePost, fmt.Sprint(o.Status)
		return e, nil
	}
	if o.Reason != "" {
		e.about += " · " + o.Reason
	}
	e.bad = o.Outcome != event.Superseded && o.Outcome != event.Shadowed
	return e, nil
}

// notification is what Reapit's simulator tells of one that it accepted.
type notification struct {
	Time         time.Time
	NegotiatorID string
	SubType      string
	Payload      struct {
		ID, CallerID, AnsweredByID string
		HuntGroup                  bool
	}
}

// accepted is the only status with which a notification is accepted.
const accepted = "202"

func (w writer) notification(n notification) entry {
	notes := []string{"shows " + w.number(n.Payload.CallerID)}
	if n.Payload.HuntGroup {
		notes = append(notes, "group")
	}
	if n.Payload.AnsweredByID != "" {
		notes = append(notes, n.Payload.AnsweredByID+" answered")
	}
	return entry{
		at: n.Time, stage: stagePost, callID: n.Payload.ID, kind: n.SubType,
		about: strings.Join(notes, " · "), negotiator: n.NegotiatorID, result: accepted,
	}
}
