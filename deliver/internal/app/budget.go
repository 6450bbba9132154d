package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"ringstream/deliver/internal/schedule"
)

// errSpent means that the requests of the day are used up.
var errSpent = errors.New("REAPIT_DAILY requests were made today")

// budget is what Reapit allows the application: requests at a time, a second
// and a day. Tokens and negotiators count like notifications.
type budget struct {
	slots chan struct{}
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
		slots: make(chan struct{}, atATime), queue: make(chan struct{}, 1), even: rate.NewLimiter(rate.Limit(perSecond), burst),
		freed: make(chan struct{}, 1), daily: daily, now: now, window: w,
	}
}

// admit waits until one more request may be made; who has claimed one does not.
func (b *budget) admit(ctx context.Context) (release func(), err error) {
	if c, ok := ctx.Value(claimed{}).(*claim); ok {
		if release, ok := c.use(); ok {
			return release, nil
		}
	}
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a slot: %w", ctx.Err())
	}
	if err := b.begin(ctx); err != nil {
		<-b.slots
		return nil, fmt.Errorf("wait for the rate: %w", err)
	}
	if !b.spend(1) {
		b.release()
		return nil, errSpent
	}
	return sync.OnceFunc(b.release), nil
}

func (b *budget) release() {
	b.end()
	<-b.slots
}

// claim is a request that may be made, or nothing. Which delivery goes out is
// decided when there is room for it, and not before: what rings meanwhile goes
// first.
type claim struct {
	of   *budget
	day  string      // whose request it is
	good atomic.Bool // not used yet
}

type claimed struct{}

// claim takes what admit would wait for. It gets nothing when somebody else, a
// token or the negotiators, was faster: then admit waits.
func (b *budget) claim() *claim {
	c := &claim{of: b}
	select {
	case b.slots <- struct{}{}:
	default:
		return c
	}
	if !b.even.Allow() || !b.open(c) {
		<-b.slots
		return c
	}
	c.good.Store(true)
	return c
}

// open is enter and spend in one.
func (b *budget) open(c *claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	if b.used.Requests >= b.daily {
		return false
	}
	if _, ok := b.window.enter(time.Now()); !ok {
		return false
	}
	b.used.Requests++
	c.day = b.used.Day
	return true
}

func (c *claim) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, claimed{}, c)
}

// use hands the claim over, once.
func (c *claim) use() (release func(), ok bool) {
	return sync.OnceFunc(c.of.release), c.good.CompareAndSwap(true, false)
}

// drop gives back what was not used: no request was made.
func (c *claim) drop() {
	if !c.good.CompareAndSwap(true, false) {
		return
	}
	c.of.giveBack(c.day)
	<-c.of.slots
}

// yield drops the claim of ctx.
func yield(ctx context.Context) {
	if c, ok := ctx.Value(claimed{}).(*claim); ok {
		c.drop()
	}
}

// giveBack undoes what open did. The count of a day that is over is of no use.
func (b *budget) giveBack(day string) {
	b.mu.Lock()
	b.window.open--
	if b.used.Day == day {
		b.used.Requests--
	}
	b.mu.Unlock()
	b.wake()
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
	r := schedule.Room{Slots: cap(b.slots), Spare: max(0, min(b.even.Burst()/2, left-1)), Live: b.kept(left)}
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

// succeed is told when another replica was last seen at work: what it has made
// in that second counts for Reapit as well.
func (b *budget) succeed(last time.Time) {
	now := time.Now()
	if last.After(now) { // by another clock
		last = now
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(last) < b.window.span {
		b.window.inherit(last)
		b.assumed = last
	}
}

// spentLately is for whoever comes next: how many milliseconds ago the requests ended
// that Reapit may still count. Those under way may end at any time.
func (b *budget) spentLately() []int64 {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.window.room(now) // forgets what does not count any more
	ago := make([]int64, b.window.open, b.window.open+len(b.window.ended))
	for _, ended := range b.window.ended {
		ago = append(ago, now.Sub(ended).Milliseconds())
	}
	return ago
}

// succeeded is told what the one before has said of it, at a time: no more counts.
func (b *budget) succeeded(at time.Time, ago []int64) {
	defer b.wake()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.assumed.IsZero() {
		return // it was long enough ago
	}
	if now := time.Now(); at.After(now) { // by another clock
		at = now
	}
	known := make([]time.Time, len(ago))
	for i, ms := range ago {
		known[i] = at.Add(-time.Duration(ms) * time.Millisecond)
	}
	b.window.correct(b.assumed, known)
	b.assumed = time.Time{}
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
