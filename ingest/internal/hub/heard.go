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
