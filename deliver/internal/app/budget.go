package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// errSpent means that the requests of the day are used up.
var errSpent = errors.New("REAPIT_DAILY requests were made today")

// budget is what Reapit allows the application: requests at a time, a second
// and a day. Tokens and negotiators count like notifications.
type budget struct {
	slots   chan struct{}
	limiter *rate.Limiter
	daily   int
	now     func() time.Time

	mu   sync.Mutex
	used used
}

// used counts the requests of one UTC day; it is kept in the snapshots.
type used struct {
	Day      string `json:"day"`
	Requests int    `json:"requests"`
}

// newBudget splits a second's requests into a burst and a steady refill, so
// that no second, wherever it begins, has more than perSecond of them.
func newBudget(perSecond float64, atATime, daily int, now func() time.Time) *budget {
	burst := max(1, math.Floor(perSecond/10))
	refill := perSecond
	if perSecond > burst {
		refill -= burst
	}
	return &budget{
		slots: make(chan struct{}, atATime), limiter: rate.NewLimiter(rate.Limit(refill), int(burst)), daily: daily, now: now,
	}
}

// admit waits until one more request may be made.
func (b *budget) admit(ctx context.Context) (release func(), err error) {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a slot: %w", ctx.Err())
	}
	release = sync.OnceFunc(func() { <-b.slots })
	if err := b.limiter.Wait(ctx); err != nil {
		release()
		return nil, fmt.Errorf("wait for the rate: %w", err)
	}
	if !b.spend(1) {
		release()
		return nil, errSpent
	}
	return release, nil
}

// spend counts requests and reports whether there was room for them.
func (b *budget) spend(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	if b.used.Requests+n > b.daily {
		return false
	}
	b.used.Requests += n
	return true
}

// turn begins a new count with a new day.
func (b *budget) turn() {
	if day := dayOf(b.now()); day != b.used.Day {
		b.used = used{Day: day}
	}
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func (b *budget) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	return b.daily - b.used.Requests
}

func (b *budget) state() used {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	return b.used
}

// recall takes over what a replica before this one has used, unless this
// process knows of more.
func (b *budget) recall(u used) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	if u.Day == b.used.Day {
		b.used.Requests = max(b.used.Requests, min(u.Requests, b.daily))
	}
}
