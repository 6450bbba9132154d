package app

import (
	"context"
	"net/http"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/reapit"
)

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
	// Whoever sends has stored something less than that before.
	if sent := last.Add(untold); !last.IsZero() {
		b.slots.inherit(earliest(now, sent).Add(delivery.GatewayLimit))
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
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
func (b *budget) succeeded(at time.Time, ago []int64, left []owed) {
	if now := time.Now(); at.After(now) { // by another clock
		at = now
	}
	b.slots.known(at, left)
	defer b.wake()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.assumed.IsZero() {
		return // it was long enough ago
	}
	known := make([]time.Time, len(ago))
	for i, ms := range ago {
		known[i] = at.Add(-time.Duration(ms) * time.Millisecond)
	}
	b.window.correct(b.assumed, known)
	b.assumed = time.Time{}
}

// inherit reckons with as many requests as there may be of somebody who was
// killed, and until when. They are most likely over: each answer that shows that
// Reapit has room beside so many of ours takes one of them back.
func (s *slots) inherit(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(until) {
		s.kept, s.until, s.sure = s.size-1, until, time.Time{}
	}
}

// known is told what the one before has left behind, at a time: no more counts.
func (s *slots) known(at time.Time, left []owed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	s.kept = 0
	for _, o := range left {
		if o.Guess {
			s.kept, s.until = s.kept+1, at.Add(time.Duration(o.MS)*time.Millisecond)
			continue
		}
		s.left = append(s.left, lingering{until: at.Add(time.Duration(o.MS) * time.Millisecond), certain: o.Certain})
	}
}

// owed is a request that is left to whoever comes next.
type owed struct {
	MS      int64 `json:"ms"` // for how long Reapit may be at it
	Certain bool  `json:"certain,omitempty"`
	Guess   bool  `json:"guess,omitempty"` // it is one that is kept back for another before
}

// owes is what this one leaves behind.
func (s *slots) owes() []owed {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked(now, lingering.any) // forgets what is over
	var left []owed
	for _, l := range s.left {
		left = append(left, owed{MS: l.until.Sub(now).Milliseconds() + 1, Certain: l.certain})
	}
	for f := range s.flying {
		if still := delivery.GatewayLimit - now.Sub(f.began); still > 0 {
			left = append(left, owed{MS: still.Milliseconds() + 1})
		}
	}
	for range s.kept {
		left = append(left, owed{MS: s.until.Sub(now).Milliseconds() + 1, Guess: true})
	}
	return left
}

// proven waits until Reapit has taken a request since somebody was killed, or for
// a while. It reports whether ctx lasted.
func (s *slots) proven(ctx context.Context, while time.Duration) bool {
	timer := time.NewTimer(while)
	defer timer.Stop()
	for {
		s.mu.Lock()
		ok, changed := s.kept < s.size-1 || s.kept == 0, s.changed
		s.mu.Unlock()
		if ok {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		}
	}
}

// learn draws from an answer how many of one who was killed there can be: what
// Reapit took, it took beside them. Where it refused, it is not asked again at once.
func (s *slots) learn(f *flight, r reapit.Result, now time.Time) {
	switch {
	case s.kept == 0:
	case r.Kind == reapit.Answered && r.Status == http.StatusTooManyRequests:
		s.kept, s.sure = max(s.kept, s.size-max(1, f.beside-1)), now.Add(stillFull)
	case r.OK() && !now.Before(s.sure):
		s.kept = min(s.kept, max(0, s.size-f.beside-1))
	}
}

// stillFull is for how long a refusal is believed.
const stillFull = 5 * time.Second
