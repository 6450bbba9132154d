package rtesim

import (
	"context"
	"time"

	"github.com/coder/websocket"

	"ringstream/ingest/internal/rte"
)

// The ways to end a connection.
const (
	DropClose          = "close"           // a close frame: the client is not to come back
	DropCloseReconnect = "close-reconnect" // a close frame that allows to reconnect
	DropEOF            = "eof"             // end of stream without a word
	DropReset          = "reset"           // TCP reset
	DropSilent         = "silent"          // stays open, says and hears nothing
)

// eofPatience is how long a client has to notice the end of the stream.
const eofPatience = 2 * time.Second

// write is the writer: it alone writes to the socket after the handshake.
func (c *conn) write(ctx context.Context) {
	defer c.cancel()
	defer close(c.ended)
	pings := time.NewTicker(c.hub.settings.PingInterval)
	defer pings.Stop()
	var held []message // taken from the queue, not yet written
	for {
		changed := c.hub.changed.wait()
		stalled := c.hub.stalledFor()
		if len(held) > 0 && stalled == 0 {
			if c.flush(ctx, held) != nil {
				return
			}
			held = nil
			continue
		}
		queue, ping, resume := c.queue, pings.C, (<-chan time.Time)(nil)
		if stalled > 0 {
			queue, ping, resume = nil, nil, time.After(stalled)
		}
		select {
		case m := <-queue:
			held = c.gather(m)
		case <-ping:
			held = []message{{record: rte.AppendPing(nil)}}
		case e := <-c.ending:
			c.finish(ctx, e)
			return
		case <-changed:
		case <-resume:
		case <-ctx.Done():
			return
		}
	}
}

// gather takes what else is waiting, as much as goes into one WebSocket
// message.
func (c *conn) gather(first message) []message {
	batch := []message{first}
	for n := c.hub.coalesce.Load(); int64(len(batch)) < n && !first.binary; {
		select {
		case m := <-c.queue:
			if m.binary {
				return append(batch, m)
			}
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

// flush writes a batch as one WebSocket message and records what was in it. A
// socket that does not take it in time loses the connection.
func (c *conn) flush(ctx context.Context, batch []message) error {
	ctx, cancel := context.WithTimeout(ctx, c.hub.settings.WriteTimeout)
	defer cancel()
	err := c.send(ctx, batch)
	now := time.Now().UTC()
	var entries []Sent
	for _, m := range batch {
		if m.entry == nil {
			continue
		}
		m.entry.Connection, m.entry.Time, m.entry.Uncertain = c.id, now, err != nil
		entries = append(entries, *m.entry)
	}
	c.sent.Add(int64(len(entries)))
	c.hub.sent.add(entries)
	return err
}

// send writes a batch as one WebSocket message; a binary one, which can only be
// the last, is one of its own.
func (c *conn) send(ctx context.Context, batch []message) error {
	var b []byte
	last := batch[len(batch)-1]
	if last.binary {
		batch = batch[:len(batch)-1]
	}
	for _, m := range batch {
		b = append(b, m.record...)
	}
	var err error
	if len(batch) > 0 {
		err = c.ws.Write(ctx, websocket.MessageText, b)
	}
	if last.binary && err == nil {
		err = c.ws.Write(ctx, websocket.MessageBinary, last.record)
	}
	return err
}

// finish ends the connection in the way asked for. Nothing can be done about an
// error here: it means that the connection has ended already.
func (c *conn) finish(ctx context.Context, e ending) {
	c.over()
	switch e.mode {
	case DropReset:
		c.gate.reset()
	case DropEOF:
		_ = c.gate.CloseWrite()
		c.await(ctx, eofPatience)
	case DropSilent:
		c.gate.mute()
		select {
		case <-ctx.Done():
		case <-c.ending: // a mute connection cannot end politely
			c.gate.reset()
		}
	default:
		if e.record != nil {
			wctx, cancel := context.WithTimeout(ctx, c.hub.settings.WriteTimeout)
			defer cancel()
			_ = c.ws.Write(wctx, websocket.MessageText, e.record)
		}
		_ = c.ws.Close(websocket.StatusNormalClosure, "")
	}
}

func (c *conn) await(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
