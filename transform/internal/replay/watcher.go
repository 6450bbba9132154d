package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
	"ringstream/transform/internal/replay/watch"
)

const (
	lookEvery = time.Second
	// So many events or deliveries a stream is read ahead of the one that follows
	// from it.
	mostAhead = 10_000
	againIn   = time.Second // a stream that could not be read
)

// watcher reads three streams at once and hands over to the checker what it can
// judge. Only one goroutine touches it.
type watcher struct {
	js                     jetstream.JetStream
	asked                  watched
	refold                 *Refold
	checker                *watch.Checker
	rte, calls, deliveries *followedStream
	gauges                 *gauges
	lapses                 lapses
	out, err               io.Writer
	found                  int
}

// followedStream is a stream as it is read.
type followedStream struct {
	name     string
	from     uint64
	messages chan bus.Message
	head     *bus.Message // waits for another stream
	read     uint64       // position up to which everything was handed over
	asOf     time.Time    // up to then all of it is known, by the server's clock
	seen     stream.Span  // as it was looked at last
}

// looked takes in how the stream stands.
func (f *followedStream) looked(now stream.Span) {
	f.seen = now
	f.pass(time.Time{})
}

// took notes that a message was handed over.
func (f *followedStream) took(m bus.Message) {
	f.read, f.head = m.Seq, nil
	f.pass(m.Stored)
}

// pass moves on up to when the stream is known.
func (f *followedStream) pass(stored time.Time) {
	if f.whole() && f.seen.At.After(stored) {
		stored = f.seen.At
	}
	if stored.After(f.asOf) {
		f.asOf = stored
	}
}

// whole reports whether all was handed over that there was at the last look.
func (f *followedStream) whole() bool { return f.seen.Empty() || f.read >= f.seen.Last }

// run watches until ctx or the time asked for ends.
func (w *watcher) run(ctx context.Context) error {
	reading, stop := context.WithCancelCause(ctx)
	if w.asked.last > 0 {
		defer time.AfterFunc(w.asked.last, func() { stop(nil) }).Stop()
	}
	looks := make(chan stream.Span)
	var readers sync.WaitGroup
	for _, f := range w.all() {
		readers.Go(func() { w.follow(reading, f) })
	}
	readers.Go(func() { w.look(reading, looks) })
	err := w.judge(reading, looks)
	stop(err)
	readers.Wait()
	fmt.Fprintf(w.err, "%s in %s of RTE, %d of CALLS and %d of DELIVERIES\n", explain.Count(w.found, "violation"),
		explain.Count(int(w.rte.read+1-w.rte.from), "message"), w.calls.read+1-w.calls.from, w.deliveries.read+1-w.deliveries.from) //nolint:gosec // a count
	if err == nil && w.found > 0 {
		err = ErrBroken
	}
	return err
}

func (w *watcher) all() []*followedStream { return []*followedStream{w.rte, w.calls, w.deliveries} }

