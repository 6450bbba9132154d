package fold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

// ErrRecreated means that the raw stream is not the one that the log was made
// from: it ends before, or holds something else at a position that the log
// knows. It was created anew, or the server lost its end.
var ErrRecreated = errors.New("RTE is not the stream that the call log was made from; delete CALL_LOG_<p> and CALLS, and they are made anew")

// flushLimit bounds the last flush, so that a hand-over is quick.
const flushLimit = 2 * time.Second

// Partition folds one partition of RTE into its log.
type Partition struct {
	JS      jetstream.JetStream
	Number  int
	Limits  call.Limits
	Log     *slog.Logger
	Observe Observer
}

// Observer is told what a partition does. It must be quick.
type Observer interface {
	Started(partition int, from uint64)
	Stepped(partition int, m bus.Message, f *Fold, s Step)
	Unreadable(partition int, m bus.Message, err error)
	Stored(partition int, took time.Duration) // an append was acknowledged; from another goroutine
	Emitted(partition int, out Output, in bus.Message, header map[string][]string)
}

// Run folds until ctx ends, the log is lost or the bus fails; then the state is
// stale and Run must be called anew. When ctx ends, what was appended is stored
// first.
func (p Partition) Run(ctx context.Context) error {
	log, err := bus.OpenLog(ctx, p.JS, topology.CallLog(p.Number), topology.CallLogPrefix(p.Number))
	if err != nil {
		return err
	}
	defer log.Close()
	if foreign := log.Foreign(); len(foreign) > 0 {
		p.Log.Error("somebody else has written into the call log; passed over, but subscribers of call events get it too",
			telemetry.Stream, topology.CallLog(p.Number), telemetry.Seq, foreign)
	}
	f, at, err := p.restore(ctx, log)
	if err != nil {
		return err
	}
	known, err := p.reach(ctx, log, f, at)
	if err != nil {
		return err
	}
	log.OnStored(func(took time.Duration) { p.Observe.Stored(p.Number, took) })
	p.Observe.Started(p.Number, f.Seq()+1)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-log.Lost():
			cancel(log.Err())
		case <-ctx.Done():
		}
	}()
	filters := []string{topology.RawOf(p.Number), topology.FeedAll}
	err = bus.Read(ctx, p.JS, topology.RTE, filters, f.Seq(), func(m bus.Message) error {
		if err := known.pass(Mark{m.Seq, m.Stored}); err != nil || m.Seq <= f.Seq() {
			return err
		}
		return p.step(log, f, m)
	})
	return errors.Join(err, p.finish(ctx, log))
}

