// Package stream reads what the streams hold: a span from one end to the other,
// what belongs to one subject, or what was stored in a span of time.
//
// It refuses to write. The caller owes it no consumer of its own: what it makes
// on the server is gone when it returns, or expires.
package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
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
	At          time.Time // when the server told of it, by its clock
	Partitions  int       // as its metadata says, 0 where it does not
	Imported    bool      // by replay: From and To are of where it comes from
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
	var s jetstream.Stream
	err := request(ctx, js, func(ctx context.Context) (err error) { s, err = js.Stream(ctx, stream); return err })
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
		From: info.State.FirstTime.UTC(), To: info.State.LastTime.UTC(), Created: info.Created, At: info.TimeStamp.UTC(),
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
	if err != nil || !Imported(first) {
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

// Read hands over what the span holds from a position on, and waits for a
// connection that is lost meanwhile. It reads without a filter: to find the last
// message of a filter needs another permission.
func Read(ctx context.Context, js jetstream.JetStream, s Span, from uint64, handle func(bus.Message) error) error {
	if s.Empty() || from > s.Last {
		return nil
	}
	before, whole := js.Conn().Stats().Reconnects, false
	err := watched(ctx, js, s, from, func(m bus.Message) error {
		if m.Seq <= s.Last {
			if err := handle(m); err != nil {
				whole = errors.Is(err, ErrEnd)
				return err
			}
		}
		if whole = m.Seq >= s.Last; whole || m.Pending == 0 {
			return ErrEnd
		}
		return nil
	})
	if err = NotEnd(err); err != nil || whole && js.Conn().Stats().Reconnects == before {
		return err
	}
	return Same(ctx, js, s)
}

// Follow hands over what comes behind a span, until handle fails, ctx ends, or
// the stream is not the same any more. A connection that is lost is waited for.
func Follow(ctx context.Context, js jetstream.JetStream, s Span, handle func(bus.Message) error) error {
	return watched(ctx, js, s, s.Last+1, handle)
}

// watched reads on and on, and looks whether it is still the same stream.
func watched(ctx context.Context, js jetstream.JetStream, s Span, from uint64, handle func(bus.Message) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop(nil)
	watching.Go(func() { stop(Watch(ctx, js, s)) })
	var handled error
	err := Again(ctx, js, func() error {
		err := bus.Read(ctx, js, s.Name, nil, from, func(m bus.Message) error {
			from = m.Seq + 1
			m.Stored = Stored(m)
			handled = handle(m)
			return handled
		})
		if handled != nil {
			err = nil // of the connection
		}
		return err
	})
	return cmp.Or(handled, err)
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
	if !Imported(m) {
		return m.Stored
	}
	t, err := time.Parse(time.RFC3339Nano, m.Header.Get(HeaderStored))
	if err != nil {
		return m.Stored
	}
	return t.UTC()
}

// Imported reports whether replay has put a message there.
func Imported(m bus.Message) bool { return m.Header.Get(HeaderStored) != "" }

// PositionOf reads which input a message of a log came of.
func PositionOf(m bus.Message) (bus.Position, bool) {
	in, err := strconv.ParseUint(m.Header.Get(bus.HeaderIn), 10, 64)
	if err != nil {
		return bus.Position{}, false
	}
	idx, err := strconv.Atoi(m.Header.Get(bus.HeaderIdx))
	return bus.Position{In: in, Idx: idx}, err == nil
}
