package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringstream/schemas/bus"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	fetchAtOnce = 2000
	fetchWait   = 5 * time.Second
	mostBarren  = 2                // consumers in a row that have something and give nothing
	unused      = 10 * time.Second // a reader that was killed is forgotten after so long
)

// Pick reads what a stream holds under one filter, however large the stream is:
// the server's index tells how many there are, and exactly so many are asked for.
// Asked for one more, it would look for it in all that is behind the last one.
func Pick(ctx context.Context, js jetstream.JetStream, stream, filter string, handle func(bus.Message) error) error {
	return Fetch(ctx, js, stream, jetstream.ConsumerConfig{FilterSubject: filter}, func(m bus.Message) error {
		if err := handle(m); err != nil {
			return err
		}
		if m.Pending == 0 {
			return ErrEnd
		}
		return nil
	})
}

// Fetch reads by a consumer of its own, which is gone afterwards, what there was
// when it began, until handle says ErrEnd. When the server gives less, as one does
// that was started anew, another consumer goes on.
func Fetch(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig, handle func(bus.Message) error) error {
	for barren := 0; ; {
		last, whole, err := fetch(ctx, js, stream, cfg, handle)
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil || whole:
			return NotEnd(err)
		case last > 0:
			barren = 0
			cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartSequencePolicy, last+1, nil
		default:
			barren++
		}
		if barren == mostBarren {
			return fmt.Errorf("read stream %s: %w; run it again when the server is well", stream, ErrSilent)
		}
	}
}

// fetch is one consumer's part: up to where, and whether that was all. What was
// on its way when a request ended or a connection was lost, it gives no more.
func fetch(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig, handle func(bus.Message) error) (last uint64, whole bool, err error) {
	c, gone, err := consumer(ctx, js, stream, cfg)
	if err != nil {
		return 0, false, err
	}
	defer gone()
	taken, all := uint64(0), c.CachedInfo().NumPending
	for taken < all {
		want := min(all-taken, fetchAtOnce)
		n, err := some(ctx, c, want, taken, func(m bus.Message) error {
			last = m.Seq
			return handle(m)
		})
		if taken += n; err != nil || n < want {
			return last, false, err
		}
	}
	return last, true, nil
}

// consumer makes one that only reads; gone removes it.
func consumer(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig) (c jetstream.Consumer, gone func(), err error) {
	cfg.AckPolicy, cfg.MemoryStorage, cfg.InactiveThreshold, cfg.Replicas = jetstream.AckNonePolicy, true, unused, 1
	err = request(ctx, js, func(ctx context.Context) (err error) { c, err = js.CreateConsumer(ctx, stream, cfg); return err })
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil, missing(stream)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, nil, fmt.Errorf("read stream %s: %w; may this user publish to $JS.API.CONSUMER.CREATE.%s.>? see --help", stream, err, stream)
	case err != nil:
		return nil, nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return c, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if js.Conn().IsReconnecting() {
			return
		}
		_ = js.DeleteConsumer(ctx, stream, c.CachedInfo().Name) // if that fails, it expires
	}, nil
}

// end reads the first or the last message of a stream.
func end(ctx context.Context, js jetstream.JetStream, stream string, which jetstream.DeliverPolicy) (found bus.Message, err error) {
	err = Fetch(ctx, js, stream, jetstream.ConsumerConfig{DeliverPolicy: which}, func(m bus.Message) error {
		found = m
		return ErrEnd
	})
	return found, err
}

// some takes up to n messages behind those that were taken, without a gap. That
// there are fewer, or none, is no error.
func some(ctx context.Context, c jetstream.Consumer, n, before uint64, handle func(bus.Message) error) (taken uint64, err error) {
	waiting, enough := context.WithTimeout(ctx, fetchWait)
	defer enough()
	batch, err := c.Fetch(int(n), jetstream.FetchContext(waiting)) //nolint:gosec // at most fetchAtOnce
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	gap := false
	for m := range batch.Messages() { // to the end: what was asked for still comes
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || gap {
			continue
		}
		is, nth, bad := read(m)
		if gap = nth != before+taken+1; bad == nil && gap {
			continue
		}
		taken++
		if err = bad; err == nil {
			err = handle(is)
		}
	}
	return taken, errors.Join(err, context.Cause(ctx))
}

// read also tells the how many-th of its consumer a message is.
func read(m jetstream.Msg) (is bus.Message, nth uint64, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return is, 0, fmt.Errorf("read: %w", err)
	}
	is = bus.Message{
		Subject: m.Subject(), Header: m.Headers(), Data: m.Data(),
		Seq: meta.Sequence.Stream, Stored: meta.Timestamp.UTC(), Pending: meta.NumPending,
	}
	is.Stored = Stored(is)
	return is, meta.Sequence.Consumer, nil
}

// Between reads all that a stream stored in a span of time. What was imported is
// stored here after all spans that it is of, and in CALLS not in their order.
func Between(ctx context.Context, js jetstream.JetStream, stream string, from, until time.Time, handle func(bus.Message) error) error {
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from}
	return Fetch(ctx, js, stream, cfg, func(m bus.Message) error {
		switch {
		case m.Stored.After(until) && !Imported(m):
			return ErrEnd
		case m.Stored.After(until), m.Stored.Before(from):
			return nil
		}
		return handle(m)
	})
}
