package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// farBehind is from how many messages on a reader with several filters reads what
// is stored by a consumer for each of them, and puts it in order itself. For a
// consumer with several filters the server (2.15) looks, at every message of the
// first part of a block, through all subjects of the block that match one of them;
// with one filter it goes from message to message. At the end of a stream it does so
// with several, too.
const farBehind = 4 * readAhead

// errFellBehind ends following the end of a stream.
var errFellBehind = errors.New("fell far behind")

// tiresome is how long nobody tries again to catch up who could not ask the server.
const tiresome = 30 * time.Second

// readSeveral is Read with several filters. Who cannot catch up follows all the same,
// only more slowly.
func readSeveral(ctx context.Context, js jetstream.JetStream, stream string, filters []string, from uint64, handle func(Message) error) error {
	next, failed := from, error(nil)
	take := func(m Message) error {
		if failed = handle(m); failed == nil {
			next = m.Seq + 1
		}
		return failed
	}
	for {
		var tired time.Time
		switch end, err := catchUp(ctx, js, stream, filters, next, take); {
		case failed != nil:
			return failed
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			tired = time.Now().Add(tiresome)
		default:
			next = end
		}
		err := follow(ctx, js, stream, filters, next, func(m Message) error {
			if err := take(m); err != nil {
				return err
			}
			if m.Pending > 2*farBehind && time.Now().After(tired) {
				return errFellBehind
			}
			return nil
		})
		if !errors.Is(err, errFellBehind) {
			return err
		}
	}
}

// catchUp hands over what is stored of several filters, in order, until less than
// farBehind messages are left, and returns from where to go on.
func catchUp(ctx context.Context, js jetstream.JetStream, stream string, filters []string, from uint64, handle func(Message) error) (uint64, error) {
	for {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return from, lookUp(stream, err)
		}
		state := s.CachedInfo().State
		from = max(from, state.FirstSeq, 1)
		if state.LastSeq < from+farBehind {
			return from, nil
		}
		if err := interleave(ctx, js, stream, filters, from, state.LastSeq, handle); err != nil {
			return from, err
		}
		from = state.LastSeq + 1
	}
}

// ahead is what was read of one filter and not yet handed over.
type ahead struct {
	messages chan Message // closed behind the last one
	next     *Message
	pending  uint64 // messages behind the newest that was taken out
	err      error  // once messages is closed
}

// interleave hands over all that is stored of several filters from one position to
// another, in order. What it reads of each is what was stored when it began, so that
// the lowest of the next ones comes next.
func interleave(ctx context.Context, js jetstream.JetStream, stream string, filters []string, from, last uint64, handle func(Message) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the readers' last requests are waited for by nobody
	all := make([]*ahead, len(filters))
	for i, filter := range filters {
		a := &ahead{messages: make(chan Message, readAhead)}
		all[i] = a
		go func() {
			defer close(a.messages)
			a.err = readUntil(ctx, js, stream, []string{filter}, from, last, func(m Message) error {
				select {
				case a.messages <- m:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
		}()
	}
	for {
		var first *ahead
		for _, a := range all {
			if err := a.fill(); err != nil {
				return err
			}
			if a.next != nil && (first == nil || a.next.Seq < first.next.Seq) {
				first = a
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case first == nil:
			return nil
		}
		m := *first.next
		first.next, first.pending = nil, m.Pending
		for _, a := range all {
			switch {
			case a == first:
			case a.next != nil:
				m.Pending += a.next.Pending + 1
			default:
				m.Pending += a.pending
			}
		}
		if err := handle(m); err != nil {
			return err
		}
	}
}

// fill waits for the next message, if there is one.
func (a *ahead) fill() error {
	if a.next != nil {
		return nil
	}
	m, more := <-a.messages
	if !more {
		return a.err
	}
	a.next = &m
	return nil
}
