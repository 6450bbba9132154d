package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
)

// errSpent means that the requests of the day are used up.
var errSpent = errors.New("REAPIT_DAILY requests were made today")

// budget is what Reapit allows the application: requests at a time, a second
// and a day. Tokens and negotiators count like notifications.
type budget struct {
	slots *slots
	queue chan struct{} // who has it is the next to begin
	even  *rate.Limiter
	freed chan struct{} // a request has ended since somebody looked
	daily int
	now   func() time.Time

	mu      sync.Mutex
	window  window
	assumed time.Time // when the one before made all that it may have made, as long as it is not known
	used    used
}

// used counts the requests of one UTC day; it is kept in the snapshots.
type used struct {
	Day      string `json:"day"`
	Requests int    `json:"requests"`
}

// atOnce is how many requests at least may begin at the same moment: a hunt
// group rings for everybody.
const atOnce = 5

// newBudget lets the [window] keep the rate and a token bucket spread what
// comes in a flood.
func newBudget(perSecond float64, atATime, daily int, now func() time.Time) *budget {
	w := newWindow(perSecond)
	burst := min(w.limit, max(atOnce, w.limit/4))
	return &budget{
		slots: newSlots(atATime), queue: make(chan struct{}, 1), even: rate.NewLimiter(rate.Limit(perSecond), burst),
		freed: make(chan struct{}, 1), daily: daily, now: now, window: w,
	}
}

// admit waits until one more request may be made; who has claimed one does not.
func (b *budget) admit(ctx context.Context) (release func(reapit.Result), err error) {
	c, claims := ctx.Value(claimed{}).(*claim)
	if claims && c.good.CompareAndSwap(true, false) {
		return b.send(claims)
	}
	if err := b.slots.take(ctx); err != nil {
		return nil, err
	}
	if err := b.begin(ctx); err != nil {
		b.slots.drop()
		return nil, fmt.Errorf("wait for the rate: %w", err)
	}
	if !b.spend(1) {
		b.unused()
		return nil, errSpent
	}
	return b.send(claims)
}

// send is the last to be asked before a request is made.
func (b *budget) send(claims bool) (release func(reapit.Result), err error) {
	f, ok := b.slots.send(claims)
	if !ok {
		b.unused()
		return nil, errFrozen
	}
	var once sync.Once
	return func(r reapit.Result) {
		once.Do(func() {
			b.end()
			b.slots.land(f, r)
		})
	}, nil
}

// unused gives back what no request was made of.
func (b *budget) unused() {
	b.end()
	b.slots.drop()
}

// lastShare is the part of the day's requests that is kept for calls that ring.
const lastShare = 20

// room tells what the limits leave at this moment.
func (b *budget) room() schedule.Room {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	left := b.daily - b.used.Requests
	// What is left of the day is shared out by Live alone, however little it is.
	r := schedule.Room{Slots: b.slots.room(), Spare: max(0, min(b.even.Burst()/2, left-1)), Live: b.kept(left)}
	if left <= 0 {
		r.Slots = 0
	}
	tokens := b.even.TokensAt(now)
	free, wait := b.window.room(now)
	r.Rate = max(0, min(int(tokens), free, left))
	// Calls that ring need the next request, all others those that are kept besides.
	for _, n := range []int{1, r.Spare + 1} {
		if r.Rate >= n {
			continue
		}
		if free >= n {
			wait = 0
		}
		if wait = max(wait, b.refilled(float64(n)-tokens)); wait > 0 {
			r.More = b.now().Add(wait)
		}
		break
	}
	return r
}

// refilled is how long so many tokens take.
func (b *budget) refilled(missing float64) time.Duration {
	return time.Duration(math.Ceil(max(0, missing) / float64(b.even.Limit()) * float64(time.Second)))
}

// kept reports whether so few are left of the day that only calls that ring get them.
func (b *budget) kept(left int) bool { return left <= b.daily/lastShare }

// begin waits for one's turn, and then for the rate.
func (b *budget) begin(ctx context.Context) error {
	select {
	case b.queue <- struct{}{}:
		defer func() { <-b.queue }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := b.even.Wait(ctx); err != nil {
		return err
	}
	for {
		wait, ok := b.enter()
		if ok {
			return nil
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-later:
		case <-b.freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) enter() (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.window.enter(time.Now())
}

func (b *budget) end() {
	b.mu.Lock()
	b.window.leave(time.Now())
	b.mu.Unlock()
	b.wake()
}

// wake has whoever waits for the rate look again.
func (b *budget) wake() {
	select {
	case b.freed <- struct{}{}:
	default:
	}
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

// day tells how much that is.
func (b *budget) day() dayLeft {
	switch left := b.left(); {
	case left <= 0:
		return spent
	case b.kept(left):
		return scarce
	default:
		return ample
	}
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
