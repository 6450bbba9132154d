package app

import (
	"context"
	"sync/atomic"
	"time"
)

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
	if ok, _, _ := b.slots.try(); !ok {
		return c
	}
	if !b.even.Allow() || !b.open(c) {
		b.slots.drop()
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

// drop gives back what was not used: no request was made.
func (c *claim) drop() {
	if !c.good.CompareAndSwap(true, false) {
		return
	}
	c.of.giveBack(c.day)
	c.of.slots.drop()
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
