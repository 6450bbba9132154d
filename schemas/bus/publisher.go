package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Outgoing is one message on its way to a stream.
type Outgoing struct {
	Subject string
	Header  nats.Header // with Nats-Msg-Id, so that a repeat is seen as one
	Data    []byte
	Key     string // messages of one key are stored in their order; one without any, after all before it and before all behind it
	Arrived time.Time
}

// Source is where a [Publisher] takes its messages.
type Source interface {
	// Take returns the next messages, at most so many, and none while there are
	// fewer than least. An error ends the Publisher.
	Take(least, most int) ([]Outgoing, error)
	// Ready has a value once there are as many as Take last wanted in vain.
	Ready() <-chan struct{}
}

// Publisher sends the messages of a source to JetStream, pipelined, and has those
// of each key stored in their order.
//
// It holds a connection of its own that does not reconnect: one TCP session
// delivers a prefix of what was written to it, so after any failure the
// Publisher dials anew and sends what was in flight again, in order;
// the server drops repeats by their Nats-Msg-Id. What TCP cannot order, a
// server that refuses one message and takes the next, is kept off a key by
// sending its next message only when the one before is stored. Those of other
// keys do not wait for that; a window bounds how many may overtake one. A message
// without a key tells of what is before it and what is not: it is sent when all before
// it is settled, and nothing behind it before it is.
//
// A cluster knows a repeat only when the first copy is stored. Of one that is
// on its way, from another replica, it says so instead, and may yet lose it:
// the Publisher asks again for that message alone, until it is stored.
//
// While much is in flight it sends only full batches: what comes meanwhile goes
// out together, as in Nagle's algorithm, an ack later at most. What comes with
// little in flight waits for nobody's ack.
//
// It reads the acks itself: the futures of the jetstream package cost a timer,
// two channels and a search for each message, which is as much as all the rest.
type Publisher struct {
	dial    func(...nats.Option) (*nats.Conn, error)
	log     *slog.Logger
	source  Source
	queue   []Outgoing        // taken, for which the window has no room
	window  []flight          // in the source's order
	first   uint64            // number of the oldest in the window
	bytes   int               // of what is in the window
	flying  int               // of the window, in flight
	last    map[string]uint64 // number of the newest of each key in the window
	nc      *nats.Conn
	inbox   string         // where answers come to, each under the number of its message
	answers chan *nats.Msg // of the present connection
	closed  chan struct{}  // of the present connection
	wait    time.Duration  // before the next connection; grows while nothing is stored
	repeat  <-chan time.Time
	pause   time.Duration // before repeat; grows likewise

	// Stored is called for every message that the stream has, in order, with
	// the server's answer. Refused is called for one that it can never take
	// (too large, no subject) and returns what is sent in its place, a dead
	// letter, or nil. Settled is called when so many of the oldest messages are
	// over, stored or refused. Connected tells of changes.
	// They are called from one goroutine and must not block for long.
	Stored    func(Outgoing, *jetstream.PubAck)
	Refused   func(Outgoing, error) *Outgoing
	Settled   func(n int)
	Connected func(bool, error)
}

// flight is a message in the window.
type flight struct {
	msg   Outgoing
	state state
	next  uint64    // number of the next of its key; 0: there is none
	sent  time.Time // for the first time, on the connection that it went out on
	ack   *jetstream.PubAck
	err   error
}

// state is what became of a message.
type state int

const (
	held     state = iota // something that it has to follow is not settled
	flying                // sent
	underway              // sent, while another's copy is being stored
	stored
	failed
)

// inFlight is 1 for one that is.
func (s state) inFlight() int {
	if s == flying || s == underway {
		return 1
	}
	return 0
}

const (
	// windowBytes is how much the window may hold; one message always may.
	windowBytes = 8 << 20
	// batch is how many messages are taken at once.
	batch = 64
	// little is how many may be in flight for the next to be taken by itself.
	little = 32
	// punctuality is how often unanswered messages are looked for.
	punctuality = publishTimeout / 10
	// firstRepeat is about how long a cluster takes to store a message.
	firstRepeat = 4 * time.Millisecond
	// inProcess is the server's code for a message of which a copy is being stored.
	inProcess jetstream.ErrorCode = 10158
)

// NewPublisher makes a publisher of what source has, that dials with cfg. Run
// must be called.
func NewPublisher(cfg Config, name string, source Source, log *slog.Logger) *Publisher {
	return &Publisher{
		dial:   func(extra ...nats.Option) (*nats.Conn, error) { return Dial(cfg, name, extra...) },
		log:    log,
		source: source,
		last:   map[string]uint64{},

		Stored:    func(Outgoing, *jetstream.PubAck) {},
		Refused:   func(Outgoing, error) *Outgoing { return nil },
		Settled:   func(int) {},
		Connected: func(bool, error) {},
	}
}

// Run sends until ctx ends or the source fails. What is then unacknowledged, the
// source has to give to the next Publisher.
func (p *Publisher) Run(ctx context.Context) error {
	defer p.hangUp()
	late := time.NewTicker(punctuality)
	defer late.Stop()
	for ctx.Err() == nil {
		if p.nc == nil {
			if err := p.connect(ctx); err != nil {
				break
			}
		}
		if err := p.fill(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-p.ready():
		case m := <-p.answers:
			p.answered(m)
		case <-p.repeat:
			p.askAgain()
		case now := <-late.C:
			p.overdue(now)
		case <-p.closed:
			p.lost(nats.ErrConnectionClosed)
		}
	}
	return context.Cause(ctx)
}

// ready is nil while an answer has to come before anything else can be sent.
func (p *Publisher) ready() <-chan struct{} {
	if len(p.queue) > 0 || p.full() {
		return nil
	}
	return p.source.Ready()
}

