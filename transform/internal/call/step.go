package call

import (
	"strings"
	"time"

	"ringstream/schemas/event"
)

// kind is what an event means, whatever it is called.
type kind uint8

const (
	unknown kind = iota
	// The steps of the inbound table.
	coming
	arrived
	allocated
	connected
	cancelled
	overflowed
	transferStarted
	transferCancelled
	transferConnected
	holdStart
	holdEnd
	disconnected
	numSteps
)

const (
	callback kind = numSteps + 1 + iota
	recording
	// The steps of the outbound table.
	outGoing
	outConnected
	outHoldStart
	outHoldEnd
	outDisconnected
	numOutSteps
	outRecording
)

// inboundNames are the names below UserCallIn and QueueCallIn, in lower case:
// RTE's own pages spell some of them in two ways.
var inboundNames = map[string]kind{
	"coming":             coming,
	"arrived":            arrived,
	"userallocated":      allocated,
	"userconnected":      connected,
	"usercancelled":      cancelled,
	"useroverflow":       overflowed,
	"overflow":           overflowed,
	"transferstarted":    transferStarted,
	"transfercancelled":  transferCancelled,
	"transferconnected":  transferConnected,
	"holdstart":          holdStart,
	"holdend":            holdEnd,
	"disconnected":       disconnected,
	"callbackcreated":    callback,
	"recordingconverted": recording,
}

// outboundNames are those below UserCallOut.
var outboundNames = map[string]kind{
	"going":              outGoing,
	"connected":          outConnected,
	"holdstart":          outHoldStart,
	"holdend":            outHoldEnd,
	"disconnected":       outDisconnected,
	"recordingconverted": outRecording,
}

func (k kind) outbound() bool { return k >= outGoing }

// classify returns the meaning of an event type, and whether it speaks of a queue.
func classify(eventType string) (k kind, queue bool) {
	name := strings.ToLower(eventType)
	if rest, ok := strings.CutPrefix(name, "usercallout"); ok {
		return outboundNames[rest], false
	}
	if rest, ok := strings.CutPrefix(name, "usercallin"); ok {
		return inboundNames[rest], false
	}
	if rest, ok := strings.CutPrefix(name, "queuecallin"); ok {
		return inboundNames[rest], true
	}
	return unknown, strings.HasPrefix(name, "queuecall")
}

// Concerns reports whether the event belongs to a telephone call: it names a
// CallId, and its type is one of UserCall* or QueueCall*, known or not.
func Concerns(r event.Raw) bool {
	return r.CallID != "" && (begins(r.EventType, "usercall") || begins(r.EventType, "queuecall"))
}

// begins compares in any casing. The prefix is ASCII.
func begins(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// step is a raw event as the model reads it.
type step struct {
	kind   kind
	queue  bool // a QueueCall* event
	user   string
	at     time.Time // when it happened
	stored time.Time // when it was stored
	cause  event.Cause
	raw    event.Raw
}

func read(r event.Raw, stored time.Time) step {
	s := step{
		user: Participant(r), at: Happened(r.Timestamp, stored), stored: stored, raw: r,
		cause: event.Cause{EventID: r.ID, EventType: r.EventType, Reason: r.Reason},
	}
	s.kind, s.queue = classify(r.EventType)
	return s
}

// Participant returns the participant; a user's event that does not say what its
// entity is can only be about a user.
func Participant(r event.Raw) string {
	aboutUser := strings.EqualFold(r.EntityType, "User") ||
		r.EntityType == "" && strings.HasPrefix(strings.ToLower(r.EventType), "user")
	if r.UserID == "" && aboutUser {
		return r.EntityID
	}
	return r.UserID
}

// Believable is how far from its stored time a Timestamp is taken for true.
const Believable = 24 * time.Hour

// Happened returns the event's own time, or the stored time where that is
// missing or cannot be true.
func Happened(timestamp, stored time.Time) time.Time {
	if timestamp.IsZero() || timestamp.Sub(stored).Abs() > Believable {
		return stored
	}
	return instant(timestamp)
}

// remote reports whether the far end, which is the caller, hung up.
func (s step) remote() bool {
	return s.raw.Reason != nil && strings.EqualFold(strings.TrimSpace(*s.raw.Reason), "remote")
}
