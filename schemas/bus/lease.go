package bus

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/topology"
)

// Leases decides who works, in a key-value bucket whose keys expire. A lease
// is for liveness only: two holders may overlap for a moment, and the fence of
// a [Log] is what keeps them from doing harm.
type Leases struct {
	js     jetstream.JetStream
	kv     jetstream.KeyValue
	prefix string // of the bucket's subjects
}

// OpenLeases opens the bucket of the contract.
func OpenLeases(ctx context.Context, js jetstream.JetStream) (*Leases, error) {
	kv, err := js.KeyValue(ctx, topology.Leases)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, fmt.Errorf("%w: bucket %s; NATS_PROVISION=create creates it", ErrMissing, topology.Leases)
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", topology.Leases, err)
	}
	return &Leases{js: js, kv: kv, prefix: "$KV." + topology.Leases + "."}, nil
}

// A lease is renewed this many times before it would expire.
const renewals = 3

// Hold waits until the lease is free, takes it for holder and runs work. The
// context of work ends with [ErrLeaseLost] when the lease is lost, and the
// lease is given back when work returns. Hold returns what work returned.
// A key is letters, digits, dots and hyphens; ttl is at least a second.
func (l *Leases) Hold(ctx context.Context, key, holder string, ttl time.Duration, work func(context.Context) error) error {
	revision, err := l.acquire(ctx, key, holder, ttl)
	if err != nil {
		return err
	}
	held, cancel := context.WithCancelCause(ctx)
	renewed := make(chan uint64, 1)
	go func() { renewed <- l.renew(held, cancel, key, holder, ttl, revision) }()
	err = work(held)
	cancel(nil)
	l.release(ctx, key, <-renewed)
	return err
}

// acquire creates the key as soon as nobody has it.
func (l *Leases) acquire(ctx context.Context, key, holder string, ttl time.Duration) (uint64, error) {
	changes, stop := l.watch(ctx, key)
	defer stop()
	for {
		once, cancel := context.WithTimeout(ctx, ttl)
		revision, err := l.kv.Create(once, key, []byte(holder), jetstream.KeyTTL(ttl))
		cancel()
		switch {
		case err == nil:
			return revision, nil
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		}
		// The watch tells when to try again; the timer covers a watch that is lost.
		select {
		case <-changes:
		case <-time.After(ttl / (2 * renewals)):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// renew keeps the key until ctx ends and returns its last revision. When a
// whole ttl passes without a renewal, or somebody else has the key, it cancels.
func (l *Leases) renew(ctx context.Context, cancel context.CancelCauseFunc, key, holder string, ttl time.Duration, revision uint64) uint64 {
	tick := time.NewTicker(ttl / renewals)
	defer tick.Stop()
	good := time.Now()
	for {
		select {
		case <-ctx.Done():
			return revision
		case <-tick.C:
		}
		next, err := l.put(ctx, key, holder, ttl, revision)
		switch {
		case err == nil:
			revision, good = next, time.Now()
		case errors.Is(err, ErrFenced) || time.Since(good) > ttl:
			cancel(fmt.Errorf("%w: %s: %w", ErrLeaseLost, key, err))
			return 0
		}
	}
}

// put writes the key with a new time to live. The library has no such call for
// an existing key, so the message that it would send is sent here.
func (l *Leases) put(ctx context.Context, key, holder string, ttl time.Duration, revision uint64) (uint64, error) {
	// Not interrupted: whether it was stored decides with which revision the
	// lease is given back.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl/renewals)
	defer cancel()
	ack, err := l.js.PublishMsg(ctx, &nats.Msg{
		Subject: l.prefix + key, Data: []byte(holder),
		Header: nats.Header{
			jetstream.MsgTTLHeader:              {ttl.String()},
			jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
		},
	}, jetstream.WithRetryAttempts(0))
	if err != nil {
		if errors.Is(err, nats.ErrReconnectBufExceeded) {
			err = nats.ErrDisconnected // which is what it means: this connection keeps nothing back
		}
		return 0, fmt.Errorf("renew lease %s: %w", key, fenceError(err))
	}
	return ack.Sequence, nil
}

func (l *Leases) release(ctx context.Context, key string, revision uint64) {
	if revision == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	// If this fails, the key expires by itself.
	_ = l.kv.Delete(ctx, key, jetstream.LastRevision(revision))
}

// watch signals every change below a key until stop is called.
func (l *Leases) watch(ctx context.Context, key string) (changes <-chan struct{}, stop func()) {
	w, err := l.kv.Watch(ctx, key, jetstream.UpdatesOnly())
	if err != nil {
		return nil, func() {}
	}
	signals := make(chan struct{}, 1)
	go func() {
		for range w.Updates() {
			select {
			case signals <- struct{}{}:
			default:
			}
		}
	}()
	return signals, func() { _ = w.Stop() }
}

// Join makes member one of group for as long as ctx lives, and calls changed
// with the sorted names of all that live, at once and after every change.
// It returns when ctx ends, having left.
func (l *Leases) Join(ctx context.Context, group, member string, ttl time.Duration, changed func([]string)) error {
	key := group + ".member." + token(member)
	for ctx.Err() == nil {
		err := l.Hold(ctx, key, member, ttl, func(held context.Context) error {
			return l.follow(held, group, ttl, changed)
		})
		if ctx.Err() == nil && !pause(ctx, ttl/renewals) {
			return err
		}
	}
	return context.Cause(ctx)
}

func (l *Leases) follow(ctx context.Context, group string, ttl time.Duration, changed func([]string)) error {
	pattern := group + ".member.*"
	changes, stop := l.watch(ctx, pattern)
	defer stop()
	var last []string
	for {
		members, err := l.members(ctx, pattern)
		if err == nil && !slices.Equal(members, last) {
			changed(members)
			last = members
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changes:
		case <-time.After(ttl): // covers a watch that is lost
		}
	}
}

func (l *Leases) members(ctx context.Context, pattern string) ([]string, error) {
	w, err := l.kv.Watch(ctx, pattern, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	defer func() { _ = w.Stop() }()
	var members []string
	for entry := range w.Updates() {
		if entry == nil { // the end of what there is now
			slices.Sort(members)
			return members, nil
		}
		members = append(members, string(entry.Value()))
	}
	return nil, fmt.Errorf("list members: %w", nats.ErrConnectionClosed)
}

// Owner picks who of the members works on key, by rendezvous hashing: when a
// member comes or goes, only its own keys move. It is empty without members.
func Owner(key string, members []string) string {
	var owner string
	var highest uint64
	for _, m := range members {
		h := fnv.New64a()
		_, _ = h.Write([]byte(m + "\x00" + key))
		if score := mix(h.Sum64()); owner == "" || score > highest {
			owner, highest = m, score
		}
	}
	return owner
}

// mix spreads the bits of an FNV hash, whose high bits hardly depend on the
// last bytes of a short key (finalizer of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// token makes a name fit for a key.
func token(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		default:
			return '-'
		}
	}, name)
}
