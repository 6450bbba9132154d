package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/stream"
	"ringstream/transform/internal/replay/watch"
)

// How far before the moment that was asked for a stream is begun with, because
// the servers that date what they store have clocks of their own.
const clocksApart = 30 * time.Second

// begin finds where each stream is to be read from. What comes of a message is
// looked for where it cannot have been stored yet: so the streams are asked in
// the order in which they follow from each other, the last one first.
func (c *command) begin(ctx context.Context, js jetstream.JetStream, s Settings, asked watched) (*watcher, error) {
	rte, err := stream.RTE(ctx, js, s.Partitions)
	if err != nil {
		return nil, err
	}
	refold, restored := NewRefold(rte.Partitions, s.Limits), uint64(0)
	if asked.since.IsZero() {
		if restored, err = refold.restore(ctx, js, s.Limits); err != nil {
			return nil, err
		}
	}
	w := &watcher{js: js, asked: asked, refold: refold, out: c.out, err: c.err}
	for _, f := range []struct {
		of     **followedStream
		name   string
		before time.Duration
	}{
		{&w.deliveries, topology.Deliveries, 2 * clocksApart}, {&w.calls, topology.Calls, clocksApart}, {&w.rte, topology.RTE, 0},
	} {
		if *f.of, err = openAt(ctx, js, f.name, asked.since, f.before); err != nil {
			return nil, err
		}
	}
	heard := w.rte.from - 1
	if w.rte.from = restored + 1; restored == 0 || w.rte.from < rte.First {
		w.refold = NewRefold(rte.Partitions, s.Limits)
		w.rte.from = max(rte.First, 1)
		if heard, err = w.sure(ctx, rte, s.Limits, heard); err != nil {
			return nil, err
		}
	}
	w.rte.read = w.rte.from - 1
	w.checker = watch.New(watch.Rules{
		Partitions: rte.Partitions, Heard: heard, Told: w.calls.from - 1, Late: asked.late, Grace: asked.grace,
		Deadlines: map[event.CallType]time.Duration{
			event.Incoming: s.Incoming, event.Answered: s.Answered, event.Ended: s.Ended, event.Missed: s.Missed,
		},
		Memory: asked.memory, Most: asked.most, Customers: asked.customers,
	})
	return w, nil
}

// sure is the position behind which the fold is right. What RTE has forgotten may
// have begun a call that goes on.
func (w *watcher) sure(ctx context.Context, rte stream.Span, limits call.Limits, heard uint64) (uint64, error) {
	if rte.First <= 1 {
		return heard, nil
	}
	doubtful := rte.From.Add(limits.Settle + limits.Memory + max(limits.Ring, limits.Talk))
	from, err := firstSince(ctx, w.js, topology.RTE, doubtful)
	if err != nil || from <= heard+1 {
		return heard, err
	}
	fmt.Fprintf(w.err, "RTE begins at %s: CALLS is compared with it from %s on\n", rte.From.Format(time.RFC3339), doubtful.Format(time.RFC3339))
	return from - 1, nil
}

// openAt is a stream as it is read from a moment on, or from now.
func openAt(ctx context.Context, js jetstream.JetStream, name string, since time.Time, before time.Duration) (*followedStream, error) {
	span, err := stream.Look(ctx, js, name)
	if err != nil {
		return nil, err
	}
	f := &followedStream{name: name, from: span.Last + 1, messages: make(chan bus.Message)}
	if !since.IsZero() {
		if f.from, err = firstSince(ctx, js, name, since.Add(-before)); err != nil {
			return nil, err
		}
	}
	f.read = f.from - 1
	f.looked(span)
	return f, nil
}

// firstSince is the position of the first message stored from a moment on, or of
// the next one.
func firstSince(ctx context.Context, js jetstream.JetStream, name string, from time.Time) (uint64, error) {
	span, err := stream.Look(ctx, js, name)
	if err != nil {
		return 0, err
	}
	at := span.Last + 1
	err = stream.Fetch(ctx, js, name, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from}, func(m bus.Message) error {
		at = min(at, m.Seq)
		return stream.ErrEnd
	})
	return at, err
}

// restore goes on from the newest snapshots of transform, if every partition has
// one that this version can read. It returns the oldest position of them.
func (r *Refold) restore(ctx context.Context, js jetstream.JetStream, limits call.Limits) (oldest uint64, err error) {
	for p := range r.folds {
		f, err := restored(ctx, js, p, limits)
		if err != nil || f == nil {
			return 0, err
		}
		r.folds[p] = f
		if p == 0 || f.Seq() < oldest {
			oldest = f.Seq()
		}
	}
	return oldest, nil
}

// restored is the fold of a partition at its newest snapshot, nil without one.
func restored(ctx context.Context, js jetstream.JetStream, p int, limits call.Limits) (*fold.Fold, error) {
	log, err := bus.OpenLog(ctx, js, topology.CallLog(p), topology.CallLogPrefix(p))
	if err != nil {
		return nil, err
	}
	snap, found, err := log.Snapshot(ctx)
	log.Close()
	switch {
	case errors.Is(err, bus.ErrFenced): // it was replaced meanwhile
		return restored(ctx, js, p, limits)
	case err != nil || !found:
		return nil, err
	}
	f, same, err := fold.Restore(limits, snap.Data)
	if err != nil || !same {
		return nil, err
	}
	return f, nil
}
