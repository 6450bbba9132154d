package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"ringstream/ingest/internal/rte"
)

// tap is the connection that the SignalR library is given. It stands between
// the socket and the library: the library sees handshake, completions, pings
// and close frames, and never a call of the hub, because it would dispatch each
// on a goroutine of its own, in no order, and answer an unknown one in a way
// that makes the hub hang up.
//
// One goroutine, run, reads the socket. deliver blocks it, and so TCP.
type tap struct {
	ws      *websocket.Conn
	ctx     context.Context //nolint:containedctx // the library asks a connection for its context
	cancel  context.CancelFunc
	id      string
	limit   int64         // of one record
	timeout time.Duration // of one write

	deliver func(argument []byte)
	swallow func()
	stray   func(invocation string) // the hub answered what was not asked

	mu    sync.Mutex
	asked map[string]bool // invocations without an answer yet, by id

	part    []byte // of a record that goes on in the next WebSocket message
	library *io.PipeReader
	toward  *io.PipeWriter
	fed     time.Time // when the library last saw something
	heard   atomic.Pointer[time.Time]

	done    chan struct{}         // nothing more will be delivered
	fault   atomic.Pointer[error] // what first went wrong with the socket
	answer  atomic.Pointer[rte.HandshakeResponse]
	goodbye atomic.Pointer[rte.Frame]
}

func newTap(ws *websocket.Conn, id string, limit int64, timeout time.Duration, deliver func([]byte), swallow func()) *tap {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	t := &tap{
		ws: ws, ctx: ctx, cancel: cancel, id: id, limit: limit, timeout: timeout, deliver: deliver, swallow: swallow,
		library: r, toward: w, done: make(chan struct{}), stray: func(string) {}, asked: map[string]bool{},
	}
	t.hear() // the hub has just agreed to the WebSocket
	return t
}

func (t *tap) hear() {
	now := time.Now()
	t.heard.Store(&now)
}

// heardAt is when something was last read from the socket.
func (t *tap) heardAt() time.Time { return *t.heard.Load() }

// over reports whether the hub has said that it closes, or the socket is gone.
func (t *tap) over() bool { return t.goodbye.Load() != nil || t.fault.Load() != nil }

// Context, ConnectionID, SetConnectionID, Read and Write are what the library needs.
func (t *tap) Context() context.Context   { return t.ctx }
func (t *tap) ConnectionID() string       { return t.id }
func (t *tap) SetConnectionID(string)     {}
func (t *tap) Read(p []byte) (int, error) { return t.library.Read(p) }

func (t *tap) Write(p []byte) (int, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.timeout)
	defer cancel()
	t.ask(p)
	if err := t.ws.Write(ctx, websocket.MessageText, p); err != nil {
		t.fault.CompareAndSwap(nil, &err)
		t.close()
		return 0, err
	}
	return len(p), nil
}

// close ends the socket. What was read from it is still delivered.
func (t *tap) close() {
	t.cancel()
	_ = t.ws.CloseNow() // it may be closed already
	_ = t.library.CloseWithError(io.ErrClosedPipe)
}

// run reads until the socket ends. The library hears of it last, so that its
// end is never taken for the cause, and not as io.EOF: it would read again and
// again without a pause, and in the handshake with a lock held.
func (t *tap) run() {
	for {
		_, b, err := t.ws.Read(t.ctx)
		if err == nil {
			t.hear()
			err = t.consume(b)
		}
		if err != nil {
			t.fault.CompareAndSwap(nil, &err)
			close(t.done)
			_ = t.toward.CloseWithError(errBroken)
			t.cancel()
			return
		}
		t.feed()
	}
}

// errEndless means that a record has grown past what is kept of one.
var errEndless = errors.New("a record does not end")

// consume takes the records of one WebSocket message, and keeps the beginning
// of one that goes on in the next, as much of it as one message may be long.
func (t *tap) consume(b []byte) error {
	if len(t.part) > 0 {
		b = append(t.part, b...)
	}
	for {
		record, rest, found := rte.CutRecord(b)
		if !found {
			if int64(len(rest)) > t.limit {
				return fmt.Errorf("%w after %d bytes", errEndless, t.limit)
			}
			t.part = bytes.Clone(rest)
			return nil
		}
		b = rest
		t.take(record)
	}
}

// take hands one record to whom it is for. A copy is delivered, so that one
// kept message does not keep all that came with it.
func (t *tap) take(record []byte) {
	if argument, ok := rte.MessageArgument(record); ok {
		t.deliver(bytes.Clone(argument))
		return
	}
	frame, err := rte.ReadFrame(record)
	switch {
	case err != nil && t.fed.IsZero(): // the answer to the handshake has no type
		answer, err := rte.ReadHandshakeResponse(record)
		if err != nil {
			answer.Error = err.Error()
		}
		t.answer.Store(&answer)
		t.pass(record)
	case err != nil: // better kept for people than answered by hanging up
		t.swallow()
		t.deliver(bytes.Clone(record))
	case frame.Type != rte.Invocation:
		if frame.Type == rte.Close {
			t.goodbye.Store(&frame)
		}
		if frame.Type == rte.Completion && !t.answers(frame.InvocationID) {
			t.stray(frame.InvocationID)
			t.swallow()
			return
		}
		t.pass(record)
	case strings.EqualFold(frame.Target, rte.CallbackMessageReceived) && len(frame.Arguments) > 0:
		t.deliver(frame.Arguments[0])
	default:
		t.swallow()
	}
}

// ask notes what the library asks in what it writes: whole records.
func (t *tap) ask(p []byte) {
	for record, rest, found := rte.CutRecord(p); found; record, rest, found = rte.CutRecord(rest) {
		if frame, err := rte.ReadFrame(record); err == nil && frame.Type == rte.Invocation {
			t.mu.Lock()
			t.asked[frame.InvocationID] = true
			t.mu.Unlock()
		}
	}
}

// answers reports whether an invocation waits for this answer. Of any other the
// library would hang up; the official clients go on.
func (t *tap) answers(invocation string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	waits := t.asked[invocation]
	delete(t.asked, invocation)
	return waits
}

// pass gives the library a record. Each is a write of its own, and so a read:
// the library drops what comes with the handshake's answer.
func (t *tap) pass(record []byte) {
	t.fed = time.Now()
	_, _ = t.toward.Write(append(bytes.Clone(record), rte.Separator)) // a library that has gone needs nothing
}

// The library counts silence from what it sees, and sees no messages.
const feedEvery = time.Second

func (t *tap) feed() {
	if !t.fed.IsZero() && time.Since(t.fed) > feedEvery {
		t.pass([]byte(`{"type":6}`))
	}
}
