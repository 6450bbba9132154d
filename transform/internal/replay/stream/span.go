// Package stream reads what the streams hold: a span from one end to the other,
// what belongs to one subject, or what was stored in a span of time.
//
// It refuses to write. The caller owes it no consumer of its own: what it makes
// on the server is gone when it returns, or expires.
package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// Sentinels of the package.
var (
	// ErrNothing means that there is nothing to work on.
	ErrNothing = errors.New("nothing found")
	// ErrEnd is what a handler returns that has seen enough. It is no error of
	// the reading.
	ErrEnd = errors.New("end of the span")
)

// Span is a stream as it stood at one moment.
type Span struct {
	Name        string
	First, Last uint64
	From, To    time.Time // stored times of its ends
	Created     time.Time
	Partitions  int  // as its metadata says, 0 where it does not
	Imported    bool // by replay: From and To are of where it comes from
}

// Empty reports whether it has no message.
func (s Span) Empty() bool { return s.Last == 0 || s.First > s.Last }

// Present is the time to go by: nothing is known of what was behind an import.
func (s Span) Present(now time.Time) time.Time {
	if s.Imported {
		return s.To
	}
	return now
}

// Anew reports whether the stream is not the one that it was, as a look before
// found it: it was made again, or put back to an earlier state.
func (s Span) Anew(was Span) bool {
	return !s.Created.Equal(was.Created) || s.Last < was.Last || s.First < was.First ||
		s.First == was.First && !s.Empty() && !was.Empty() && !s.From.Equal(was.From)
}

// Look asks for the ends of a stream.
func Look(ctx context.Context, js jetstream.JetStream, stream string) (Span, error) {
	s, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Span{}, missing(stream)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return Span{}, fmt.Errorf("look up stream %s: %w; may this user publish to $JS.API.STREAM.INFO.%s? see --help", stream, err, stream)
	}
	if err != nil {
		return Span{}, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	info := s.CachedInfo()
	n, _ := strconv.Atoi(info.Config.Metadata[topology.MetaPartitions])
	return Span{
		Name: stream, First: info.State.FirstSeq, Last: info.State.LastSeq, Partitions: n,
		From: info.State.FirstTime.UTC(), To: info.State.LastTime.UTC(), Created: info.Created,
	}, nil
}

func missing(stream string) error {
	return fmt.Errorf("%w: stream %s; is this the right server (NATS_URL, --server), and did the services run?", bus.ErrMissing, stream)
}

// RTE also finds out how many partitions there are, which the setting says
// only for a stream that does not, and from when to when it reaches where it was
// imported from.
func RTE(ctx context.Context, js jetstream.JetStream, partitions int) (Span, error) {
	rte, err := Look(ctx, js, topology.RTE)
	if err != nil {
		return rte, err
	}
	if rte.Partitions < 1 || rte.Partitions > topology.MaxPartitions {
		rte.Partitions = partitions
	}
	if rte.Empty() {
		return rte, nil
	}
	first, err := end(ctx, js, rte.Name, jetstream.DeliverAllPolicy)
	if err != nil || !imported(first) {
		return rte, err
	}
	last, err := end(ctx, js, rte.Name, jetstream.DeliverLastPolicy)
	rte.Imported, rte.From, rte.To = true, first.Stored, last.Stored
	return rte, err
}

// LookRTE is [RTE], and refuses a stream that is empty.
func LookRTE(ctx context.Context, js jetstream.JetStream, partitions int) (Span, error) {
	rte, err := RTE(ctx, js, partitions)
	if err == nil && rte.Empty() {
		err = fmt.Errorf("%w: stream %s is empty; has ingest run?", ErrNothing, topology.RTE)
	}
	return rte, err
}

// Read hands over what the span holds from a position on. It reads without a
// filter: to find the last message of a filter needs another permission.
func Read(ctx context.Context, js jetstream.JetStream, s Span, from uint64, handle func(bus.Message) error) error {
	if s.Empty() || from > s.Last {
		return nil
	}
	err := bus.Read(ctx, js, s.Name, nil, from, func(m bus.Message) error {
		if m.Seq <= s.Last {
			m.Stored = Stored(m)
			if err := handle(m); err != nil {
				return err
			}
		}
		if m.Seq >= s.Last || m.Pending == 0 {
			return ErrEnd
		}
		return nil
	})
	return NotEnd(err)
}

// NotEnd is nil for ErrEnd.
func NotEnd(err error) error {
	if errors.Is(err, ErrEnd) {
		return nil
	}
	return err
}

// HeaderStored is when a message that was imported had been stored where it
// comes from. The fold's time is that, and no server lets a client set it.
const HeaderStored = "Ringstream-Stored"

// Stored is when a message was stored, where it was first: that is its time for
// the fold.
func Stored(m bus.Message) time.Time {
	if !imported(m) {
		return m.Stored
	}
	t, err := time.Parse(time.RFC3339Nano, m.Header.Get(HeaderStored))
	if err != nil {
		return m.Stored
	}
	return t.UTC()
}

func imported(m bus.Message) bool { return m.Header.Get(HeaderStored) != "" }

// PositionOf reads which input a message of a log came of.
func PositionOf(m bus.Message) (bus.Position, bool) {
	in, err := strconv.ParseUint(m.Header.Get(bus.HeaderIn), 10, 64)
	if err != nil {
		return bus.Position{}, false
	}
	idx, err := strconv.Atoi(m.Header.Get(bus.HeaderIdx))
	return bus.Position{In: in, Idx: idx}, err == nil
}
