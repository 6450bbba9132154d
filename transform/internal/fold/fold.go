// Package fold turns the raw events of one partition into call events: it
// keeps the memory of every call (package call), its timers and the clock, and
// it appends what comes out to the partition's log, exactly once.
//
// [Fold] is the pure part: the same inputs give the same outputs and the same
// snapshots, bytes included. Its time is the stored time of what it reads.
// [Partition] joins it to the bus. Everything that reaches the log is a
// function of the raw stream alone, which is what makes a pipelined log safe
// (see bus.Log).
package fold

import (
	"container/heap"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// Input is one message of the raw stream that concerns the partition.
type Input struct {
	Seq      uint64
	Stored   time.Time
	Recorded time.Time   // when ingest heard a raw event; zero when it did not say
	Raw      *event.Raw  // a raw event, or
	Feed     *event.Feed // a coverage event; with neither it only carries the clock on
	Trace    string      // traceparent of the message
}

// Output is one call event and the trace context of the input that made it,
// empty when a timer did.
type Output struct {
	Call  event.Call
	Trace string
}

// Step tells what one input did.
type Step struct {
	Outputs []Output
	Verdict call.Verdict
	Skipped bool // no event of a call
	Unread  bool // it could not be read
	Save    bool // a snapshot belongs behind this input
}

// Fold is the state of one partition.
type Fold struct {
	limits   call.Limits
	calls    map[string]*known
	timers   timers
	numbers  numbers
	texts    texts
	open     int
	seq      uint64    // of the newest input
	stored   time.Time // when that was stored
	clock    time.Time // the latest of all stored times
	coverage coverage.Ledger
	torn     tear
}

// New makes the fold of a partition that has seen nothing.
func New(limits call.Limits) *Fold {
	return &Fold{limits: limits, calls: map[string]*known{}, numbers: newNumbers(), texts: texts{}}
}

// Step folds one input. Inputs come in the order of the stream.
func (f *Fold) Step(in Input) Step {
	step := Step{Skipped: true, Save: f.saves(in) || f.torn.fresh}
	f.seq, f.stored = in.Seq, in.Stored
	if in.Stored.After(f.clock) {
		f.clock = in.Stored
	}
	f.torn.begin(f.clock, f.limits.Ring)
	if in.Feed != nil {
		f.listen(*in.Feed)
	}
	if step.Save {
		f.forget()
	}
	f.fire(&step)
	f.numbers.expire(f.clock)
	if in.Raw != nil && call.Concerns(*in.Raw) {
		f.apply(in, &step)
	}
	for i := range step.Outputs {
		step.Outputs[i].Call.RecordedAt = in.recorded()
	}
	return step
}

// recorded is when ringstream heard of the input. The hub's clock has no part
// in it, and neither has a wait for NATS: what is late is late from here on.
func (in Input) recorded() time.Time {
	if in.Recorded.IsZero() || in.Recorded.After(in.Stored) {
		return in.Stored
	}
	return in.Recorded
}

// A snapshot is due when the stream passes one of these marks. They are the
// further apart the larger the state is, so that saving it costs an event about
// as much however many calls there are. Where they are depends on what was folded
// alone, not on when a replica started.
const (
	saveEvery    = 2_000 // positions of RTE
	saveInterval = 30 * time.Second
	saveWeight   = 500 // calls that are saved so often
	lightNumbers = 16  // numbers of forgotten calls that weigh as much as a call
)

func (f *Fold) saves(in Input) bool {
	every, interval := uint64(saveEvery), saveInterval
	for weight := len(f.calls) + f.numbers.count/lightNumbers; weight > saveWeight; weight /= 2 {
		every, interval = 2*every, 2*interval
	}
	return f.seq > 0 && (in.Seq/every != f.seq/every || !f.clock.Truncate(interval).Equal(later(in.Stored, f.clock).Truncate(interval)))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (f *Fold) apply(in Input, step *Step) {
	raw := f.texts.shared(*in.Raw)
	id := raw.CallID
	c := f.calls[id]
	if c == nil {
		c = &known{Call: *call.Again(id, f.numbers.take(id)), Torn: f.clock.Before(f.torn.Until)}
		f.calls[id] = c
	}
	c.join(raw, in.recorded())
	c.check(f.coverage.Checker(), f.coverage.Floor(), f.present())
	told := f.watch(c, func() (out []event.Call) {
		out, step.Verdict = c.Apply(raw, f.clock, f.limits)
		return out
	})
	step.Skipped = false
	for _, e := range told {
		step.Outputs = append(step.Outputs, Output{Call: e, Trace: in.Trace})
	}
}

// fire runs every timer that is due by now, in the order of their times.
func (f *Fold) fire(step *Step) {
	for len(f.timers) > 0 && !f.timers[0].at.After(f.clock) {
		t := heap.Pop(&f.timers).(timer)
		c := f.calls[t.call]
		if c == nil || !c.timer.Equal(t.at) {
			continue // an earlier one took its place
		}
		c.timer = time.Time{}
		if !c.Due(f.limits).Equal(t.at) {
			f.arm(c) // the call has moved on
			continue
		}
		if c.Forgotten(f.clock, f.limits) {
			f.numbers.keep(t.call, c.Emitted(), f.clock)
			delete(f.calls, t.call)
			continue
		}
		for _, e := range f.watch(c, func() []event.Call { return c.Tick(f.clock, f.limits) }) {
			step.Outputs = append(step.Outputs, Output{Call: e})
		}
	}
}

// watch runs a change of a call and keeps its timer and the count of open calls.
func (f *Fold) watch(c *known, change func() []event.Call) []event.Call {
	f.count(c, -1)
	out := change()
	f.count(c, +1)
	f.arm(c)
	return out
}

func (f *Fold) count(c *known, by int) {
	if c.Open() {
		f.open += by
	}
}

// arm sees to it that the call is looked at when it is due, or before: that most
// events put off what is due costs nothing then.
func (f *Fold) arm(c *known) {
	if at := c.Due(f.limits); !at.IsZero() && (c.timer.IsZero() || at.Before(c.timer)) {
		c.timer = at
		heap.Push(&f.timers, timer{at, c.ID})
	}
}

// Open is the number of calls that are not closed.
func (f *Fold) Open() int { return f.open }

// Known is the number of calls remembered.
func (f *Fold) Known() int { return len(f.calls) }

// Gap reports whether something may have gone unheard in the life of a call.
func (f *Fold) Gap(callID string) bool {
	c := f.calls[callID]
	return c != nil && c.Gap
}

// Last is the newest input.
func (f *Fold) Last() Mark { return Mark{f.seq, f.stored} }

// Seq is the position of the newest input.
func (f *Fold) Seq() uint64 { return f.seq }