// follow reads a stream, and again where it stopped after an error.
func (w *watcher) follow(ctx context.Context, f *followedStream) {
	for from := f.from; ctx.Err() == nil; {
		_ = bus.Read(ctx, w.js, f.name, nil, from, func(m bus.Message) error {
			from = m.Seq + 1
			m.Stored = stream.Stored(m)
			select {
			case f.messages <- m:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		wait(ctx, againIn) // if it does not come back, what is read grows old, and /readyz says so
	}
}

// look asks how the streams stand. What does not answer is asked again.
func (w *watcher) look(ctx context.Context, looks chan<- stream.Span) {
	for ctx.Err() == nil {
		for _, name := range []string{topology.Deliveries, topology.Calls, topology.RTE} {
			now, err := stream.Look(ctx, w.js, name)
			if err != nil && !errors.Is(err, bus.ErrMissing) {
				continue
			}
			now.Name = name
			select {
			case looks <- now:
			case <-ctx.Done():
			}
		}
		wait(ctx, lookEvery)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// judge takes one thing after the other until ctx ends.
func (w *watcher) judge(ctx context.Context, looks <-chan stream.Span) error {
	for {
		var err error
		select {
		case m := <-w.ready(w.rte, w.calls, w.checker.Untold()):
			w.heard(m)
		case m := <-w.ready(w.calls, w.deliveries, w.checker.Awaited()):
			w.calls.head = &m
		case m := <-w.ready(w.deliveries, nil, 0):
			w.deliveries.head = &m
		case now := <-looks:
			err = w.looked(now)
		case <-ctx.Done():
			return nil
		}
		if err = errors.Join(err, w.release()); err != nil {
			return err
		}
	}
}

// ready is what of a stream can be taken: nothing while a message of it waits,
// or while it is too far ahead of what follows from it and could wait for that.
func (w *watcher) ready(f, behind *followedStream, ahead int) <-chan bus.Message {
	if f.head != nil || behind != nil && ahead > mostAhead && behind.head == nil && !behind.whole() {
		return nil
	}
	return f.messages
}

// heard takes a message of RTE.
func (w *watcher) heard(m bus.Message) {
	d := decode(m)
	if d.in.Feed != nil {
		w.lapses.take(*d.in.Feed)
	}
	for _, t := range w.refold.step(d) {
		w.checker.Expect(watch.Told{
			ID: t.id(), Call: t.Call.CallID, Number: t.Call.Sequence, Partition: t.Partition, At: t.At, Stored: t.Stored, Unlike: t.unlike,
		})
	}
	w.rte.took(m)
	w.gauges.took(topology.RTE)
}

// unlike says in what a message of CALLS differs from what is told.
func (t Told) unlike(m bus.Message) string {
	t, err := t.Encoded()
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, f := range fieldsThatDiffer(t, held(m)) {
		all = append(all, fmt.Sprintf("%s is %s, and ought to be %s", f.Name, f.Have, f.Want))
	}
	return strings.Join(all, "; ")
}

// release hands over what has waited for another stream.
func (w *watcher) release() error {
	for {
		call, outcome := w.calls.head, w.deliveries.head
		switch {
		case call != nil && w.told(*call):
			w.calls.took(*call)
			w.gauges.took(topology.Calls)
			if err := w.say(w.checker.Call(heldOf(*call))); err != nil {
				return err
			}
		case outcome != nil && !w.calls.asOf.Before(outcome.Stored):
			w.deliveries.took(*outcome)
			w.gauges.took(topology.Deliveries)
			if err := w.say(w.outcome(*outcome)); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// told reports whether the fold has read what a message of CALLS came of.
func (w *watcher) told(m bus.Message) bool {
	at, stated := stream.PositionOf(m)
	return !stated || at.In <= w.rte.read || !w.rte.asOf.Before(m.Stored)
}

func heldOf(m bus.Message) watch.Held {
	h := watch.Held{Message: m, ID: id(m.Header)}
	h.At, h.Stated = stream.PositionOf(m)
	if s, ok := explain.DecodeStored(m); ok {
		h.Call = s.Call
	}
	return h
}

// outcome takes a message of DELIVERIES, snapshots left out.
func (w *watcher) outcome(m bus.Message) []watch.Violation {
	if !strings.HasPrefix(m.Subject, "deliveries.") {
		return nil
	}
	e := watch.Ended{Subject: m.Subject, Seq: m.Seq, Stored: m.Stored}
	e.In, _ = strconv.ParseUint(m.Header.Get(bus.HeaderIn), 10, 64)
	o, ours := explain.DecodeOutcome(m)
	e.Outcome, e.Foreign = o.Outcome, !ours
	return w.checker.Outcome(e, w.calls.asOf)
}

// looked takes in how a stream stands, and what is absent as of then.
func (w *watcher) looked(now stream.Span) error {
	for _, f := range w.all() {
		if f.name != now.Name {
			continue
		}
		if now.Anew(f.seen) {
			return fmt.Errorf("read stream %s: %w; begin again", f.name, stream.ErrAnew)
		}
		f.looked(now)
	}
	if now.Name != topology.RTE { // the last of them
		return nil
	}
	reading := watch.Reading{Calls: w.calls.asOf, Deliveries: w.deliveries.asOf}
	if d := w.deliveries.seen; !d.Empty() {
		reading.Began = d.From
	}
	err := w.say(w.checker.Current(reading))
	w.gauges.state(w)
	return err
}

// say counts and prints what was found.
func (w *watcher) say(all []watch.Violation) error {
	for _, v := range all {
		w.found++
		w.gauges.violation(v.Kind)
		var err error
		if w.asked.format == "json" {
			err = json.NewEncoder(w.out).Encode(v)
		} else {
			_, err = fmt.Fprintln(w.out, violationLine(v))
		}
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

func violationLine(v watch.Violation) string {
	where := v.Stream
	if v.Seq > 0 {
		where += " " + strconv.FormatUint(v.Seq, 10)
	}
	what := v.Event
	if what == "" {
		what = v.Call
	}
	return explain.Plain(strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s: %s", v.At.UTC().Format(explain.StoredFormat), v.Kind, where, what, v.Detail)), " "))
}
