package bus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is one stored message as a reader sees it.
type Message struct {
	Subject string
	Header  nats.Header
	Data    []byte
	Seq     uint64    // position in the stream read
	Stored  time.Time // when the stream stored it
	Pending uint64    // messages behind it that match the filters
}

// Read hands every message of a stream that matches one of the filters, from
// position from (0 and 1 mean the first) on, to handle, in order, once. Nothing is
// acknowledged, nothing is redelivered.
// It returns the error of handle or of ctx; a server that goes away is waited for, but
// when it is asked for a consumer: at the beginning and, with several filters, where
// what was stored ends and when the reader has fallen far behind.
func Read(ctx context.Context, js jetstream.JetStream, stream string, filters []string, from uint64, handle func(Message) error) error {
	if len(filters) < 2 {
		return follow(ctx, js, stream, filters, from, handle)
	}
	return readSeveral(ctx, js, stream, filters, from, handle)
}

// lookAgain is how often who gets nothing asks whether there is anything left to get.
const lookAgain = 5 * time.Second

// errCaughtUp ends ReadAll.
var errCaughtUp = errors.New("caught up")

// ReadAll is [Read] up to the message that was the stream's last when it began.
func ReadAll(ctx context.Context, js jetstream.JetStream, stream string, filters []string, from uint64, handle func(Message) error) error {
	return readUntil(ctx, js, stream, filters, from, math.MaxUint64, handle)
}

// readUntil is ReadAll as far as a position.
func readUntil(ctx context.Context, js jetstream.JetStream, stream string, filters []string, from, until uint64, handle func(Message) error) error {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return lookUp(stream, err)
	}
	last, err := lastOf(ctx, s, filters)
	if last = min(last, until); err != nil || last < max(from, 1) {
		return err
	}
	reading, end := context.WithCancelCause(ctx)
	defer end(nil)
	var at atomic.Uint64
	at.Store(max(from, 1) - 1)
	wanted := last // which the reader itself may lower
	go func() {
		if vanished(reading, js, stream, filters, wanted, at.Load) {
			end(errCaughtUp)
		}
	}()
	err = follow(reading, js, stream, filters, from, func(m Message) error {
		if m.Seq <= last {
			if err := handle(m); err != nil {
				return err
			}
		}
		at.Store(m.Seq)
		if m.Seq < last && m.Pending == 0 {
			// The last one was removed meanwhile, or is not yet where the consumer is: a
			// replica can be behind the stream's leader. The leader knows.
			now, err := lastOf(ctx, s, filters)
			if err != nil {
				return err
			}
			last = min(last, now)
		}
		if m.Seq >= last {
			return errCaughtUp
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errCaughtUp):
		return nil
	default:
		return err
	}
}

// vanished waits until nothing is left of what was to be read: the stream's limits may
// remove it before the reader has it, and then nothing comes. It reports false when
// ctx ends.
func vanished(ctx context.Context, js jetstream.JetStream, stream string, filters []string, last uint64, at func() uint64) bool {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for before := at(); ; before = at() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
		if at() != before {
			continue
		}
		if s, err := js.Stream(ctx, stream); err == nil {
			if now, err := lastOf(ctx, s, filters); err == nil && at() >= min(last, now) {
				return true
			}
		}
	}
}

// lastOf is the position of the last message that matches a filter, 0 if none.
func lastOf(ctx context.Context, s jetstream.Stream, filters []string) (uint64, error) {
	if s.CachedInfo().State.Msgs == 0 {
		return 0, nil // LastSeq stays when the last message expires
	}
	if len(filters) == 0 {
		filters = []string{">"}
	}
	var last uint64
	for _, f := range filters {
		m, err := s.GetLastMsgForSubject(ctx, f)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return 0, fmt.Errorf("find the last message of %s: %w", f, err)
		default:
			last = max(last, m.Sequence)
		}
	}
	return last, nil
}