// full reports whether what comes next has to wait: nothing passes what has no key.
func (p *Publisher) full() bool {
	n := len(p.window)
	return n >= defaultWindow || p.bytes >= windowBytes || n > 0 && p.window[n-1].msg.Key == ""
}

// fill takes what there is, as far as the window has room for it.
func (p *Publisher) fill() (err error) {
	for p.nc != nil && !p.full() {
		if len(p.queue) == 0 {
			if p.queue, err = p.source.Take(p.least(), batch); err != nil || len(p.queue) == 0 {
				return err
			}
		}
		p.enter(p.queue[0])
		p.queue[0] = Outgoing{}
		p.queue = p.queue[1:]
	}
	return nil
}

func (p *Publisher) least() int {
	if p.flying < little {
		return 1
	}
	return batch
}

// enter sends a message unless it has to follow one in the window.
func (p *Publisher) enter(m Outgoing) {
	n := p.first + uint64(len(p.window))
	p.window = append(p.window, flight{msg: m})
	p.bytes += len(m.Data)
	if !p.follows(m.Key, n) {
		p.transmit(n)
		p.settle()
	}
}

func (p *Publisher) follows(key string, n uint64) bool {
	if key == "" {
		return n > p.first
	}
	last, is := p.last[key]
	p.last[key] = n
	if !is {
		return false
	}
	f := p.at(last)
	f.next = n
	return f.state != stored
}

func (p *Publisher) at(n uint64) *flight { return &p.window[n-p.first] }

func (p *Publisher) turn(f *flight, to state) {
	p.flying += to.inFlight() - f.state.inFlight()
	f.state = to
}

// transmit writes the n-th message. One that cannot be written has failed at once.
func (p *Publisher) transmit(n uint64) {
	f := p.at(n)
	reply := p.inbox + strconv.FormatUint(n, 10)
	f.sent, f.err = time.Now(), p.nc.PublishMsg(&nats.Msg{Subject: f.msg.Subject, Reply: reply, Header: f.msg.Header, Data: f.msg.Data})
	if f.err != nil {
		p.turn(f, failed)
	} else {
		p.turn(f, flying)
	}
}

// answered takes in an answer and all that have come with it.
func (p *Publisher) answered(m *nats.Msg) {
	for more := true; more; {
		p.note(m)
		select {
		case m = <-p.answers:
		default:
			more = false
		}
	}
	p.settle()
}

func (p *Publisher) note(m *nats.Msg) {
	n, err := strconv.ParseUint(m.Subject[len(p.inbox):], 10, 64)
	if err != nil || n < p.first || n >= p.first+uint64(len(p.window)) {
		return // an answer to what is over
	}
	f := p.at(n)
	if f.state.inFlight() == 0 {
		return
	}
	f.ack, f.err = readAck(m)
	switch {
	case f.err == nil:
		p.turn(f, stored)
		if f.next > 0 {
			p.transmit(f.next)
		}
	case isUnderway(f.err):
		p.turn(f, underway)
		p.askLater()
	default:
		p.turn(f, failed)
	}
}

func isUnderway(err error) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && refusal.ErrorCode == inProcess
}

func (p *Publisher) askLater() {
	if p.repeat == nil {
		p.pause = min(max(2*p.pause, firstRepeat), firstRetry)
		p.repeat = time.After(p.pause)
	}
}

// askAgain repeats what others have under way. For how long that may go on counts
// from when it was first sent.
func (p *Publisher) askAgain() {
	p.repeat = nil
	for i := range p.window {
		if f := &p.window[i]; f.state == underway {
			sent := f.sent
			p.transmit(p.first + uint64(i))
			f.sent = sent
		}
	}
	p.settle()
}

// overdue gives up on an answer that does not come.
func (p *Publisher) overdue(now time.Time) {
	if len(p.window) > 0 && now.Sub(p.window[0].sent) > publishTimeout {
		p.failed(jetstream.ErrAsyncPublishTimeout)
	}
}

// settle ends the oldest messages as far as they are stored or refused.
func (p *Publisher) settle() {
	before := p.first
	for p.nc != nil && len(p.window) > 0 && p.window[0].state >= stored {
		if f := p.window[0]; f.state == failed {
			p.failed(f.err)
		} else {
			p.wait, p.pause = 0, 0
			p.pop()
			p.Stored(f.msg, f.ack)
		}
	}
	if n := p.first - before; n > 0 {
		p.Settled(int(n)) //nolint:gosec // a window at most
	}
}

// pop lets go of the oldest message. What had to follow it takes its turn, if it
// has not.
func (p *Publisher) pop() {
	f := p.window[0]
	p.turn(&p.window[0], stored)
	p.window[0] = flight{}
	p.window = p.window[1:]
	p.first++
	p.bytes -= len(f.msg.Data)
	if f.next == 0 {
		delete(p.last, f.msg.Key)
	} else if p.at(f.next).state == held {
		p.transmit(f.next)
	}
	if len(p.window) > 0 && p.window[0].state == held {
		p.transmit(p.first)
	}
}

// failed handles the oldest message being refused or unanswered.
func (p *Publisher) failed(err error) {
	if !never(err) {
		p.lost(fmt.Errorf("publish to %s: %w", p.window[0].msg.Subject, err))
		return
	}
	refused := p.window[0].msg
	instead := p.Refused(refused, err)
	if instead == nil {
		p.pop()
		return
	}
	instead.Key = refused.Key
	p.bytes += len(instead.Data) - len(refused.Data)
	p.window[0].msg = *instead
	p.transmit(p.first)
}

// never reports whether repeating a message cannot help.
func never(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) || errors.Is(err, nats.ErrBadSubject)
}
