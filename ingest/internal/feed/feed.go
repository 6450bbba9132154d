// Package feed writes what ingest has to say into the stream RTE: every message
// of the hub as it arrived, and the coverage events (opened, subscribed,
// heartbeat, closed) from which anybody can compute the spans in which no
// replica was listening.
//
// A connection is called live only while its hub was heard lately, and every
// coverage event tells when that was: it may be dead since.
//
// Replicas tell each other the ids of what they have heard, by plain NATS. What
// others tell is compared with what was heard here (see [Audit]): what only
// another heard the hub did not send here, and that is published too.
//
// It owns ids, subjects and order: messages and coverage events leave through
// one function, one at a time, in the order in which they happened. It changes no byte of a message and refuses none; what
// is no JSON is published as an event of type Unknown, and what is no message at
// all as a dead letter. The caller owes a
// publish function that blocks until it has taken the message, and with every
// connection a function that says when its hub was last heard.
package feed

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

// Lately is how long a hub that is well may say nothing: ASP.NET Core pings
// every 15 s unless it is told otherwise (HubOptions.KeepAliveInterval), and a
// ping may be late. One that answers pings is asked every second.
const (
	Lately          = 20 * time.Second
	LatelyAnswering = 3 * time.Second
)

// Writer writes for one replica. Its methods may be called concurrently.
type Writer struct {
	instance   string
	partitions int
	start      string // names this start of the process
	publish    func(bus.Outgoing) error
	received   func(r event.Raw, arrived time.Time)
	log        *slog.Logger

	turn sync.Mutex // held while one message is made and handed over
	n    uint64     // coverage events so far
	now  event.Feed // what the next coverage event would say

	heard Heard // of this connection; nil while there is none
	audit *Audit

	unsaid   unsaid // to the other replicas
	enough   chan struct{}
	tellings atomic.Uint64 // messages to them so far
}

// Heard tells when the hub was last heard on a connection, and when the newest
// ping left that it has answered there; zero: it has answered none.
type Heard = func() (at, answered time.Time)

// New makes a writer. received is called for every message, one at
// a time. The audit is the writer's from now on.
func New(instance string, partitions int, publish func(bus.Outgoing) error, received func(event.Raw, time.Time), audit *Audit, log *slog.Logger) *Writer {
	return &Writer{
		instance: instance, partitions: partitions, start: rand.Text(), publish: publish, received: received, audit: audit, log: log,
		now: event.Feed{Instance: instance}, enough: make(chan struct{}, 1),
	}
}

// Opened tells that a connection stands. heard is asked from now on.
func (w *Writer) Opened(epoch, host string, heard Heard) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.now, w.heard = event.Feed{Instance: w.instance, Epoch: epoch, Hub: host}, heard
	w.audit.Ended() // what went before, if anything
	w.tell(event.Opened, time.Now())
}

// Subscribed tells what the hub answered, and whether the connection is live.
func (w *Writer) Subscribed(answers []event.Subscription, live bool) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.now.Live = live
	w.audit.Answered(answers, time.Now())
	w.now.Subscriptions = answers
	w.tell(event.Subscribed, time.Now())
	w.now.Subscriptions = nil
}

// Heartbeat tells that the process lives, connected or not.
func (w *Writer) Heartbeat() {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.tell(event.Heartbeat, time.Now())
}

// Closed tells that the connection has ended. It reached until its hub was last
// heard, which may be long ago: an end can go unnoticed, and what the connection
// brought may have waited here.
func (w *Writer) Closed(reason string) {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.now.Live = false
	w.now.Reason = reason
	at, _ := w.heard()
	w.tell(event.Closed, at)
	w.now, w.heard = event.Feed{Instance: w.instance}, nil
	w.audit.Ended()
}

