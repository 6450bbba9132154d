package replay

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/stream"
)

const (
	pollEvery = 100 * time.Millisecond
	// What stands in a log reaches CALLS by itself within this time.
	sourceLag = time.Second
)

// diff compares CALLS with the fold.
func (c *command) diff(ctx context.Context, js jetstream.JetStream, s Settings, wait time.Duration) error {
	rte, err := stream.LookRTE(ctx, js, s.Partitions)
	if err != nil {
		return err
	}
	calls, err := stream.Look(ctx, js, topology.Calls)
	if err != nil {
		return err
	}
	wanted, err := c.foldAll(ctx, js, rte, s.Limits)
	if err != nil {
		return err
	}
	h := holdings{js: js, next: calls.First, end: wanted.rte.Last, absent: wanted.ids(), bar: progress{w: c.bar, what: "reading"}}
	reached, err := h.collect(ctx, rte.Partitions, wait)
	if err != nil {
		return err
	}
	scope := Scope{Sure: wanted.sureFrom(h.oldest), Heard: wanted.heard, Last: wanted.rte.Last, Reached: reached}
	r := Compare(wanted.told, h.held, scope)
	out := bufio.NewWriter(c.out)
	c.colour.report(out, r, wanted, h.last, s.Limits)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	switch {
	case len(r.Parted) > 0:
		return ErrDiffer
	case r.Calls == 0 && len(r.Cut) > 0:
		return fmt.Errorf("%w that can be compared: every call may have begun before RTE's first message", stream.ErrNothing)
	case len(r.Behind) > 0:
		return fmt.Errorf("%w: what transform has not told yet was not compared; is transform running? see its /readyz, or give it longer with --wait", ErrBehind)
	}
	return nil
}

// wanted is what RTE implies.
type wanted struct {
	rte   stream.Span
	told  []Told
	heard map[string]uint64 // where each call of RTE's first hours was first heard of, by its key
	// Positions from which on a call was certainly not heard of before RTE's
	// first message, if it had rung by then, and if nothing is known of it.
	sureIfRung, sure uint64
}

func (c *command) foldAll(ctx context.Context, js jetstream.JetStream, rte stream.Span, limits call.Limits) (*wanted, error) {
	w := &wanted{rte: rte, heard: map[string]uint64{}}
	refold := NewRefold(rte.Partitions, limits)
	bar := progress{w: c.bar, what: "folding"}
	defer bar.done()
	var began time.Time
	err := stream.Read(ctx, js, rte, rte.First, func(m bus.Message) error {
		if began.IsZero() {
			began, w.rte.First, w.rte.From = m.Stored, m.Seq, m.Stored // the oldest may have expired meanwhile
		}
		in, told := refold.Take(m)
		for _, t := range told {
			t, err := t.Encoded()
			if err != nil {
				return err
			}
			w.told = append(w.told, t)
		}
		w.doubt(in, m.Stored.Sub(began), limits)
		bar.at(rte, m.Seq)
		return nil
	})
	w.sureIfRung, w.sure = cmp.Or(w.sureIfRung, rte.Last+1), cmp.Or(w.sure, rte.Last+1)
	return w, err
}

// doubt notes which calls are first heard of while one that RTE has forgotten
// could still be going on, or be remembered.
func (w *wanted) doubt(in fold.Input, age time.Duration, limits call.Limits) {
	memory := limits.Settle + limits.Memory
	if w.sureIfRung == 0 && age > memory+limits.Ring {
		w.sureIfRung = in.Seq
	}
	if w.sure == 0 && age > memory+max(limits.Ring, limits.Talk) {
		w.sure = in.Seq
	}
	if w.sure != 0 || in.Raw == nil || !call.Concerns(*in.Raw) {
		return
	}
	if key := topology.KeyToken(in.Raw.CallID); w.heard[key] == 0 {
		w.heard[key] = in.Seq
	}
}

// sureFrom returns the position from which on calls can be compared. If CALLS
// reaches back further than RTE, a call that had rung before shows there.
func (w *wanted) sureFrom(oldest uint64) uint64 {
	switch {
	case w.rte.First <= 1:
		return w.rte.First
	case oldest > 0 && oldest < w.rte.First:
		return w.sureIfRung
	default:
		return w.sure
	}
}

// ids are those of every event told, with its place.
func (w *wanted) ids() map[string]Told {
	all := make(map[string]Told, len(w.told))
	for _, t := range w.told {
		all[id(t.Header)] = t
	}
	return all
}

// holdings is what CALLS has, as it grows.
type holdings struct {
	js     jetstream.JetStream
	held   []Held
	next   uint64          // position of CALLS to read on from
	last   uint64          // newest position read
	oldest uint64          // the smallest position in RTE that a message states
	end    uint64          // what was caused behind this position of RTE is not kept
	absent map[string]Told // not seen yet, by id
	bar    progress
}

// collect reads CALLS until it has an event of every id, or as long as waiting
// is allowed. Then, if some are absent, it returns how far transform has come.
func (h *holdings) collect(ctx context.Context, partitions int, wait time.Duration) ([]bus.Position, error) {
	defer h.bar.done()
	err := h.await(ctx, wait, func() bool { return len(h.absent) == 0 })
	if err != nil || len(h.absent) == 0 {
		return nil, err
	}
	reached := make([]bus.Position, partitions)
	for p := range reached {
		if reached[p], err = reachedBy(ctx, h.js, p); err != nil {
			return nil, err
		}
	}
	return reached, h.await(ctx, sourceLag, func() bool {
		for _, t := range h.absent {
			if !t.At.After(reached[t.Partition]) {
				return false
			}
		}
		return true
	})
}

// await reads on until it has enough or the time is over.
func (h *holdings) await(ctx context.Context, wait time.Duration, enough func() bool) error {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for over := false; ; {
		if err := h.readOn(ctx); err != nil {
			return err
		}
		if over || enough() {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			over = true // one last look
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (h *holdings) readOn(ctx context.Context) error {
	calls, err := stream.Look(ctx, h.js, topology.Calls)
	if err != nil {
		return err
	}
	return stream.Read(ctx, h.js, calls, h.next, func(m bus.Message) error {
		h.take(held(m))
		h.bar.at(calls, m.Seq)
		return nil
	})
}

func (h *holdings) take(m Held) {
	h.last, h.next = m.Seq, m.Seq+1
	delete(h.absent, id(m.Header))
	if !m.Stated {
		h.held = append(h.held, m)
		return
	}
	if h.oldest == 0 || m.At.In < h.oldest {
		h.oldest = m.At.In
	}
	if m.At.In <= h.end {
		h.held = append(h.held, m)
	}
}

// reachedBy reads the last message of a partition's log: transform has folded
// what it states.
func reachedBy(ctx context.Context, js jetstream.JetStream, p int) (bus.Position, error) {
	log, err := stream.Look(ctx, js, topology.CallLog(p))
	if err != nil {
		return bus.Position{}, err
	}
	var at bus.Position
	err = stream.Read(ctx, js, log, log.Last, func(m bus.Message) error {
		at, _ = stream.PositionOf(m)
		return nil
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("%w: stream %s", bus.ErrMissing, log.Name)
	}
	return at, err
}
