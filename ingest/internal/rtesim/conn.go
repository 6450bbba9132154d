package rtesim

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"ringstream/ingest/internal/rte"
)

// conn is one client of the hub. Its reader is the goroutine of serve; all
// writing is done by one writer, so that order is the order of put.
type conn struct {
	id, user string
	hub      *hub
	ws       *websocket.Conn
	gate     *gate
	since    time.Time
	subs     subscriptions
	sent     atomic.Int64

	queue  chan message
	ending chan ending   // how the writer shall end it
	leaves atomic.Bool   // told to end, and not by falling silent: it listens no more
	ended  chan struct{} // closed when nothing is written any more
	leave  sync.Once     // of the book
	cancel context.CancelFunc
}

// message is one record for the writer; entry is nil for what is no event.
type message struct {
	record []byte
	entry  *Sent
	binary bool // a WebSocket message of its own
}

// ending is a way to end a connection.
type ending struct {
	mode   string
	record []byte // the close frame, of those that say goodbye
}

// errorClose is ASP.NET Core's goodbye to a client that broke the protocol.
func errorClose() ending {
	return ending{DropClose, rte.AppendClose(nil, "Connection closed with an error.", true)}
}

// over notes that nothing more reaches the client.
func (c *conn) over() { c.leave.Do(func() { c.hub.book.note(c.id, Ended, 0) }) }

// serve runs the connection to its end.
func (c *conn) serve(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	defer c.cancel()
	defer func() { _ = c.ws.CloseNow() }() // ended already, or to be ended hard
	early, refusal, err := c.readHandshake(ctx)
	if err != nil {
		return
	}
	if refusal == "" {
		// Known before the client is told so: whoever has connected is listed.
		c.hub.add(c)
		defer c.hub.remove(c)
	}
	if c.answerHandshake(ctx, refusal) != nil || refusal != "" {
		close(c.ended)
		return
	}
	go c.write(ctx)
	c.read(ctx, early)
	c.cancel()
	<-c.ended
}

// readHandshake reads a client's first record. early is what came along with
// it, refusal why it is not accepted.
func (c *conn) readHandshake(ctx context.Context) (early []byte, refusal string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.hub.settings.HandshakeTimeout)
	defer cancel()
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		return nil, "", err
	}
	record, early, found := rte.CutRecord(b)
	request, err := rte.ReadHandshakeRequest(record)
	if err != nil || !found {
		return nil, "Handshake was canceled.", nil
	}
	return early, refuseProtocol(request), nil
}

func (c *conn) answerHandshake(ctx context.Context, refusal string) error {
	ctx, cancel := context.WithTimeout(ctx, c.hub.settings.WriteTimeout)
	defer cancel()
	err := c.ws.Write(ctx, websocket.MessageText, rte.AppendHandshakeResponse(nil, refusal))
	if err == nil && refusal != "" {
		err = c.ws.Close(websocket.StatusNormalClosure, "")
	}
	return err
}

func refuseProtocol(r rte.HandshakeRequest) string {
	switch {
	case r.Protocol != rte.ProtocolName:
		return fmt.Sprintf("The protocol '%s' is not supported.", r.Protocol)
	case r.Version != rte.ProtocolVersion:
		return fmt.Sprintf("The server does not support version %d of the '%s' protocol.", r.Version, r.Protocol)
	default:
		return ""
	}
}

// read takes records until the client leaves, breaks the protocol or falls
// silent.
func (c *conn) read(ctx context.Context, buffer []byte) {
	silence := time.AfterFunc(c.hub.settings.ClientTimeout, func() {
		if !c.gate.muted() { // a mute gate makes everybody silent
			c.end(ending{DropCloseReconnect, rte.AppendClose(nil, "", true)})
		}
	})
	defer silence.Stop()
	for {
		rest, ok := c.takeAll(ctx, buffer)
		if !ok {
			return
		}
		_, b, err := c.ws.Read(ctx)
		if err != nil {
			return
		}
		silence.Reset(c.hub.settings.ClientTimeout)
		buffer = append(bytes.Clone(rest), b...)
	}
}

// takeAll takes every whole record and returns what is left; false ends the
// connection.
func (c *conn) takeAll(ctx context.Context, b []byte) (rest []byte, ok bool) {
	for {
		record, rest, found := rte.CutRecord(b)
		if !found {
			break
		}
		if !c.take(ctx, record) {
			return nil, false
		}
		b = rest
	}
	if len(b) > rte.MaxRecord {
		c.refuse()
		return nil, false
	}
	return b, true
}

// take handles one record; false ends the connection.
func (c *conn) take(ctx context.Context, record []byte) bool {
	f, err := rte.ReadFrame(record)
	if len(record) > rte.MaxRecord || err != nil || !wellFormed(f) {
		c.refuse()
		return false
	}
	switch f.Type {
	case rte.Invocation, rte.StreamInvocation:
		if answer := c.invoke(f); answer != nil {
			return c.put(ctx, message{record: answer}) == nil
		}
	case rte.Close:
		c.endAndWait(ending{mode: DropClose})
		return false
	}
	return true
}

// wellFormed is what ASP.NET Core's JsonHubProtocol asks of a frame. Frames of
// types it does not know it lets pass.
func wellFormed(f rte.Frame) bool {
	switch f.Type {
	case rte.Invocation:
		return f.Target != "" && f.Arguments != nil
	case rte.StreamInvocation:
		return f.InvocationID != "" && f.Target != "" && f.Arguments != nil
	case rte.StreamItem, rte.Completion, rte.CancelInvocation:
		return f.InvocationID != ""
	default:
		return true
	}
}

func (c *conn) refuse() {
	c.hub.log.Info("connection broke the protocol", "connection", c.id)
	c.endAndWait(errorClose())
}

// end asks the writer to end the connection; the first way wins.
func (c *conn) end(e ending) bool {
	select {
	case c.ending <- e:
		if e.mode != DropSilent {
			c.leaves.Store(true)
		}
		return true
	default:
		return false
	}
}

func (c *conn) endAndWait(e ending) {
	c.end(e)
	<-c.ended
}

// put gives a record to the writer, and waits while too many wait already.
func (c *conn) put(ctx context.Context, m message) error {
	if c.gate.muted() {
		return nil
	}
	select {
	case c.queue <- m:
		return nil
	case <-c.gate.silent:
		return nil
	case <-c.ended:
		return nil // gone: as good as never connected
	case <-ctx.Done():
		return ctx.Err()
	}
}
