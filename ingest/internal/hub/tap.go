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
	stray   func(record []byte, reason string) // what is no message, or not only one

	mu    sync.Mutex
	asked map[string]bool // invocations without an answer yet, by id

	message bytes.Buffer // what was read last
	part    []byte       // of a record that goes on in the next WebSocket message
	left    time.Time    // when the socket was last read
	library *io.PipeReader
	toward  *io.PipeWriter
	fed     time.Time // when the library last saw something
	heard   atomic.Pointer[time.Time]
	reading atomic.Bool               // run waits for the hub, and for nothing else
	ponged  atomic.Pointer[time.Time] // when the newest ping left that the hub has answered
	lived   atomic.Pointer[time.Time] // this process: the newest sign
	paused  atomic.Pointer[pause]     // the newest time without any

	done    chan struct{}         // nothing more will be delivered
	fault   atomic.Pointer[error] // what first went wrong with the socket
	answer  atomic.Pointer[rte.HandshakeResponse]
	goodbye atomic.Pointer[rte.Frame]
}

func newTap(ws *websocket.Conn, id string, limit int64, timeout time.Duration, deliver func([]byte), stray func([]byte, string)) *tap {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	t := &tap{
		ws: ws, ctx: ctx, cancel: cancel, id: id, limit: limit, timeout: timeout, deliver: deliver, stray: stray,
		library: r, toward: w, done: make(chan struct{}), left: time.Now(), asked: map[string]bool{},
	}
	t.hear(time.Now()) // the hub has just agreed to the WebSocket
	return t
}

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
		kind, b, err := t.read()
		if err == nil {
			err = t.consume(kind, b)
		}
		if err != nil {
			t.fault.CompareAndSwap(nil, &err)
			if len(t.part) > 0 {
				t.stray(t.part, StrayBroken)
			}
			close(t.done)
			_ = t.toward.CloseWithError(errBroken)
			t.cancel()
			return
		}
		t.feed()
	}
}

// read reads a WebSocket message, which is good until the next, and notes that
// the hub was heard. An end may have come at any time while nobody read, and
// whatever it is while nothing ran here.
func (t *tap) read() (websocket.MessageType, []byte, error) {
	away := time.Since(t.left)
	t.reading.Store(true)
	kind, err := t.readMessage()
	t.reading.Store(false)
	t.left = time.Now()
	switch came := t.came(t.left); {
	case err == nil:
		t.hear(came)
	case t.spoke(err):
		t.hear(came.Add(-away))
	}
	return kind, t.message.Bytes(), err
}

// keptBuffer is how large the buffer of a message may be to serve again.
const keptBuffer = 64 << 10

// readMessage reads one WebSocket message into the buffer of the one before.
func (t *tap) readMessage() (websocket.MessageType, error) {
	if t.message.Cap() > keptBuffer {
		t.message = bytes.Buffer{}
	}
	t.message.Reset()
	kind, r, err := t.ws.Reader(t.ctx)
	if err == nil {
		_, err = t.message.ReadFrom(r)
	}
	return kind, err
}

// errEndless means that a record has grown past what is kept of one.
var errEndless = errors.New("a record does not end")

// consume takes the records of one WebSocket message, and keeps the beginning
// of one that goes on in the next, as much of it as one message may be long.
// Binary messages are whole: this protocol has none, so nothing goes on there.
func (t *tap) consume(kind websocket.MessageType, b []byte) error {
	if kind == websocket.MessageBinary {
		if rest := t.takeAll(b); len(rest) > 0 {
			t.stray(bytes.Clone(rest), StrayBinary)
		}
		return nil
	}
	rest := t.takeAll(t.joined(b))
	t.part = bytes.Clone(rest)
	if int64(len(rest)) > t.limit {
		return fmt.Errorf("%w after %d bytes", errEndless, t.limit)
	}
	return nil
}

// joined puts the beginning of a record before its end. What is none is handed
// over by itself, lest it spoil the record after it.
func (t *tap) joined(b []byte) []byte {
	if len(t.part) == 0 {
		return b
	}
	whole := append(t.part, b...)
	if first, _, found := rte.CutRecord(b); found {
		_, alone := rte.ReadFrame(first)
		_, together := rte.ReadFrame(whole[:len(t.part)+len(first)])
		if alone == nil && together != nil {
			t.stray(bytes.Clone(t.part), StrayBroken)
			return b
		}
	}
	return whole
}

// takeAll takes every whole record and returns what is left.
func (t *tap) takeAll(b []byte) (rest []byte) {
	for {
		record, rest, found := rte.CutRecord(b)
		if !found {
			return rest
		}
		b = rest
		t.take(record)
	}
}

// Why a record is handed over as no message. They are label values of a metric
// and part of a subject.
const (
	StrayBroken    = "broken-frame"     // no JSON, or no frame of the protocol
	StrayBinary    = "binary-frame"     // a binary message
	StrayFrame     = "unknown-frame"    // of a type that hubs do not send
	StrayCallback  = "unknown-callback" // a call of something else than MessageReceived
	StrayArguments = "wrong-arguments"  // MessageReceived with none, or with more than its one
	StrayAnswer    = "unasked-answer"
)

// take hands one record to whom it is for. A copy is delivered, so that one
// kept message does not keep all that came with it.
func (t *tap) take(record []byte) {
	if argument, ok := rte.MessageArgument(record); ok {
		t.deliver(bytes.Clone(argument))
		return
	}
	frame, err := rte.ReadFrame(record)
	if err != nil && t.fed.IsZero() { // the answer to the handshake has no type
		t.shake(record)
		return
	}
	switch reason := t.strange(frame, err); {
	case reason == StrayArguments && len(frame.Arguments) > 0:
		t.deliver(frame.Arguments[0])
		fallthrough
	case reason != "":
		t.stray(bytes.Clone(record), reason)
	default:
		if frame.Type == rte.Close {
			t.goodbye.Store(&frame)
		}
		t.pass(record)
	}
}

// strange says why a record that is no message is not for the library either:
// it would hang up, or make the hub hang up; empty where it is for the library.
func (t *tap) strange(frame rte.Frame, err error) string {
	switch {
	case err != nil: // better kept for people than answered by hanging up
		return StrayBroken
	case frame.Type == rte.Ping || frame.Type == rte.Close:
		return ""
	case frame.Type == rte.Completion && t.answers(frame.InvocationID):
		return ""
	case frame.Type == rte.Completion:
		return StrayAnswer
	case frame.Type != rte.Invocation:
		return StrayFrame
	case !strings.EqualFold(frame.Target, rte.CallbackMessageReceived):
		return StrayCallback
	default: // with one argument it would be a message
		return StrayArguments
	}
}

func (t *tap) shake(record []byte) {
	answer, err := rte.ReadHandshakeResponse(record)
	if err != nil {
		answer.Error = err.Error()
	}
	t.answer.Store(&answer)
	t.pass(record)
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
