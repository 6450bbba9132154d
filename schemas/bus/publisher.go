package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Outgoing is one message on its way to a stream.
type Outgoing struct {
	Subject string
	Header  nats.Header // with Nats-Msg-Id, so that a repeat is seen as one
	Data    []byte
	Key     string // two messages of one key are never in flight together
	Arrived time.Time
}

// Publisher sends messages to JetStream in the order of the calls, pipelined,
// and repeats what was not acknowledged without letting anything overtake it.
//
// It holds a connection of its own that does not reconnect: one TCP session
// delivers a prefix of what was written to it, so after any failure the
// Publisher dials anew and sends everything unacknowledged again, in order;
// the server drops repeats by their Nats-Msg-Id. What TCP cannot order, a
// server that refuses one message and takes the next, is kept off a key by
// never having two of its messages in flight.
type Publisher struct {
	dial    func(...nats.Option) (*nats.Conn, error)
	log     *slog.Logger
	in      chan Outgoing
	flushes chan chan struct{}
	unacked []flight
	bytes   int // of what is unacked
	keys    map[string]bool
	nc      *nats.Conn
	js      jetstream.JetStream
	closed  chan struct{} // of the present connection
	wait    time.Duration // before the next connection; grows while nothing is stored

	// Stored is called for every message that the stream has, in order, with
	// the server's answer. Refused is called for one that it can never take
	// (too large, no subject) and returns what is sent in its place, a dead
	// letter, or nil. Connected tells of changes.
	// They are called from one goroutine and must not block for long.
	Stored    func(Outgoing, *jetstream.PubAck)
	Refused   func(Outgoing, error) *Outgoing
	Connected func(bool, error)
}

type flight struct {
	msg Outgoing
	ok  <-chan *jetstream.PubAck
	bad <-chan error
}

// windowBytes is how much may be in flight; one message always may.
const windowBytes = 8 << 20

// NewPublisher makes a publisher that dials with cfg. queue is how many
// messages may wait; Publish blocks behind them. Run must be called.
func NewPublisher(cfg Config, name string, queue int, log *slog.Logger) *Publisher {
	return &Publisher{
		dial:    func(extra ...nats.Option) (*nats.Conn, error) { return Dial(cfg, name, extra...) },
		log:     log,
		in:      make(chan Outgoing, queue),
		flushes: make(chan chan struct{}),
		keys:    map[string]bool{},
		closed:  make(chan struct{}),

		Stored:    func(Outgoing, *jetstream.PubAck) {},
		Refused:   func(Outgoing, error) *Outgoing { return nil },
		Connected: func(bool, error) {},
	}
}

// Publish hands over one message; it blocks while the queue is full. The only
// error is that of ctx.
func (p *Publisher) Publish(ctx context.Context, m Outgoing) error {
	select {
	case p.in <- m:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Waiting is how many messages wait to be sent.
func (p *Publisher) Waiting() int { return len(p.in) }

// Flush waits until everything handed over before it is stored or ctx ends.
func (p *Publisher) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case p.flushes <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run sends until ctx ends; what is then unacknowledged is lost to this
// process, so call Flush first.
func (p *Publisher) Run(ctx context.Context) error {
	defer p.hangUp()
	var held *Outgoing // taken from the queue, waiting for its key
	var flushing []chan struct{}
	for ctx.Err() == nil {
		if p.nc == nil {
			if err := p.connect(ctx); err != nil {
				break
			}
		}
		if held != nil && !p.keys[held.Key] {
			p.send(*held)
			held = nil
			continue
		}
		if held == nil && len(p.unacked) == 0 && len(p.in) == 0 {
			release(flushing)
			flushing = nil
		}
		var in chan Outgoing
		if held == nil && len(p.unacked) < defaultWindow && p.bytes < windowBytes {
			in = p.in
		}
		var ok <-chan *jetstream.PubAck
		var bad <-chan error
		if len(p.unacked) > 0 {
			ok, bad = p.unacked[0].ok, p.unacked[0].bad
		}
		select {
		case <-ctx.Done():
		case m := <-in:
			held = &m
		case done := <-p.flushes:
			flushing = append(flushing, done)
		case ack := <-ok:
			p.stored(ack)
		case err := <-bad:
			p.failed(err)
		case <-p.closed:
			p.lost(nats.ErrConnectionClosed)
		}
	}
	return context.Cause(ctx)
}

func release(waiting []chan struct{}) {
	for _, done := range waiting {
		close(done)
	}
}

func (p *Publisher) send(m Outgoing) {
	p.unacked = append(p.unacked, flight{msg: m})
	p.bytes += len(m.Data)
	p.keys[m.Key] = true
	p.transmit(&p.unacked[len(p.unacked)-1])
}

func (p *Publisher) transmit(f *flight) {
	ack, err := p.js.PublishMsgAsync(&nats.Msg{Subject: f.msg.Subject, Header: f.msg.Header, Data: f.msg.Data},
		jetstream.WithRetryAttempts(0), jetstream.WithStallWait(publishTimeout))
	if err != nil {
		bad := make(chan error, 1)
		bad <- err
		f.ok, f.bad = nil, bad
		return
	}
	f.ok, f.bad = ack.Ok(), ack.Err()
}

func (p *Publisher) stored(ack *jetstream.PubAck) {
	p.wait = 0
	p.Stored(p.pop(), ack)
}

func (p *Publisher) pop() Outgoing {
	m := p.unacked[0].msg
	p.unacked[0] = flight{}
	p.unacked = p.unacked[1:]
	delete(p.keys, m.Key)
	p.bytes -= len(m.Data)
	return m
}

// failed handles the oldest message in flight being refused or unanswered.
func (p *Publisher) failed(err error) {
	if never(err) {
		refused := p.unacked[0].msg
		instead := p.Refused(refused, err)
		if instead == nil {
			p.pop()
			return
		}
		instead.Key = refused.Key
		p.bytes += len(instead.Data) - len(refused.Data)
		p.unacked[0].msg = *instead
		p.transmit(&p.unacked[0])
		return
	}
	p.lost(fmt.Errorf("publish to %s: %w", p.unacked[0].msg.Subject, err))
}

// never reports whether repeating a message cannot help.
func never(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) || errors.Is(err, nats.ErrBadSubject)
}

func (p *Publisher) lost(err error) {
	p.wait = min(max(2*p.wait, firstRetry), longestRetry)
	p.Connected(false, err)
	p.log.Warn("publishing interrupted; everything unacknowledged will be sent again", "error", err, "unacknowledged", len(p.unacked))
	p.hangUp()
}

func (p *Publisher) hangUp() {
	if p.nc != nil {
		p.nc.Close()
		p.nc = nil
	}
}

// connect dials until it succeeds and sends the unacknowledged again.
func (p *Publisher) connect(ctx context.Context) error {
	if p.wait > 0 && !pause(ctx, p.wait/2+rand.N(p.wait)) {
		return context.Cause(ctx)
	}
	err := retry(ctx, p.log, func() error {
		closed := make(chan struct{})
		nc, err := p.dial(nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
		if err != nil {
			p.Connected(false, err)
			return err
		}
		p.nc, p.closed = nc, closed
		p.js, err = JetStream(nc)
		return err
	})
	if err != nil {
		return err
	}
	p.Connected(true, nil)
	for i := range p.unacked {
		p.transmit(&p.unacked[i])
	}
	return nil
}
