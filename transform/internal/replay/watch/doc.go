// Package watch decides, while the streams grow, whether what is in them is what
// is promised: CALLS is the fold of RTE, each delivery has one outcome in time, in
// order, of the right customer, and no screen was told of a call that was over.
//
// It owns the invariants ([Kind]) and as little memory as they need: of a call
// that is over and accounted for it forgets after a while, and of more calls than
// [Rules] allow the oldest. It refuses to know a clock: what is absent is missed as
// of a time up to which the caller has read the stream ([Checker.Current]), so
// that a reader that is slow, or cut off, finds nothing that is not there.
//
// The caller owes it an order between the streams. A message of CALLS is handed
// over when the fold has read what it says it came of, or all that RTE had when it
// was stored; an outcome when all is read that CALLS had when it was stored.
package watch

import (
	"slices"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

// Kind says which invariant does not hold.
type Kind string

// The kinds of a violation.
const (
	Missing      Kind = "missing"         // CALLS went past an event that the fold tells
	Extra        Kind = "extra"           // CALLS has an event that the fold does not tell
	Doubled      Kind = "doubled"         // CALLS has an event twice
	Changed      Kind = "different"       // CALLS has an event with other content
	Misplaced    Kind = "misplaced"       // CALLS has an event later than the fold
	Misnumbered  Kind = "misnumbered"     // the number of an event does not follow the one before
	Late         Kind = "late"            // CALLS lacks for too long what the fold tells; once until it has caught up
	Unended      Kind = "no-outcome"      // a delivery has no outcome, past its deadline
	EndedTwice   Kind = "second-outcome"  // a delivery has two
	Stray        Kind = "stray-outcome"   // an outcome of an event, or for a user, that is none, or by somebody else
	AfterTheEnd  Kind = "shown-after-end" // posted, though the call had been over for longer than Overtaken
	Misordered   Kind = "misordered"      // delivered behind a later event of the call
	WrongTenancy Kind = "wrong-customer"  // of another organization, or for another customer than is stated
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{
		Missing, Extra, Doubled, Changed, Misplaced, Misnumbered, Late,
		Unended, EndedTwice, Stray, AfterTheEnd, Misordered, WrongTenancy,
	}
}

// Violation is one thing that is not as promised.
type Violation struct {
	At     time.Time `json:"at"` // when the message was stored; of what is absent, as of when
	Kind   Kind      `json:"kind"`
	Stream string    `json:"stream"`
	Seq    uint64    `json:"seq,omitempty"` // in the stream, where there is a message
	Call   string    `json:"call,omitempty"`
	Event  string    `json:"event,omitempty"` // <callId>/<n>
	Detail string    `json:"detail"`
}

// Told is one call event of the fold.
type Told struct {
	ID        string
	Call      string
	Number    int
	Partition int
	At        bus.Position // in RTE
	Stored    time.Time    // of the message at that position
	// Unlike says in what a message differs; empty: in nothing.
	Unlike func(bus.Message) string
}

// Held is one message of CALLS.
type Held struct {
	bus.Message
	ID     string
	At     bus.Position // in RTE
	Stated bool         // false: no writer of ours has put it there
	Call   event.Call   // empty where it cannot be read
}

// Ended is one message of DELIVERIES that is an outcome.
type Ended struct {
	event.Outcome
	Subject string
	Seq     uint64
	Stored  time.Time
	In      uint64 // position in CALLS of the event
	Foreign bool   // deliver has not put it there
}

// Overtaken is how long deliver has to hear of the end of a call.
const Overtaken = 250 * time.Millisecond

// Rules are what is promised, and from where on it is looked at.
type Rules struct {
	Partitions int
	Heard      uint64                           // position of RTE behind which CALLS is compared with the fold
	Told       uint64                           // position of CALLS behind which outcomes are awaited
	Late       time.Duration                    // how long CALLS may lack what the fold tells
	Deadlines  map[event.CallType]time.Duration // of what is told to Reapit
	Grace      time.Duration                    // how much later than its deadline a delivery may end
	Memory     time.Duration                    // for how long a call is remembered in which nothing happens
	Most       int                              // calls, and events that CALLS lacks, to remember
	Customers  map[string]string                // of organizations; that of "*" is of all others. Of any other nobody knows
}

// request is how long one request of a type may take, as deliver has it.
func (r Rules) request(t event.CallType) time.Duration {
	return min(max(r.Deadlines[t]/3, 2*time.Second), 30*time.Second)
}

// delivered reports whether Reapit is told of an event.
func (r Rules) delivered(e event.Call) bool {
	return r.Deadlines[e.Type] > 0 && e.Direction != event.Outbound
}

// customer is that of an organization, if it is known.
func (r Rules) customer(organization string) (string, bool) {
	for _, org := range []string{organization, "*"} {
		if c, known := r.Customers[org]; known {
			return c, true
		}
	}
	return "", false
}

func has(users []event.User, id string) bool {
	return slices.ContainsFunc(users, func(u event.User) bool { return u.UserID == id })
}
