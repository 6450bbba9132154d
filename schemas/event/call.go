package event

import "time"

// CallType says what happened to a call.
type CallType string

// The call events that transform emits (design: the call model).
const (
	Incoming           CallType = "incoming"
	Answered           CallType = "answered"
	Ended              CallType = "ended"
	Missed             CallType = "missed"
	Transferring       CallType = "transferring"
	Held               CallType = "held"
	Resumed            CallType = "resumed"
	Outgoing           CallType = "outgoing"
	Connected          CallType = "connected"
	CallbackRequested  CallType = "callback-requested"
	RecordingAvailable CallType = "recording-available"
)

// CallTypes lists every call event type, in the order of a call's life.
func CallTypes() []CallType {
	return []CallType{
		Incoming, Answered, Ended, Missed, Transferring, Held, Resumed,
		Outgoing, Connected, CallbackRequested, RecordingAvailable,
	}
}

// CloudEvent returns the CloudEvents type, such as dev.ringstream.call.incoming.v1.
func (t CallType) CloudEvent() string { return CallTypePrefix + string(t) + versionSuffix }

// Direction of a call as one participant sees it.
type Direction string

// The two directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// Coverage tells whether everybody who takes part in a call was listened to, by
// some replica of ingest, during its whole life so far (see package coverage).
type Coverage string

// The two coverages.
const (
	Complete Coverage = "complete"
	Gap      Coverage = "gap"
)

// User is one participant. UserName is the telephony user name, an e-mail
// address at most providers; it is empty when RTE did not tell it.
type User struct {
	UserID   string `json:"userId"`
	UserName string `json:"userName"`
}

// Call is the data of a call event: what happened, and to whom it is to be told.
type Call struct {
	CallID         string    `json:"callId"`
	OrganizationID string    `json:"organizationId"`
	Type           CallType  `json:"type"`
	Direction      Direction `json:"direction"`
	OccurredAt     time.Time `json:"occurredAt"`                    // UTC, up to 100 ns
	RecordedAt     time.Time `json:"recordedAt,omitempty,omitzero"` // UTC; when ringstream heard of it, by its own clocks
	Caller         string    `json:"caller"`                        // as RTE sent it, trimmed; empty when withheld
	Called         string    `json:"called"`
	CallerWithheld bool      `json:"callerWithheld"`
	HuntGroup      bool      `json:"huntGroup"`
	Audience       []User    `json:"audience"`
	AnsweredBy     *User     `json:"answeredBy"` // null while nobody answered
	Sequence       int       `json:"sequence"`   // n-th event of this call, from 1
	Inferred       bool      `json:"inferred"`   // closed by a time limit, not by an RTE event
	Coverage       Coverage  `json:"coverage"`
	Cause          Cause     `json:"cause"`
}

// Cause names the raw event that made a call event. An inferred or settled
// close has the raw event that last changed the call.
type Cause struct {
	EventID   string  `json:"eventId"`
	EventType string  `json:"eventType"`
	Reason    *string `json:"reason"` // RTE's Reason, null where the event has none
}
