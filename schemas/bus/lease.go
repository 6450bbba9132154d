package bus

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"ringstream/schemas/topology"
)

// Leases decides who works, in a key-value bucket whose keys expire. A lease
// is for liveness only: two holders may overlap for a moment, and the fence of
// a [Log] is what keeps them from doing harm.
type Leases struct {
	js     jetstream.JetStream
	kv     jetstream.KeyValue
	prefix string // of the bucket's subjects
	mark   string // tells this holder from another of the same name
}

// OpenLeases opens the bucket of the contract, and waits for a server that does not
// answer. Any error is final: the bucket does not exist ([ErrMissing]), or ctx has ended.
func OpenLeases(ctx context.Context, js jetstream.JetStream, log *slog.Logger) (*Leases, error) {
	var kv jetstream.KeyValue
	var last error
	err := retry(ctx, log, func() error {
		if kv, last = js.KeyValue(ctx, topology.Leases); errors.Is(last, jetstream.ErrBucketNotFound) {
			return nil
		}
		return last
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("open bucket %s: %w", topology.Leases, errors.Join(Offline(last), err))
	case last != nil:
		return nil, fmt.Errorf("%w: bucket %s; a start with NATS_PROVISION=create makes it", ErrMissing, topology.Leases)
	}
	return &Leases{js: js, kv: kv, prefix: "$KV." + topology.Leases + ".", mark: nuid.Next()}, nil
}

const (
	renewals = 3 // within one ttl
	// A holder gives up this part of the ttl before the server would give the
	// lease to somebody else.
	margin = 10
)

// Hold waits until the lease is free, takes it for holder and runs work. The
// context of work ends with [ErrLeaseLost] before anybody else can get the
// lease, and the lease is given back when work returns. Hold returns what work
// returned, or why the lease can never be had. A key is letters, digits, dots
// and hyphens; ttl is whole seconds.
func (l *Leases) Hold(ctx context.Context, key, holder string, ttl time.Duration, work func(context.Context) error) error {
	value := holder + " " + l.mark
	revision, sent, err := l.acquire(ctx, key, value, ttl)
	if err != nil {
		return err
	}
	until := &term{}
	held, cancel := context.WithCancelCause(context.WithValue(ctx, termKey{}, until))
	until.extend(sent, ttl)
	renewed := make(chan uint64, 1)
	go func() { renewed <- l.renew(held, cancel, key, value, ttl, revision, until) }()
	err = work(held)
	cancel(nil)
	l.release(ctx, key, <-renewed)
	return err
}

// term is until when a lease is held for sure.
type term struct{ end atomic.Pointer[time.Time] }

type termKey struct{}

// extend counts from when a renewal was sent, and gives up a margin.
func (t *term) extend(sent time.Time, ttl time.Duration) {
	end := sent.Add(ttl - ttl/margin)
	t.end.Store(&end)
}

// Held reports whether the lease, whose work's context ctx stems from, is still
// held by the clock; true without a lease. A process that was frozen and goes
// on may run anything before the end of that context is noticed: who does what
// no fence can undo asks right before. Both clocks count, because one of them
// may have stood still as well.
func Held(ctx context.Context) bool {
	t, leased := ctx.Value(termKey{}).(*term)
	if !leased {
		return true
	}
	now, end := time.Now(), *t.end.Load()
	return ctx.Err() == nil && now.Before(end) && now.Round(0).Before(end.Round(0))
}

// acquire creates the key as soon as nobody has it, and returns when it asked.
func (l *Leases) acquire(ctx context.Context, key, value string, ttl time.Duration) (revision uint64, sent time.Time, err error) {
	changes, stop := l.watch(ctx, key)
	defer stop()
	for {
		once, cancel := context.WithTimeout(ctx, ttl)
		sent = time.Now()
		revision, err = l.kv.Create(once, key, []byte(value), jetstream.KeyTTL(ttl))
		cancel()
		switch {
		case err == nil:
			return revision, sent, nil
		case ctx.Err() != nil:
			return 0, sent, context.Cause(ctx)
		case refused(err):
			return 0, sent, fmt.Errorf("take lease %s: %w", key, err)
		case errors.Is(err, jetstream.ErrKeyExists) && l.evict(ctx, key, ttl):
			continue
		}
		// The watch tells when to try again; the timer covers a watch that is lost.
		select {
		case <-changes:
		case <-time.After(ttl / (2 * renewals)):
		case <-ctx.Done():
			return 0, sent, context.Cause(ctx)
		}
	}
}

// evict deletes an entry that would never expire. No holder writes one, so
// somebody else did, and nobody would ever get the lease.
func (l *Leases) evict(ctx context.Context, key string, ttl time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, ttl)
	defer cancel()
	stream, err := l.js.Stream(ctx, topology.BucketStream(topology.Leases))
	if err != nil {
		return false
	}
	m, err := stream.GetLastMsgForSubject(ctx, l.prefix+key)
	if err != nil || m.Header.Get(jetstream.MsgTTLHeader) != "" {
		return false
	}
	return l.kv.Delete(ctx, key, jetstream.LastRevision(m.Sequence)) == nil
}

// refused reports an answer of the server other than that somebody has the key.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(fenceError(err), ErrFenced)
}

// renewal is one attempt to keep a key, and what became of it.
type renewal struct {
	sent     time.Time
	from, to uint64 // revisions
	err      error
}

