package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a fenced log. The first two tell which input a message came of.
const (
	HeaderIn  = "X-In"  // position of the input in its stream
	HeaderIdx = "X-Idx" // n-th output of that input, from 0
	HeaderAt  = "X-At"  // when that input was stored; absent when the writer does not tell
)

const defaultWindow = 256 // appends in flight

// Position names one output of a deterministic fold: the Idx-th output of the
// input at position In.
type Position struct {
	In  uint64
	Idx int
	At  time.Time // when the input was stored: tells it from another at that position; zero: not told
}

// After reports whether p comes behind q.
func (p Position) After(q Position) bool { return p.In > q.In || p.In == q.In && p.Idx > q.Idx }

// Log is a stream with one writer at a time. Every message states the position
// it must take and is refused when that is not the next one: because another
// writer was there first, or because a message before it was lost.
//
// A pipelined log ([OpenLog]) has many appends in flight. When one is refused,
// a later one can still hit its position, if the other writer has meanwhile
// appended just as much. So what stands at a position must not depend on who
// writes it: every writer must append the same messages in the same order,
// snapshots included, as a function of the input alone. Then the stream is
// always a prefix of the one true output, whatever writers compete.
//
// A serial log ([OpenSerialLog]) has one append in flight, or one batch, of which
// the server takes nothing behind the first that it refuses. It needs no such
// promise: nothing is ever appended behind a refusal.
//
// A Log is used by one goroutine. After an error it is useless.
type Log struct {
	serial bool
	js     jetstream.JetStream
	stream jetstream.Stream
	prefix string
	tail   Position // of the newest message, held or in flight
	empty  bool
	alien  []uint64 // messages at the end that no writer of this log wrote
	next   uint64   // last sequence, counting what is in flight
	slot   int      // where the next large snapshot goes
	cancel context.CancelCauseFunc
	ctx    context.Context
	acks   chan answer
	done   sync.WaitGroup
	stored func(took time.Duration)

	batches bool
	answers *nats.Subscription // to batches; nil before the first
}

// answer is what collect waits for next: the ack of an append, or everything
// before a flush.
type answer struct {
	ack     jetstream.PubAckFuture
	sent    time.Time // where somebody wants to know
	flushed chan struct{}
}

// OpenSerialLog opens a log for a writer whose output depends on more than its
// input: Append waits until the message is stored.
func OpenSerialLog(ctx context.Context, js jetstream.JetStream, stream, prefix string) (*Log, error) {
	l, err := OpenLog(ctx, js, stream, prefix)
	if err != nil {
		return nil, err
	}
	l.serial = true
	return l, nil
}

// OpenLog opens a log for a deterministic writer and reads where it ends.
// prefix is what the subjects of its snapshots begin with: <prefix>.snap. The
// caller must call Close.
func OpenLog(ctx context.Context, js jetstream.JetStream, stream, prefix string) (*Log, error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", stream, err)
	}
	info := s.CachedInfo()
	l := &Log{js: js, stream: s, prefix: prefix, next: info.State.LastSeq, empty: true, batches: info.Config.AllowBatchPublish}
	if l.next > 0 {
		if err := l.readTail(ctx); err != nil {
			return nil, fmt.Errorf("open log %s: %w", stream, err)
		}
	}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	l.acks = make(chan answer, defaultWindow)
	l.done.Go(l.collect)
	return l, nil
}

// maxForeign is how many messages of others at the end of a log are passed over.
const maxForeign = 1000

// readTail finds the newest message that a writer of this log wrote. What
// somebody else published there is passed over: it takes a place and nothing else.
func (l *Log) readTail(ctx context.Context) error {
	info := l.stream.CachedInfo()
	for seq := l.next; seq >= max(info.State.FirstSeq, 1); seq-- {
		m, err := l.stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // expired, or a snapshot that a newer one replaced
		}
		if err != nil {
			return fmt.Errorf("read its last message: %w", err)
		}
		if l.tail, err = ownPosition(m.Header, m.Sequence); err == nil {
			l.empty = false
			return nil
		}
		if l.alien = append(l.alien, seq); len(l.alien) > maxForeign {
			return fmt.Errorf("its last %d messages were not written by this service (%w); look at them and remove them: nats stream rmm %s %d",
				len(l.alien), err, info.Config.Name, seq)
		}
	}
	return nil // all of it has expired: there is nothing to suppress
}

// Foreign lists the messages at the end of the log, newest first, that were not
// written by a writer of this log when it was opened.
func (l *Log) Foreign() []uint64 { return l.alien }

// errForeign means that no writer of the log has put a message where it stands.
var errForeign = errors.New("not put there by a writer of this log")

// Own reports whether a message stands in a log where one of its writers put it:
// every append states the position before it, and the server keeps the header.
// What somebody else published there has none, a copy that of the original.
func Own(h nats.Header, seq uint64) bool {
	return h.Get(jetstream.ExpectedLastSeqHeader) == strconv.FormatUint(seq-1, 10)
}

func ownPosition(h nats.Header, seq uint64) (Position, error) {
	if !Own(h, seq) {
		return Position{}, errForeign
	}
	return positionOf(h)
}