// finish stores what is in flight, unless the log is lost anyway.
func (p Partition) finish(ctx context.Context, log *bus.Log) error {
	if log.Err() != nil {
		return nil // it is the cause of the end already
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
	defer cancel()
	return log.Flush(ctx)
}

// restore makes the fold from the newest snapshot, and tells where that is in
// the log, or from nothing.
func (p Partition) restore(ctx context.Context, log *bus.Log) (f *Fold, at uint64, err error) {
	snap, ok, err := log.Snapshot(ctx)
	if err != nil || !ok {
		return New(p.Limits), 0, err
	}
	f, same, err := Restore(p.Limits, snap.Data)
	if err != nil {
		return nil, 0, err
	}
	if !same {
		p.Log.Warn("snapshot is of another version; folding from the start", "position", snap.In)
		return New(p.Limits), 0, nil
	}
	return f, snap.Seq, nil
}

// reach checks that RTE still has what the log was made from, as far as can be
// seen before reading it, and returns what to meet on the way.
func (p Partition) reach(ctx context.Context, log *bus.Log, f *Fold, at uint64) (landmarks, error) {
	rte, err := p.JS.Stream(ctx, topology.RTE)
	if err != nil {
		return landmarks{}, fmt.Errorf("look up stream %s: %w", topology.RTE, err)
	}
	state := rte.CachedInfo().State
	tail, folded := log.Tail()
	if newest := max(tail.In, f.Seq()); newest > state.LastSeq {
		return landmarks{}, fmt.Errorf("%w (partition %d: the log knows message %d, RTE ends at %d)", ErrRecreated, p.Number, newest, state.LastSeq)
	}
	// Without a snapshot all that RTE holds is folded anew, and only what it has
	// lost behind the log's end is missing.
	if from := f.Seq(); from > 0 && state.FirstSeq > from+1 || from == 0 && folded && state.FirstSeq > tail.In+1 {
		if err := p.mend(ctx, f, at, state.FirstSeq); err != nil {
			return landmarks{}, err
		}
	}
	known := landmarks{partition: p.Number}
	for _, m := range []Mark{f.Last(), {Seq: tail.In, Stored: tail.At}} {
		if m.Seq >= state.FirstSeq && !m.Stored.IsZero() {
			known.ahead = append(known.ahead, m)
		}
	}
	return known, nil
}

// mend makes the best of an RTE that begins behind what the fold, which stands
// at position from of the log, would have to read next.
func (p Partition) mend(ctx context.Context, f *Fold, from, first uint64) error {
	p.Log.Error("RTE no longer reaches back to what was folded last: what it has lost makes no call events, and the calls of that time say that "+
		"there is a gap; keep RTE for longer than transform may stand still (max age, size limits)",
		telemetry.Partition, p.Number, "folded", f.Seq(), "first", first)
	f.tear()
	filter := []string{topology.CallLogPrefix(p.Number) + ".ev.>"}
	return bus.ReadAll(ctx, p.JS, topology.CallLog(p.Number), filter, from+1, func(m bus.Message) error {
		seq, err := strconv.Atoi(event.Attribute(m.Header, event.ExtSequence))
		if err == nil && bus.Own(m.Header, m.Seq) {
			f.told(event.Attribute(m.Header, event.ExtCorrelationID), seq, m.Stored)
		}
		return nil
	})
}

// step folds one message and appends what the log does not hold yet.
func (p Partition) step(log *bus.Log, f *Fold, m bus.Message) error {
	in, err := Decode(m)
	if err != nil {
		p.Observe.Unreadable(p.Number, m, err)
	}
	s := f.Step(in)
	s.Unread = err != nil
	for i, out := range s.Outputs {
		at := bus.Position{In: in.Seq, Idx: i, At: in.Stored}
		if log.Holds(at) {
			continue
		}
		if err := p.append(log, out, m, at); err != nil {
			return err
		}
	}
	p.Observe.Stepped(p.Number, m, f, s)
	if !s.Save || log.Saved(in.Seq) {
		return nil
	}
	b, err := f.Snapshot()
	if err != nil {
		return err
	}
	return log.SaveSnapshot(bus.Position{In: in.Seq, At: in.Stored}, b)
}

func (p Partition) append(log *bus.Log, out Output, in bus.Message, at bus.Position) error {
	header, body, err := Encode(out)
	if err != nil { // no writer can append it: it must not stop the partition
		p.Observe.Unreadable(p.Number, in, err)
		return nil
	}
	subject := topology.CallEvent(p.Number, out.Call.OrganizationID, string(out.Call.Type), out.Call.CallID)
	if err := log.Append(subject, header, body, at); err != nil {
		return err
	}
	p.Observe.Emitted(p.Number, out, in, header)
	return nil
}

// Encode makes the message of a call event. Its trace is that of the raw event
// that caused it, or its own when a timer did; its span id comes of its id.
func Encode(out Output) (header map[string][]string, body []byte, err error) {
	id := out.Call.EventID()
	parent, ok := telemetry.ParseTraceparent(out.Trace)
	trace := parent.TraceID()
	if !ok {
		trace = telemetry.TraceID(id)
	}
	header, body, err = event.EncodeCall(out.Call, topology.KeyToken(out.Call.CallID), telemetry.Traceparent(trace, telemetry.SpanID(id)))
	if n := len(body); n > largest {
		return nil, nil, fmt.Errorf("encode call event %s: it has %d bytes, of which %d are allowed", id, n, largest)
	}
	return header, body, err
}