// renew keeps the key until ctx ends and returns its last revision. It cancels
// when somebody else has the key, and a margin before the server would let it
// expire, counted from when the last good renewal was sent. It sends whether the
// last one was answered or not: one that is lost costs a third of the time. One
// that a busy server answers late is as good, and the next one goes at once.
func (l *Leases) renew(ctx context.Context, cancel context.CancelCauseFunc, key, value string, ttl time.Duration, revision uint64, until *term) uint64 {
	expiry := time.AfterFunc(time.Until(*until.end.Load()), func() {
		cancel(fmt.Errorf("%w: %s: not renewed for %s", ErrLeaseLost, key, ttl-ttl/margin))
	})
	defer expiry.Stop()
	due := time.NewTimer(ttl / renewals)
	defer due.Stop()
	answers, waiting := make(chan renewal), 0
	var unsure time.Time // when the first was sent of those that may have been stored since revision
	take := func(r renewal) {
		waiting--
		switch {
		case r.from != revision: // of before the last good one
		case r.err == nil:
			revision, unsure = r.to, time.Time{}
			until.extend(r.sent, ttl)
			expiry.Reset(time.Until(*until.end.Load()))
			due.Reset(time.Until(r.sent.Add(ttl / renewals)))
		case errors.Is(r.err, ErrFenced):
			cancel(fmt.Errorf("%w: %s: %w", ErrLeaseLost, key, r.err))
			revision = 0
		}
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case r := <-answers:
			take(r)
		case <-due.C:
			due.Reset(ttl / renewals)
			if unsure.IsZero() {
				unsure = time.Now()
			}
			waiting++
			from, first := revision, unsure
			go func() { answers <- l.attempt(ctx, key, value, ttl, from, first) }()
		}
	}
	for waiting > 0 { // whether they were stored decides with which revision the lease is given back
		take(<-answers)
	}
	return revision
}

// attempt renews once. first is when the first was sent of those that have not
// been answered.
func (l *Leases) attempt(ctx context.Context, key, value string, ttl time.Duration, from uint64, first time.Time) renewal {
	ctx, cancel := over(ctx, ttl)
	defer cancel()
	r := renewal{sent: time.Now(), from: from}
	if r.to, r.err = l.put(ctx, key, value, ttl, from); errors.Is(r.err, ErrFenced) {
		r.to, r.err = l.adopt(ctx, key, value, r.err)
		r.sent = first // or later: which of them was stored is not known
	}
	return r
}

// over is a context for as long as an answer may be of use: for a ttl, and no more
// than a part of it once ctx has ended.
func over(ctx context.Context, ttl time.Duration) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(ttl/renewals, cancel) })
	return bounded, func() { stop(); cancel() }
}

// adopt looks who has the key after a renewal was refused: it may be this
// holder, by a renewal whose answer was lost or is late.
func (l *Leases) adopt(ctx context.Context, key, value string, refusal error) (uint64, error) {
	entry, err := l.kv.Get(ctx, key)
	switch {
	case err == nil && string(entry.Value()) == value:
		return entry.Revision(), nil
	case err == nil, errors.Is(err, jetstream.ErrKeyNotFound):
		return 0, refusal
	default:
		return 0, err
	}
}

// put writes the key with a new time to live. The library has no such call for
// an existing key, so the message that it would send is sent here.
func (l *Leases) put(ctx context.Context, key, value string, ttl time.Duration, revision uint64) (uint64, error) {
	ack, err := l.js.PublishMsg(ctx, &nats.Msg{
		Subject: l.prefix + key, Data: []byte(value),
		Header: nats.Header{
			jetstream.MsgTTLHeader:              {ttl.String()},
			jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
		},
	}, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, fmt.Errorf("renew lease %s: %w", key, fenceError(Offline(err)))
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

// follow tells of changes among the members until ctx ends. A watch can be
// lost, so it is made anew now and then.
func (l *Leases) follow(ctx context.Context, group string, ttl time.Duration, changed func([]string)) error {
	var last []string
	tell := func(members map[string]string) {
		if now := slices.Sorted(maps.Values(members)); !slices.Equal(now, last) {
			last = now
			changed(now)
		}
	}
	for {
		if err := l.members(ctx, group+".member.*", freshWatch*ttl, tell); ctx.Err() != nil {
			return context.Cause(ctx)
		} else if err != nil && !pause(ctx, ttl/renewals) {
			return context.Cause(ctx)
		}
	}
}

// freshWatch is for how many ttl one watch is trusted.
const freshWatch = 10

// members watches the keys of a group for some time, and tells of who lives
// once it has heard of all, and at every change.
func (l *Leases) members(ctx context.Context, pattern string, trust time.Duration, tell func(map[string]string)) error {
	w, err := l.kv.Watch(ctx, pattern)
	if err != nil {
		return fmt.Errorf("watch members: %w", err)
	}
	defer func() { _ = w.Stop() }()
	until := time.NewTimer(trust)
	defer until.Stop()
	alive, all := map[string]string{}, false
	for {
		select {
		case <-until.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case entry, ok := <-w.Updates():
			switch {
			case !ok:
				return fmt.Errorf("watch members: %w", nats.ErrConnectionClosed)
			case entry == nil: // the end of what there was
				all = true
			case entry.Operation() == jetstream.KeyValuePut:
				name, _, _ := strings.Cut(string(entry.Value()), " ")
				alive[entry.Key()] = name
			default:
				delete(alive, entry.Key())
			}
			if all {
				tell(alive)
			}
		}
	}
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
