package app

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/bus"
)

// slots are the requests that Reapit may have under way at a time. Not only
// those that are waited for have one: so has what was given up and Reapit may be
// at still, and what a replica before this one has left behind. None is made
// without the lease, whoever asks.
type slots struct {
	size int

	mu      sync.Mutex
	free    bool            // nobody needs a lease
	held    context.Context //nolint:containedctx // whose life the lease is; nil: there is none
	taken   int
	flying  map[*flight]struct{} // of taken, what was sent
	left    []lingering
	kept    int           // slots that are kept back for requests of one before who was killed
	until   time.Time     // then nothing of that one is left
	sure    time.Time     // until then no fewer are kept back
	changed chan struct{} // closed when somebody may go who could not
}

// flight is a request that was sent. It has a slot until it lands.
type flight struct {
	began  time.Time
	beside int  // how many were under way when it began, and it
	told   bool // the schedule knows of it
}

// lingering is a request that nobody waits for and Reapit may be at still.
type lingering struct {
	until   time.Time
	certain bool // its gateway has said so
	told    bool // the schedule counts it, too
}

func newSlots(size int) *slots {
	return &slots{size: size, free: true, flying: map[*flight]struct{}{}, changed: make(chan struct{})}
}

// take waits for a slot.
func (s *slots) take(ctx context.Context) error {
	for {
		ok, wait, changed := s.try()
		if ok {
			return nil
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-changed:
		case <-later:
		case <-ctx.Done():
			return fmt.Errorf("wait for a slot: %w", ctx.Err())
		}
	}
}

// try takes a slot, or tells after what time there may be one, at the latest
// (zero: nobody knows), and what is closed when there is one earlier.
func (s *slots) try() (ok bool, wait time.Duration, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.open() && s.taken+s.blocked(now, lingering.any) < s.size {
		s.taken++
		return true, 0, nil
	}
	for _, l := range s.left {
		if left := l.until.Sub(now); wait == 0 || left < wait {
			wait = left
		}
	}
	if left := s.until.Sub(now); s.kept > 0 && (wait == 0 || left < wait) {
		wait = left
	}
	return false, wait, s.changed
}

func (s *slots) open() bool {
	return s.free || s.held != nil && s.held.Err() == nil && bus.Held(s.held)
}

func (lingering) any() bool { return true }

func (l lingering) untold() bool { return !l.told }

// blocked is how many slots are not to be had for want of knowing more. One is
// used all the same, unless Reapit itself has said of each that it is taken.
func (s *slots) blocked(now time.Time, which func(lingering) bool) int {
	s.left = slices.DeleteFunc(s.left, func(l lingering) bool { return !now.Before(l.until) })
	if !now.Before(s.until) {
		s.kept = 0
	}
	n, certain := s.kept, 0
	for _, l := range s.left {
		if !which(l) {
			continue
		}
		n++
		if l.certain {
			certain++
		}
	}
	return min(n, max(s.size-1, certain))
}

// send is told that a request begins now; what has no lease any more does not.
func (s *slots) send(told bool) (*flight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open() {
		return nil, false
	}
	f := &flight{began: time.Now(), told: told}
	s.flying[f] = struct{}{}
	f.beside = len(s.flying)
	return f, true
}

// drop gives a slot back with which nothing was sent.
func (s *slots) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.wake()
}

// land gives the slot of a request back, as far as its end allows.
func (s *slots) land(f *flight, r reapit.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	delete(s.flying, f)
	now := time.Now()
	if still := delivery.Lingers(resultOf(r)); still > 0 {
		s.left = append(s.left, lingering{until: now.Add(still), certain: r.Status != 0, told: f.told})
	}
	s.learn(f, r, now)
	s.wake()
}

func (s *slots) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// used counts those that are under way, as far as is known.
func (s *slots) used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken + s.blocked(time.Now(), lingering.any)
}

// room is how many there are for notifications and what they need, beside what
// the schedule knows of itself.
func (s *slots) room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(1, s.size-s.blocked(time.Now(), lingering.untold))
}

// lead has requests made for as long as the lease is held that held stems from.
func (s *slots) lead(held context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free, s.held = false, held
	s.wake()
}

// follow ends that: what is not sent yet waits for the lease.
func (s *slots) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free, s.held = false, nil
}

// busy reports whether somebody asks, or is about to.
func (s *slots) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken > 0
}

// anew is told that nobody remembers what was given up.
func (s *slots) anew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.left {
		s.left[i].told = false
	}
}

// idle waits until nothing is under way.
func (s *slots) idle(ctx context.Context) {
	for {
		s.mu.Lock()
		n, changed := len(s.flying), s.changed
		s.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
