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
// when it began, until handle says ErrEnd.
func Fetch(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig, handle func(bus.Message) error) error {
	c, gone, err := consumer(ctx, js, stream, cfg)
	if err != nil {
		return err
	}
	defer gone()
	for left := c.CachedInfo().NumPending; left > 0; {
		n, err := some(ctx, c, min(left, fetchAtOnce), handle)
		if err != nil || n == 0 {
			return NotEnd(err)
		}
		left -= n
	}
	return nil
}

// consumer makes one that only reads; gone removes it.
func consumer(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig) (c jetstream.Consumer, gone func(), err error) {
	cfg.AckPolicy, cfg.MemoryStorage, cfg.InactiveThreshold, cfg.Replicas = jetstream.AckNonePolicy, true, unused, 1
	c, err = js.CreateConsumer(ctx, stream, cfg)
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
		_ = js.DeleteConsumer(ctx, stream, c.CachedInfo().Name) // if that fails, it expires
	}, nil
}

// end reads the first or the last message of a stream.
func end(ctx context.Context, js jetstream.JetStream, stream string, which jetstream.DeliverPolicy) (found bus.Message, err error) {
	c, gone, err := consumer(ctx, js, stream, jetstream.ConsumerConfig{DeliverPolicy: which})
	if err != nil {
		return found, err
	}
	defer gone()
	if c.CachedInfo().NumPending == 0 {
		return found, nil
	}
	_, err = some(ctx, c, 1, func(m bus.Message) error {
		found = m
		return nil
	})
	return found, err
}

// some takes up to n messages.
func some(ctx context.Context, c jetstream.Consumer, n uint64, handle func(bus.Message) error) (taken uint64, err error) {
	batch, err := c.Fetch(int(n), jetstream.FetchMaxWait(fetchWait)) //nolint:gosec // at most fetchAtOnce
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	for m := range batch.Messages() {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			continue // what was asked for still comes
		}
		taken++
		err = give(m, handle)
	}
	if err == nil {
		err = batch.Error()
	}
	return taken, err
}

func give(m jetstream.Msg, handle func(bus.Message) error) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	is := bus.Message{
		Subject: m.Subject(), Header: m.Headers(), Data: m.Data(),
		Seq: meta.Sequence.Stream, Stored: meta.Timestamp.UTC(), Pending: meta.NumPending,
	}
	is.Stored = Stored(is)
	return handle(is)
}

// Between reads all that a stream stored in a span of time. What was imported is
// stored here after all spans that it is of, and in CALLS not in their order.
func Between(ctx context.Context, js jetstream.JetStream, stream string, from, until time.Time, handle func(bus.Message) error) error {
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from}
	return Fetch(ctx, js, stream, cfg, func(m bus.Message) error {
		switch {
		case m.Stored.After(until) && !imported(m):
			return ErrEnd
		case m.Stored.After(until), m.Stored.Before(from):
			return nil
		}
		return handle(m)
	})
}