func positionOf(h nats.Header) (Position, error) {
	in, err := strconv.ParseUint(h.Get(HeaderIn), 10, 64)
	if err != nil {
		return Position{}, fmt.Errorf("header %s: %w", HeaderIn, err)
	}
	idx, err := strconv.Atoi(h.Get(HeaderIdx))
	if err != nil {
		return Position{}, fmt.Errorf("header %s: %w", HeaderIdx, err)
	}
	p := Position{In: in, Idx: idx}
	if at := h.Get(HeaderAt); at != "" {
		if p.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return Position{}, fmt.Errorf("header %s: %w", HeaderAt, err)
		}
	}
	return p, nil
}

// OnStored has every append that is stored told of, with the time from its being
// sent to its being acknowledged; call it before the first Append. stored must
// be quick.
func (l *Log) OnStored(stored func(took time.Duration)) { l.stored = stored }

// Tail is the position of the newest message, and false for an empty log.
func (l *Log) Tail() (Position, bool) { return l.tail, !l.empty }

// Last is the stream sequence of the newest message, held or in flight.
func (l *Log) Last() uint64 { return l.next }

// Holds reports whether the log already has the output at p: a fold that runs
// again over old input must not append it.
func (l *Log) Holds(p Position) bool { return !l.empty && !p.After(l.tail) }

// Append sends one message to the end of the log. A pipelined log does not
// wait for the answer: a refusal shows in Lost and in every later call. It
// blocks while too many appends are unanswered. The header gets the fence and
// the position.
func (l *Log) Append(subject string, header nats.Header, data []byte, p Position) error {
	if err := l.Err(); err != nil {
		return err
	}
	ack, err := l.js.PublishMsgAsync(l.fenced(Entry{subject, header, data, p}), jetstream.WithRetryAttempts(0), jetstream.WithStallWait(publishTimeout))
	if err != nil {
		return l.lose(subject, err)
	}
	l.took(p)
	a := answer{ack: ack}
	if l.stored != nil {
		a.sent = time.Now()
	}
	if err := l.enqueue(a); err != nil || !l.serial {
		return err
	}
	return l.Flush(context.Background()) // ends with the ack or its time-out
}

// fenced is an entry as the next message of the log.
func (l *Log) fenced(e Entry) *nats.Msg {
	if e.Header == nil {
		e.Header = nats.Header{}
	}
	e.Header[jetstream.ExpectedLastSeqHeader] = []string{strconv.FormatUint(l.next, 10)}
	e.Header[HeaderIn] = []string{strconv.FormatUint(e.Position.In, 10)}
	e.Header[HeaderIdx] = []string{strconv.Itoa(e.Position.Idx)}
	if !e.Position.At.IsZero() {
		e.Header[HeaderAt] = []string{e.Position.At.UTC().Format(time.RFC3339Nano)}
	}
	return &nats.Msg{Subject: e.Subject, Header: e.Header, Data: e.Data}
}

// took moves the end of the log behind what was just sent.
func (l *Log) took(p Position) {
	l.next++
	l.tail, l.empty = p, false
}

// lose makes the log useless.
func (l *Log) lose(subject string, err error) error {
	l.cancel(fmt.Errorf("append to %s: %w", subject, Offline(err)))
	return l.Err()
}

func (l *Log) enqueue(a answer) error {
	select {
	case l.acks <- a:
		return nil
	case <-l.ctx.Done():
		return l.Err()
	}
}

// collect waits for the answers in the order of the appends.
func (l *Log) collect() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case next := <-l.acks:
			l.settle(next)
		}
	}
}

func (l *Log) settle(next answer) {
	if next.flushed != nil {
		close(next.flushed)
		return
	}
	select {
	case <-next.ack.Ok():
		if l.stored != nil {
			l.stored(time.Since(next.sent))
		}
	case err := <-next.ack.Err():
		l.cancel(fmt.Errorf("append to %s: %w", next.ack.Msg().Subject, fenceError(err)))
	case <-l.ctx.Done():
	}
}

func fenceError(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return fmt.Errorf("%w: %w", ErrFenced, err)
	}
	return err
}

// Flush waits until everything appended is stored, and returns why it is not.
func (l *Log) Flush(ctx context.Context) error {
	flushed := make(chan struct{})
	if err := l.enqueue(answer{flushed: flushed}); err != nil {
		return err
	}
	select {
	case <-flushed:
		return l.Err()
	case <-l.ctx.Done():
		return l.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Lost is closed when the log became useless; Err tells why.
func (l *Log) Lost() <-chan struct{} { return l.ctx.Done() }

// Err is why the log is useless, nil while it is not.
func (l *Log) Err() error {
	if l.ctx.Err() == nil {
		return nil
	}
	return context.Cause(l.ctx)
}

// errClosed is the cause after Close.
var errClosed = errors.New("log closed")

// Close forgets what is in flight; call Flush first to keep it.
func (l *Log) Close() {
	l.cancel(errClosed)
	l.done.Wait()
	if l.answers != nil {
		_ = l.answers.Unsubscribe() // fails where the connection is gone, and the subscription with it
	}
}
