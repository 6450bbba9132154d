package call

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// Limits are the time limits of the call model.
type Limits struct {
	Ring   time.Duration // an unanswered call without a sign of life is missed
	Talk   time.Duration // an answered one has ended
	Settle time.Duration // nobody active for so long: the call is over
	Memory time.Duration // how long a closed call is remembered
}

// DefaultLimits returns the limits of the call model.
func DefaultLimits() Limits {
	return Limits{Ring: 2 * time.Minute, Talk: 4 * time.Hour, Settle: 2 * time.Second, Memory: 10 * time.Minute}
}

// Call is the whole memory of one CallId. Its fields are exported for
// encoding/json alone: they are the snapshot format, which whoever stores it
// must version, and nothing to reach into.
type Call struct {
	ID     string   `json:"id"`
	Org    string   `json:"org,omitempty"`
	Seq    int      `json:"seq,omitempty"`  // events emitted
	Seen   []string `json:"seen,omitempty"` // ids of the raw events applied
	In     numbers  `json:"in,omitzero"`
	Out    numbers  `json:"out,omitzero"`
	Direct bool     `json:"direct,omitempty"` // UserCallInComing was seen
	Group  bool     `json:"group,omitempty"`  // proven a group call
	Alloc  alloc    `json:"alloc,omitempty"`  // what the first allocation suggests
	Gap    bool     `json:"gap,omitempty"`

	life
	Floor time.Time     `json:"floor,omitzero"` // when the last closed life closed, in event time
	Users []participant `json:"users,omitempty"`
	Legs  []leg         `json:"legs,omitempty"`

	Last    time.Time   `json:"last,omitzero"`    // stored time of the last known event
	Cause   event.Cause `json:"cause,omitzero"`   // the raw event that last changed the call
	Resting time.Time   `json:"resting,omitzero"` // stored time since which nothing is open
}

// numbers are those of one direction: within an internal call the two sides
// may be told different ones.
type numbers struct {
	Caller string `json:"caller,omitempty"`
	Called string `json:"called,omitempty"`
}

// life is what a new life of the call forgets.
type life struct {
	Phase      phase     `json:"phase,omitempty"`
	AnsweredBy string    `json:"by,omitempty"` // who answered last, by Timestamp
	AnsweredAt time.Time `json:"answered,omitzero"`
	Hung       bool      `json:"hung,omitempty"`    // a Disconnected was seen
	EndAt      time.Time `json:"end,omitzero"`      // latest Disconnected or TransferConnected
	GoneAt     time.Time `json:"gone,omitzero"`     // the caller hung up
	Settling   time.Time `json:"settling,omitzero"` // stored time since which the call may be over
}

type phase uint8

const (
	idle   phase = iota // no inbound step yet
	open                // inbound steps seen, not closed
	closed              // closed; remembered for what comes late
)

// New returns the empty memory of a call.
func New(callID string) *Call { return &Call{ID: callID} }

// Apply applies one raw event that was stored at the given time. Timers due by
// then fire first, and what should have been forgotten by then is, so that the
// result does not depend on how often the caller ticks and prunes.
func (c *Call) Apply(r event.Raw, stored time.Time, lim Limits) ([]event.Call, Verdict) {
	stored = instant(stored)
	out := c.Tick(stored, lim)
	if c.Forgotten(stored, lim) {
		*c = *New(c.ID)
	}
	if slices.Contains(c.Seen, r.ID) {
		return out, Duplicate
	}
	c.Seen = append(c.Seen, r.ID)
	told, verdict := c.take(read(r, stored))
	c.watchSettle(stored)
	if c.Open() {
		c.Resting = time.Time{}
	} else if c.Resting.IsZero() {
		c.Resting = stored
	}
	return append(out, told...), verdict
}

// MarkGap notes that nobody listened for some time in the life of the call:
// its later events carry coverage gap.
func (c *Call) MarkGap() { c.Gap = true }

// Open reports whether some side of the call is not closed.
func (c *Call) Open() bool {
	return c.Phase == open || slices.ContainsFunc(c.Legs, leg.open)
}

// instant drops what JSON would not keep.
func instant(t time.Time) time.Time { return t.Round(0).UTC() }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