// tell publishes a coverage event.
func (w *Writer) tell(kind event.FeedType, at time.Time) {
	w.n++
	f := w.now
	f.Type, f.At = kind, at.UTC()
	if w.heard != nil {
		heardAt, answered := w.heard()
		f.HeardAt, f.Answers = heardAt.UTC(), !answered.IsZero()
		f.Live = f.Live && at.Sub(f.HeardAt) <= lately(f.Answers)
	}
	e, err := event.NewFeed(f, w.start, w.n)
	if err != nil {
		w.log.Error("coverage event not published", telemetry.Error, err)
		return
	}
	subject := topology.Feed(w.instance, string(kind))
	out, err := outgoing(e, subject, "", e.ID()) // it says how far what was heard reaches
	w.hand(out, err, e.ID())
}

func lately(answers bool) time.Duration {
	if answers {
		return LatelyAnswering
	}
	return Lately
}

// Message publishes one MessageReceived argument, which is valid JSON. The
// writer keeps it.
func (w *Writer) Message(argument []byte) {
	w.turn.Lock()
	defer w.turn.Unlock()
	arrived := time.Now().UTC()
	raw, err := event.ReadRaw(argument)
	if err != nil {
		w.log.Warn("message is not what RTE documents, published as it is", telemetry.EventID, raw.ID, "bytes", len(argument))
	}
	w.now.Received++
	w.now.LastEventID = raw.ID
	w.audit.Heard(raw.ID, arrived)
	w.gather(raw)
	key := topology.KeyToken(raw.Key())
	id := event.RawSource(w.now.Hub, raw.OrganizationID) + "#" + raw.ID
	header := event.EncodeRaw(raw, w.now.Hub, key, arrived, trace(id, raw))
	event.RecordBy(header, w.instance)
	header[jetstream.MsgIDHeader] = []string{id}
	subject := topology.Raw(topology.Partition(key, w.partitions), raw.OrganizationID, raw.EventType, key)
	w.received(raw, arrived)
	w.hand(bus.Outgoing{Subject: subject, Header: header, Data: argument, Key: key, Arrived: arrived}, nil, raw.ID)
}

// named is how many unheard events are told by name.
const named = 10

// Compare tells of the events that only others heard, and returns their ids.
func (w *Writer) Compare() []string {
	w.turn.Lock()
	defer w.turn.Unlock()
	if w.heard == nil {
		return nil
	}
	_, answered := w.heard()
	ids := w.audit.Due(time.Now(), answered)
	if len(ids) > 0 {
		w.now.Unheard, w.now.UnheardIDs = len(ids), ids[:min(len(ids), named)]
		w.tell(event.Audit, time.Now())
		w.now.Unheard, w.now.UnheardIDs = 0, nil
	}
	return ids
}

// Stray keeps a record of the hub that is no message, as dead letters. The
// writer keeps it. Its id comes from its bytes, so that replicas leave one copy
// and a hub that repeats itself does not fill the stream.
func (w *Writer) Stray(record []byte, reason string) {
	w.turn.Lock()
	defer w.turn.Unlock()
	all, err := letters(event.DeadLetter{
		Service: service, Reason: reason, At: time.Now().UTC(),
		Detail: fmt.Sprintf("%d bytes from the hub %s are no message of it: %s", len(record), w.now.Hub, reason),
	}, record, "//"+w.now.Hub+"/"+reason+"#"+event.FallbackID(record), "")
	for _, letter := range all {
		err = errors.Join(err, w.publish(letter))
	}
	if err != nil {
		w.log.Error("not published", telemetry.Reason, reason, telemetry.Error, err, "bytes", len(record))
	}
}

// hand publishes what could be made.
func (w *Writer) hand(out bus.Outgoing, err error, eventID string) {
	if err == nil {
		err = w.publish(out)
	}
	if err != nil {
		w.log.Error("not published", telemetry.EventID, eventID, telemetry.Error, err)
	}
}

func outgoing(e cloudevents.Event, subject, key, id string) (bus.Outgoing, error) {
	header, body, err := event.Encode(e)
	if err != nil {
		return bus.Outgoing{}, fmt.Errorf("encode for %s: %w", subject, err)
	}
	header[jetstream.MsgIDHeader] = []string{id}
	return bus.Outgoing{Subject: subject, Header: nats.Header(header), Data: body, Key: key, Arrived: time.Now()}, nil
}
