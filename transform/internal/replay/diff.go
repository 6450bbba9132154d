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
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

const (
	pollEvery = 100 * time.Millisecond
	// What stands in a log reaches CALLS by itself within this time.
	sourceLag = time.Second
)

// differing is what diff was asked for.
type differing struct {
	against string        // a file, or CALLS
	wait    time.Duration // for CALLS
	until   time.Time     // zero: to the end
	limit   int           // so many calls are listed; 0: all
	format  string
}

// diff compares the fold with CALLS, or with what another binary made of RTE.
func (c *command) diff(ctx context.Context, js jetstream.JetStream, s Settings, asked differing) error {
	rte, err := stream.LookRTE(ctx, js, s.Partitions)
	if err != nil {
		return err
	}
	if asked.against != "" {
		return c.diffLines(ctx, js, s, asked, rte)
	}
	calls, err := stream.Look(ctx, js, topology.Calls)
	if err != nil {
		return err
	}
	wanted, err := c.foldAll(ctx, js, rte, s.Limits, asked.until)
	if err != nil {
		return err
	}
	h := holdings{js: js, wanted: wanted, next: calls.First, bar: progress{w: c.bar, what: "reading"}}
	reached, err := h.collect(ctx, rte.Partitions, asked.wait)
	if err != nil {
		return err
	}
	scope := Scope{Sure: wanted.sureFrom(h.oldest), Heard: wanted.heard, Last: wanted.rte.Last, Reached: reached}
	r := Compare(wanted.told, h.held, scope)
	err = c.tellDifferences(findings{Report: r, side: sideCalls, upTo: fmt.Sprintf("CALLS up to %d", h.last), rte: wanted.rte, limits: s.Limits}, asked)
	if err == nil && len(r.Behind) > 0 {
		return fmt.Errorf("%w: what transform has not told yet was not compared; is transform running? see its /readyz, or give it longer with --wait", ErrBehind)
	}
	return err
}

// diffLines compares the fold with what another binary has printed.
func (c *command) diffLines(ctx context.Context, js jetstream.JetStream, s Settings, asked differing, rte stream.Span) error {
	lines, err := c.lines(asked.against)
	if err != nil {
		return err
	}
	wanted, err := c.foldAll(ctx, js, rte, s.Limits, asked.until)
	if err != nil {
		return err
	}
	if len(lines) == 0 && len(wanted.told) > 0 {
		return fmt.Errorf("%w: %s has no call event; did replay run -o json fail?", stream.ErrNothing, asked.against)
	}
	for i, l := range lines {
		lines[i].Early = wanted.rte.First > 1 && !l.Recorded.IsZero() && l.Recorded.Before(wanted.rte.From)
	}
	r := Compare(wanted.told, lines, Scope{Sure: wanted.sureFrom(0), Heard: wanted.heard, Last: wanted.rte.Last})
	f := findings{Report: r, side: sideFile, upTo: explain.Count(len(lines), "line") + " of FILE", rte: wanted.rte, limits: s.Limits}
	f.short = endsShort(r, wanted.told)
	return c.tellDifferences(f, asked)
}

