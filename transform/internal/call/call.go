package call

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// Limits are the time limits of the call model. The tags are the settings'
// names, defaults and meanings, the same for everything that folds.
type Limits struct {
	Ring   time.Duration `envconfig:"RING_TIMEOUT" default:"2m" desc:"an unanswered call without a sign of life is closed as missed"`
	Talk   time.Duration `envconfig:"TALK_TIMEOUT" default:"4h" desc:"an answered call without a sign of life is closed as ended"`
	Settle time.Duration `envconfig:"SETTLE_TIMEOUT" default:"2s" desc:"nobody active for so long: the call is over"`
	Memory time.Duration `envconfig:"CLOSED_MEMORY" default:"10m" desc:"how long a closed call is remembered"`
}

// Invalid reports limits that cannot work, by the setting's name.
func (l Limits) Invalid() map[string]string {
	bad := map[string]string{}
	for name, limit := range map[string]time.Duration{
		"RING_TIMEOUT": l.Ring, "TALK_TIMEOUT": l.Talk, "SETTLE_TIMEOUT": l.Settle, "CLOSED_MEMORY": l.Memory,
	} {
		if limit <= 0 {
			bad[name] = "is " + limit.String() + "; expected more than zero"
		}
	}
	return bad
}

// DefaultLimits returns the limits of the call model.
func DefaultLimits() Limits {
	return Limits{Ring: 2 * time.Minute, Talk: 4 * time.Hour, Settle: 2 * time.Second, Memory: 10 * time.Minute}
}

// Call is the whole memory of one CallId. What it packs is the snapshot format,
// which whoever stores it must version. Its fields are nothing to reach into.
type Call struct {
	ID     string
	Org    string
	Seq    int  // events emitted
	Seen   []id // the raw events applied
	In     numbers
	Out    numbers
	Direct bool  // UserCallInComing was seen
	Group  bool  // proven a group call
	Alloc  alloc // what the first allocation suggests
	Gap    bool

	life
	Floor time.Time // when the last closed life closed, in event time
	Users []participant
	Legs  []leg

	Last    time.Time   // stored time of the last known event
	Cause   event.Cause // the raw event that last changed the call
	Resting time.Time   // stored time since which nothing is open
}

// numbers are those of one direction: within an internal call the two sides
// may be told different ones.
type numbers struct {
	Caller string
	Called string
}

// life is what a new life of the call forgets.
type life struct {
	Phase      phase
	AnsweredBy string // who answered last, by Timestamp
	AnsweredAt time.Time
	Hung       bool      // a Disconnected was seen
	EndAt      time.Time // latest Disconnected or TransferConnected
	GoneAt     time.Time // the caller hung up
	Settling   time.Time // stored time since which the call may be over
}

type phase uint8

const (
	idle   phase = iota // no inbound step yet
	open                // inbound steps seen, not closed
	closed              // closed; remembered for what comes late
)

// New returns the empty memory of a call.
func New(callID string) *Call { return &Call{ID: callID} }

// Again returns the empty memory of a call that was forgotten after it had
// emitted so many events: the next one has the number behind them, so that no
// two events of one CallId share an id.
func Again(callID string, emitted int) *Call { return &Call{ID: callID, Seq: emitted} }

// Emitted is how many events the call has emitted.
func (c *Call) Emitted() int { return c.Seq }

// Told notes that the event of that number was emitted by a memory of the call
// that is lost: the next one has a number behind it.
func (c *Call) Told(seq int) { c.Seq = max(c.Seq, seq) }

// Apply applies one raw event that was stored at the given time. Timers due by
// then fire first, and what should have been forgotten by then is, so that the
// result does not depend on how often the caller ticks and prunes.
func (c *Call) Apply(r event.Raw, stored time.Time, lim Limits) ([]event.Call, Verdict) {
	stored = instant(stored)
	out := c.Tick(stored, lim)
	if c.Forgotten(stored, lim) {
		*c = *Again(c.ID, c.Seq)
	}
	seen := idOf(r.ID)
	if slices.Contains(c.Seen, seen) {
		return out, Duplicate
	}
	c.Seen = append(c.Seen, seen)
	told, verdict := c.take(read(r, stored))
	c.watchSettle(stored)
	if c.Open() {
		c.Resting = time.Time{}
	} else if c.Resting.IsZero() {
		c.Resting = stored
	}
	return append(out, told...), verdict
}

// MarkGap notes that something may have gone unheard in the life of the call:
// its later events carry coverage gap.
func (c *Call) MarkGap() { c.Gap = true }

// FillGap notes that it was heard after all, by a replica that was late.
func (c *Call) FillGap() { c.Gap = false }

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
