package hub

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// How far a connection reaches is known as exactly as its hub is heard. A quiet
// hub says something every 15 s, but every WebSocket server answers pings.
const pingEvery = time.Second

// hear notes that the hub was there at a time.
func (t *tap) hear(at time.Time) {
	for was := t.heard.Load(); was == nil || at.After(*was); was = t.heard.Load() {
		if t.heard.CompareAndSwap(was, &at) {
			return
		}
	}
}

// heardAt is when the hub was last known to be there, and when the newest ping
// left that it has answered; zero while it has answered none. All that it wrote
// before it saw that ping has been delivered.
func (t *tap) heardAt() (at, answered time.Time) {
	if ponged := t.ponged.Load(); ponged != nil {
		answered = *ponged
	}
	return *t.heard.Load(), answered
}

// A process that was stopped (SIGSTOP, a paused virtual machine, a throttled
// container) reads at its return what came meanwhile, and cannot know when. Of what
// it reads within drained of its return, and before a hub that answers pings has
// answered one again, no more is known than that it came behind the last sign of life.
const (
	lifeEvery = 200 * time.Millisecond
	lifeless  = time.Second // without a sign of life
	drained   = time.Second
)

// pause is a time in which nothing ran here.
type pause struct{ from, until time.Time }

// live gives a sign of life at every tick, until the connection ends.
func (t *tap) live(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		t.lives(time.Now())
		select {
		case <-tick.C:
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *tap) lives(now time.Time) {
	if last := t.lived.Load(); last != nil && between(*last, now) > lifeless {
		p := pause{*last, now}
		if before := t.paused.Load(); before != nil && between(before.until, *last) < drained {
			p.from = before.from // what came then may still be unread
		}
		t.paused.Store(&p) // first: who sees the new sign sees the pause, too
	}
	t.lived.Store(&now)
}

// between two moments of which the clock may have stood still: that which Go goes by
// does while a machine is suspended.
func between(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// came is the earliest that something may have come which was read now.
func (t *tap) came(now time.Time) time.Time {
	if last := t.lived.Load(); last != nil && between(*last, now) > lifeless {
		return *last
	}
	p, answered := t.paused.Load(), t.ponged.Load()
	if p != nil && (between(p.until, now) < drained || answered != nil && answered.Before(p.until)) {
		return p.from
	}
	return now
}

// ping sends a WebSocket ping at every tick, one at a time, until the
// connection ends. No answer means nothing here: the keep-alive of SignalR ends
// what is dead. While messages wait to be delivered nobody would read an answer.
func (t *tap) ping(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if t.reading.Load() {
			t.pong()
		}
		select {
		case <-tick.C:
		case <-t.ctx.Done():
			return
		}
	}
}

// pong waits for the answer to a ping, as long as for the socket to take one
// record. It shows that the hub was there when the ping left; it may have lain
// here unread since.
func (t *tap) pong() {
	ctx, cancel := context.WithTimeout(t.ctx, t.timeout)
	defer cancel()
	sent := time.Now()
	if t.ws.Ping(ctx) == nil {
		t.hear(sent)
		t.ponged.Store(&sent)
	}
}

// spoke reports whether it was the hub that ended the connection, and was there
// until then. All that it sent came before the end of its stream. Not so with a
// reset: a machine that knows nothing of the connection any more sends one, too,
// however long ago it was lost; of a hub that answers pings more is known.
func (t *tap) spoke(err error) bool {
	switch {
	case websocket.CloseStatus(err) != -1, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case errors.Is(err, syscall.ECONNRESET):
		at, answered := t.heardAt()
		return answered.IsZero() || time.Since(at) <= pingEvery
	default:
		return false
	}
}
