package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/directory"
	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// shelf keeps the negotiators in a bucket of NATS. Each replica writes what it
// has read itself, and only where that is news: over the list that it has seen
// there, so that of two at once one looks again and finds nothing to do.
type shelf struct{ js jetstream.JetStream }

const (
	shelfPatience = 5 * time.Second
	shelfTurns    = 3 // against others who write just then
)

// Recall implements [directory.Store].
func (s shelf) Recall(ctx context.Context, customer string) (directory.Reading, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	kv, err := bucket(ctx, s.js)
	if err != nil {
		return directory.Reading{}, explain(ctx, s.js, err, shelfPatience)
	}
	kept, _, err := s.look(ctx, kv, customer)
	return kept, explain(ctx, s.js, err, shelfPatience)
}

// Keep implements [directory.Store].
func (s shelf) Keep(ctx context.Context, customer string, r directory.Reading) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	kv, err := bucket(ctx, s.js)
	if err != nil {
		return explain(ctx, s.js, err, shelfPatience)
	}
	for range shelfTurns {
		if err = s.keep(ctx, kv, customer, r); !overtaken(err) {
			break
		}
	}
	return explain(ctx, s.js, err, shelfPatience)
}

func (s shelf) keep(ctx context.Context, kv jetstream.KeyValue, customer string, r directory.Reading) error {
	list, mark, err := r.Encode(customer)
	if err != nil {
		return err
	}
	kept, revision, err := s.look(ctx, kv, customer)
	switch {
	case err != nil && !errors.Is(err, directory.ErrNothingKept):
		return err
	case err == nil && kept.Same(r):
		if r.At.After(kept.At) {
			_, err = kv.Put(ctx, topology.NegotiatorMark(customer), mark)
		}
	case revision == 0:
		_, err = kv.Create(ctx, topology.NegotiatorList(customer), list)
	default:
		_, err = kv.Update(ctx, topology.NegotiatorList(customer), list, revision)
	}
	if err != nil {
		return fmt.Errorf("write into bucket %s: %w", topology.Negotiators, err)
	}
	return nil
}

// look gives what is there, and the list's revision even where it is no use.
func (s shelf) look(ctx context.Context, kv jetstream.KeyValue, customer string) (kept directory.Reading, revision uint64, err error) {
	list, err := kv.Get(ctx, topology.NegotiatorList(customer))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return kept, 0, fmt.Errorf("bucket %s: %w of %s", topology.Negotiators, directory.ErrNothingKept, customer)
	}
	if err != nil {
		return kept, 0, fmt.Errorf("read bucket %s: %w", topology.Negotiators, err)
	}
	var again []byte
	switch mark, err := kv.Get(ctx, topology.NegotiatorMark(customer)); {
	case err == nil:
		again = mark.Value()
	case !errors.Is(err, jetstream.ErrKeyNotFound):
		return kept, 0, fmt.Errorf("read bucket %s: %w", topology.Negotiators, err)
	}
	if kept, err = directory.Decode(customer, list.Value(), again); err != nil {
		err = fmt.Errorf("bucket %s: %w", topology.Negotiators, err)
	}
	return kept, list.Revision(), err
}

func bucket(ctx context.Context, js jetstream.JetStream) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, topology.Negotiators)
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound):
		return nil, fmt.Errorf("%w: bucket %s does not exist; a start with NATS_PROVISION=create makes it", directory.ErrNothingKept, topology.Negotiators)
	case errors.Is(err, jetstream.ErrBadBucket):
		return nil, fmt.Errorf("%w: stream KV_%s is no bucket", directory.ErrNothingKept, topology.Negotiators)
	case err != nil:
		return nil, fmt.Errorf("open bucket %s: %w", topology.Negotiators, err)
	}
	return kv, nil
}

func (s shelf) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, shelfPatience)
}

// explain gives silence its most likely meaning: the server answers nothing
// that is not permitted.
func explain(ctx context.Context, js jetstream.JetStream, err error, patience time.Duration) error {
	if err = bus.Offline(err); errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil && js.Conn().IsConnected() {
		return fmt.Errorf("%w within %s; is this user permitted to read and write bucket %s?", err, patience, topology.Negotiators)
	}
	return err
}

// overtaken tells that somebody else has written since the look.
func overtaken(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch)
}
