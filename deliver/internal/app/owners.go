package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/directory"
	"ringstream/schemas/probe"
	"ringstream/schemas/topology"
)

const (
	ownerPatience = 2 * time.Second
	// ownerRest is for how long a bucket that gave no answer is not asked again:
	// a start may need a token for each of many customers.
	ownerRest = time.Minute
	// ownerGrace is how much longer than a token its owner is kept, for another
	// replica's clock. Reapit gives no token again that is so near its end.
	ownerGrace = 5 * time.Minute

	ownersVersion = 1
)

// owners keeps in the bucket of the negotiators whose Reapit's tokens are,
// until they end. Of a token it has a hash.
type owners struct {
	js  jetstream.JetStream
	log *slog.Logger

	mu      sync.Mutex
	trouble error     // that was told; nil when there is none
	rests   time.Time // until then nothing is asked
}

func newOwners(js jetstream.JetStream, log *slog.Logger) *owners { return &owners{js: js, log: log} }

// ownerList is what is under one key.
type ownerList struct {
	Version int                   `json:"version"`
	Tokens  map[string]tokenOwner `json:"tokens"` // by the hash
}

type tokenOwner struct {
	Customer string    `json:"customer"`
	Until    time.Time `json:"until"`
}

// claim is a Claim of [reapit.Client]. Where the bucket is no use it is told once,
// and nothing else is kept from working.
func (o *owners) claim(ctx context.Context, hash, customer string, until time.Time) string {
	if o.resting() {
		return ""
	}
	limited, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	whose, err := o.enter(limited, hash, customer, until)
	for overtaken(err) && limited.Err() == nil {
		whose, err = o.enter(limited, hash, customer, until)
	}
	if err != nil && ctx.Err() != nil {
		return "" // the caller's end, and no trouble
	}
	o.tell(explain(limited, o.js, err, ownerPatience), limited.Err() != nil)
	return whose
}

// enter writes over what it has read, so that of two at once one looks again.
func (o *owners) enter(ctx context.Context, hash, customer string, until time.Time) (whose string, err error) {
	kv, err := bucket(ctx, o.js)
	if err != nil {
		return "", err
	}
	key := topology.TokenOwners(hash)
	had, revision, err := lookOwners(ctx, kv, key)
	if err != nil {
		return "", err
	}
	whose, next := had.with(hash, tokenOwner{customer, until.UTC()}, time.Now())
	if next == nil {
		return whose, nil
	}
	data, err := json.Marshal(next)
	if err != nil {
		return "", fmt.Errorf("encode whose tokens are: %w", err)
	}
	if revision == 0 {
		_, err = kv.Create(ctx, key, data)
	} else {
		_, err = kv.Update(ctx, key, data, revision)
	}
	if err != nil {
		return "", fmt.Errorf("write into bucket %s: %w", topology.Negotiators, err)
	}
	return whose, nil
}

func lookOwners(ctx context.Context, kv jetstream.KeyValue, key string) (list ownerList, revision uint64, err error) {
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return list, 0, nil
	}
	if err != nil {
		return list, 0, fmt.Errorf("read bucket %s: %w", topology.Negotiators, err)
	}
	if list, err = readOwners(entry.Value()); err != nil {
		return list, 0, fmt.Errorf("bucket %s: %w", topology.Negotiators, err)
	}
	return list, entry.Revision(), nil
}

var errOtherOwners = errors.New("whose tokens are is written in another version's way")

// readOwners counts as empty what is no list at all: it would be so for ever.
func readOwners(data []byte) (list ownerList, err error) {
	var head struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(data, &head) == nil && head.Version > ownersVersion {
		return list, fmt.Errorf("%w (%d, not %d)", errOtherOwners, head.Version, ownersVersion)
	}
	if json.Unmarshal(data, &list) != nil {
		list = ownerList{}
	}
	return list, nil
}

// with enters a token, unless it is another's, and leaves out those that have
// ended. It tells whose the token is, and what there is to write, if anything.
func (l ownerList) with(hash string, claim tokenOwner, now time.Time) (whose string, next *ownerList) {
	had, known := l.Tokens[hash]
	known = known && !had.over(now)
	if known && (had.Customer != claim.Customer || !claim.Until.After(had.Until)) {
		return had.Customer, nil
	}
	next = &ownerList{ownersVersion, map[string]tokenOwner{}}
	for other, o := range l.Tokens {
		if !o.over(now) {
			next.Tokens[other] = o
		}
	}
	next.Tokens[hash] = claim
	return claim.Customer, next
}

func (t tokenOwner) over(now time.Time) bool {
	return t.Customer == "" || !now.Before(t.Until.Add(ownerGrace))
}

func (o *owners) resting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Before(o.rests)
}

// tell says once what the trouble is, and again when it comes back.
func (o *owners) tell(err error, silent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && silent {
		o.rests = time.Now().Add(ownerRest)
	}
	if err != nil && (o.trouble == nil || o.trouble.Error() != err.Error()) {
		o.log.Warn("whose a token of Reapit's is, is known to this process only", "error", err)
	}
	o.trouble = err
}

// checked has a result where the bucket is there and no use. That it is not there
// is told of the streams.
func (o *owners) checked() []probe.Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.trouble == nil || errors.Is(o.trouble, directory.ErrNothingKept) {
		return nil
	}
	return []probe.Result{failed("bucket "+topology.Negotiators, o.trouble)}
}
