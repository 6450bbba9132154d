package event

import (
	"encoding/json"
	"time"
)

// OutcomeType is the one way in which a delivery ended.
type OutcomeType string

// Every delivery ends in exactly one of these.
const (
	Delivered  OutcomeType = "delivered"  // Reapit accepted it (2xx); that is not "shown"
	Expired    OutcomeType = "expired"    // its deadline passed first
	Superseded OutcomeType = "superseded" // a later event of the call made it misleading
	Unmapped   OutcomeType = "unmapped"   // the user is no known negotiator
	Rejected   OutcomeType = "rejected"   // Reapit refused it for good
	Dead       OutcomeType = "dead"       // it cannot be delivered and is kept for redrive
	Shadowed   OutcomeType = "shadowed"   // DELIVER_SHADOW: everything but the POST was done
)

// OutcomeTypes lists every outcome.
func OutcomeTypes() []OutcomeType {
	return []OutcomeType{Delivered, Expired, Superseded, Unmapped, Rejected, Dead, Shadowed}
}

// causes tells the ways to an outcome apart. There may be more of them; none changes its meaning.
var causes = map[OutcomeType][]string{
	Expired:    {"late", "limits", "parked", "trouble"},
	Superseded: {"answered-elsewhere", "call-over", "later-delivered", "never-shown", "same-answer", "same-negotiator", "still-in-call"},
	Unmapped:   {"ambiguous", "inactive", "no-customer", "no-name", "nobody", "not-loaded", "retired"},
	Rejected:   {"rejected"},
	Dead:       {"refused", "unsendable"},
}

// Causes lists the words that tell how it came to an outcome; none where it says
// all by itself.
func Causes(t OutcomeType) []string { return causes[t] }

// CloudEvent returns the CloudEvents type, such as dev.ringstream.delivery.delivered.v1.
func (t OutcomeType) CloudEvent() string { return DeliveryTypePrefix + string(t) + versionSuffix }

// Outcome is the data of a delivery event: how the delivery of one call event
// to one negotiator ended.
type Outcome struct {
	EventID        string      `json:"eventId"` // id of the call event
	CallID         string      `json:"callId"`
	OrganizationID string      `json:"organizationId"`
	Customer       string      `json:"customer"`            // reapit-customer
	NegotiatorID   string      `json:"negotiatorId"`        // empty when unmapped
	Users          []User      `json:"users"`               // the audience members this negotiator stands for
	Type           CallType    `json:"type"`                // of the call event
	SubType        string      `json:"subType"`             // Reapit's: incomingCall …
	Outcome        OutcomeType `json:"outcome"`             //
	Cause          string      `json:"cause,omitempty"`     // in one word of Causes, empty when delivered or shadowed
	Reason         string      `json:"reason,omitempty"`    // in words, empty when delivered
	Attempts       int         `json:"attempts"`            // POSTs made
	Status         int         `json:"status,omitempty"`    // last HTTP status
	RequestID      string      `json:"requestId,omitempty"` // Reapit's x-amzn-RequestId of the last answer
	OccurredAt     time.Time   `json:"occurredAt"`          // of the call event
	ReceivedAt     time.Time   `json:"receivedAt"`          // when the call event was stored in CALLS
	FirstTriedAt   *time.Time  `json:"firstTriedAt"`        // null when no POST was made
	FinishedAt     time.Time   `json:"finishedAt"`          //
	LatencyMS      int64       `json:"latencyMs"`           // FinishedAt - ReceivedAt, milliseconds
	Redrive        int         `json:"redrive,omitempty"`   // n-th time that an operator had it tried again; 0: the delivery itself
}

// DeadLetter is the data of a dead letter: something that cannot go on by
// itself, with all that is needed to understand it and to try again.
type DeadLetter struct {
	Service      string          `json:"service"` // ingest or deliver
	Reason       string          `json:"reason"`  // one word, as in the subject
	Detail       string          `json:"detail"`  // one sentence for people
	At           time.Time       `json:"at"`
	EventID      string          `json:"eventId,omitempty"`
	CallID       string          `json:"callId,omitempty"`
	Customer     string          `json:"customer,omitempty"`
	NegotiatorID string          `json:"negotiatorId,omitempty"`
	Status       int             `json:"status,omitempty"`
	Errors       []FieldError    `json:"errors,omitempty"`  // Reapit's validation errors
	Request      json.RawMessage `json:"request,omitempty"` // the body that was refused
	Event        json.RawMessage `json:"event,omitempty"`   // data of the event, when it is JSON
	Body         []byte          `json:"body,omitempty"`    // base64 of what is not JSON
}

// FieldError is one item of Reapit's validation errors.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}
