package explain

import (
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// RawDetail is what a raw event says, and what the call model made of it.
type RawDetail struct {
	ID      string     `json:"id"`
	Type    string     `json:"type"`
	User    event.User `json:"user,omitzero"`
	Dated   time.Time  `json:"dated,omitzero"` // by the hub
	Heard   time.Time  `json:"heard,omitzero"` // by ingest
	By      string     `json:"by,omitempty"`   // the replica of it whose copy was stored; others may have heard it too
	Verdict string     `json:"verdict,omitempty"`
}

// EventDetail is what a call event says.
type EventDetail struct {
	ID         string         `json:"id"`
	Type       event.CallType `json:"type"`
	Audience   []event.User   `json:"audience"`
	AnsweredBy *event.User    `json:"answeredBy,omitempty"`
	RTE        uint64         `json:"rte,omitempty"` // position in RTE of what made it
}

// OutcomeDetail is what became of a call event for one negotiator.
type OutcomeDetail struct {
	EventID    string            `json:"eventId"`
	SubType    string            `json:"subType"`
	Users      []event.User      `json:"users,omitempty"`
	Negotiator string            `json:"negotiator,omitempty"`
	Customer   string            `json:"customer,omitempty"`
	Outcome    event.OutcomeType `json:"outcome"`
	Cause      string            `json:"cause,omitempty"`
	Attempts   int               `json:"attempts"`
	Status     int               `json:"status,omitempty"` // of HTTP, in the last answer
	LatencyMS  int64             `json:"latencyMs"`
	RequestID  string            `json:"requestId,omitempty"`
	Redrive    int               `json:"redrive,omitempty"`
}

// LetterDetail is what a dead letter is about.
type LetterDetail struct {
	EventID    string `json:"eventId"`
	Negotiator string `json:"negotiator,omitempty"`
	Reason     string `json:"reason"`
}

// Entry is its line of a timeline.
func (h Heard) Entry(numbers Masking) Entry {
	r := h.Raw
	return Entry{At: h.Stored, Stream: "RTE", Seq: h.Seq, What: Plain(h.line(numbers)), Raw: &RawDetail{
		ID: r.ID, Type: r.EventType, User: h.User(), Dated: r.Timestamp, Heard: h.Recorded, By: h.By,
	}}
}

// After adds to the line of a raw event what it did to the call.
func (e Entry) After(s Step) Entry {
	raw := *e.Raw
	raw.Verdict = s.Verdict.String()
	e.Raw, e.Moves = &raw, s.Moves
	if s.Verdict != call.Changed {
		e.What += ", which changed nothing: " + raw.Verdict
	}
	return e
}

// Entry is its line of a timeline, when it is that of a time limit.
func (s Step) Entry() Entry { return Entry{At: s.At, What: Plain(s.line()), Moves: s.Moves} }

// Entry is its line of a timeline.
func (s Stored) Entry() Entry {
	c := s.Call
	return Entry{At: s.Stored, Stream: "CALLS", Seq: s.Seq, What: Plain(s.line()), Event: &EventDetail{
		ID: c.EventID(), Type: c.Type, Audience: c.Audience, AnsweredBy: c.AnsweredBy, RTE: s.In,
	}}
}

// Entry is its line of a timeline.
func (o Ended) Entry(numbers Masking) Entry {
	return Entry{At: o.Stored, Stream: "DELIVERIES", Seq: o.Seq, What: Plain(o.line(numbers)), Outcome: &OutcomeDetail{
		EventID: o.EventID, SubType: o.SubType, Users: o.Users, Negotiator: o.NegotiatorID, Customer: o.Customer, Outcome: o.Outcome.Outcome, Cause: o.Cause,
		Attempts: o.Attempts, Status: o.Status, LatencyMS: o.LatencyMS, RequestID: o.RequestID, Redrive: o.Redrive,
	}}
}

// Entry is its line of a timeline.
func (l Letter) Entry() Entry {
	return Entry{At: l.At, Stream: "DEADLETTERS", Seq: l.Seq, What: Plain(l.line()), Letter: &LetterDetail{EventID: l.EventID, Negotiator: l.NegotiatorID, Reason: l.Reason}}
}