func (c *command) tellDifferences(f findings, asked differing) error {
	out := bufio.NewWriter(c.out)
	var err error
	if asked.format == "json" {
		err = f.printJSON(out, asked.limit)
	} else {
		c.colour.report(out, f, asked.limit)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	switch {
	case len(f.Parted) > 0:
		return ErrDiffer
	case f.Calls == 0 && len(f.Cut) > 0:
		return fmt.Errorf("%w that can be compared: every call may have begun before RTE's first message", stream.ErrNothing)
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

func (c *command) foldAll(ctx context.Context, js jetstream.JetStream, rte stream.Span, limits call.Limits, until time.Time) (*wanted, error) {
	w := &wanted{rte: rte, heard: map[string]uint64{}}
	refold := NewRefold(rte.Partitions, limits)
	bar := progress{w: c.bar, what: "folding"}
	defer bar.done()
	var began time.Time
	all := func(ctx context.Context, handle func(bus.Message) error) error {
		return stream.Read(ctx, js, rte, rte.First, handle)
	}
	err := ahead(ctx, all, func(m decoded) error {
		if (Selection{Until: until}).Past(m.Stored) {
			return stream.ErrEnd
		}
		if began.IsZero() {
			began, w.rte.First, w.rte.From = m.Stored, m.Seq, m.Stored // the oldest may have expired meanwhile
		}
		w.rte.Last, w.rte.To = m.Seq, m.Stored
		w.told = append(w.told, refold.step(m)...)
		w.doubt(m.in, m.Stored.Sub(began), limits)
		bar.at(rte, m.Seq)
		return nil
	})
	if err == nil && began.IsZero() {
		err = fmt.Errorf("%w: RTE holds nothing stored before %s", stream.ErrNothing, until.Format(time.RFC3339))
	}
	w.sureIfRung, w.sure = cmp.Or(w.sureIfRung, w.rte.Last+1), cmp.Or(w.sure, w.rte.Last+1)
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

// ids tell where in told each event is.
func (w *wanted) ids() map[string]int {
	all := make(map[string]int, len(w.told))
	for i := range w.told {
		all[w.told[i].id()] = i
	}
	return all
}

// holdings is what CALLS has, as it grows.
type holdings struct {
	js     jetstream.JetStream
	wanted *wanted
	held   []Held
	next   uint64         // position of CALLS to read on from
	last   uint64         // newest position read
	oldest uint64         // the smallest position in RTE that a message states
	ids    map[string]int // of what is wanted
	seen   []bool         // of what is wanted
	absent int            // not seen yet
	bar    progress
}

// collect reads CALLS until it has an event of every id, or as long as waiting
// is allowed. Then, if some are absent, it returns how far transform has come.
// What transform has come past is waited for only as long as it may be on its way.
func (h *holdings) collect(ctx context.Context, partitions int, wait time.Duration) (reached []bus.Position, err error) {
	defer h.bar.done()
	h.ids, h.seen, h.absent = h.wanted.ids(), make([]bool, len(h.wanted.told)), len(h.wanted.told)
	whole := func() bool { return h.absent == 0 }
	if err := h.readOn(ctx); err != nil || whole() {
		return nil, err
	}
	if reached, err = reachedBy(ctx, h.js, partitions); err != nil {
		return nil, err
	}
	if h.lacks(func(t *Told) bool { return t.At.After(reached[t.Partition]) }) {
		if err := h.await(ctx, wait, whole); err != nil || whole() {
			return nil, err
		}
		if reached, err = reachedBy(ctx, h.js, partitions); err != nil {
			return nil, err
		}
	}
	return reached, h.await(ctx, sourceLag, func() bool {
		return !h.lacks(func(t *Told) bool { return !t.At.After(reached[t.Partition]) })
	})
}

// lacks reports whether an event of some sort is absent.
func (h *holdings) lacks(sort func(*Told) bool) bool {
	for i := range h.wanted.told {
		if !h.seen[i] && sort(&h.wanted.told[i]) {
			return true
		}
	}
	return false
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
		h.bar.at(calls, m.Seq)
		return h.take(held(m))
	})
}

func (h *holdings) take(m Held) (err error) {
	h.last, h.next = m.Seq, m.Seq+1
	if i, is := h.ids[m.ID]; is {
		if !h.seen[i] {
			h.seen[i] = true
			h.absent--
		}
		if m, err = m.beside(&h.wanted.told[i]); err != nil {
			return err
		}
	}
	if !m.Stated {
		h.held = append(h.held, m)
		return nil
	}
	if h.oldest == 0 || m.At.In < h.oldest {
		h.oldest = m.At.In
	}
	if m.At.In <= h.wanted.rte.Last {
		h.held = append(h.held, m)
	}
	return nil
}

// reachedBy tells how far transform has come, by partition.
func reachedBy(ctx context.Context, js jetstream.JetStream, partitions int) ([]bus.Position, error) {
	reached := make([]bus.Position, partitions)
	for p := range reached {
		var err error
		if reached[p], err = reachedIn(ctx, js, p); err != nil {
			return nil, err
		}
	}
	return reached, nil
}

// reachedIn reads the last message of a partition's log: transform has folded
// what it states.
func reachedIn(ctx context.Context, js jetstream.JetStream, p int) (bus.Position, error) {
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
