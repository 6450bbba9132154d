// Package hub listens to Enreach's RTE hub: it keeps a connection, with all
// subscriptions, for as long as the process lives.
//
// The SignalR library does handshake, pings and invocations; messages are taken
// from the socket beneath it (see tap), in the order of arrival. Every
// connection has a client, a socket and a token of its own, and a name: its
// epoch. After an ending, package session decides what to do next.
//
// It refuses nothing the hub sends: calls other than MessageReceived are
// counted and dropped, and a subscription that the hub refuses is reported and
// tried again later. The caller owes a [Sink] that keeps what it is given: while
// its Message blocks, nothing more is read.
package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

// Limits are times and sizes.
type Limits struct {
	Dial      time.Duration // for negotiation and WebSocket together
	Handshake time.Duration
	Invoke    time.Duration // for one answer of the hub
	Write     time.Duration // for the socket to take one record
	KeepAlive time.Duration // between our pings
	Silence   time.Duration // without anything from the hub: taken for dead
	Retry     time.Duration // between attempts at refused subscriptions
	Poll      time.Duration // between looks at the subscriptions file
	FirstWait time.Duration // of every back-off, on the average
	LastWait  time.Duration // longest of the ordinary back-off
	LongWait  time.Duration // longest where only people can help
	Message   int64         // largest WebSocket message
}

// DefaultLimits suit ASP.NET Core's defaults: it pings every 15 s and wants to
// hear something within 30 s. LastWait is shorter than a telephone rings.
func DefaultLimits() Limits {
	return Limits{
		Dial: 10 * time.Second, Handshake: 10 * time.Second, Invoke: 10 * time.Second, Write: 10 * time.Second,
		KeepAlive: 10 * time.Second, Silence: 35 * time.Second, Retry: time.Minute, Poll: 5 * time.Second,
		FirstWait: 500 * time.Millisecond, LastWait: 5 * time.Second, LongWait: 30 * time.Second, Message: 8 << 20,
	}
}

// Sink takes what a connection brings, in order, from one goroutine at a time
// per method. It must not drop a message.
type Sink interface {
	Opened(epoch, host string, heard func() time.Time) // heard: when the hub was last heard on it
	Message(argument []byte)
	Subscribed(answers []event.Subscription, live bool)
	Closed(reason string)
}

// Observer counts.
type Observer interface {
	Ended(cause session.Cause)
	Swallowed()
}

// Status is what the hub client is doing. Reading it never blocks.
type Status struct {
	Connected bool
	Host      string
	Wanted    int
	Held      int
	Refused   int
	Trouble   string // why there is no connection
}

// Hub is one client of the hub.
type Hub struct {
	Grant   func(context.Context) (rte.Grant, error) // a new token
	Source  Source
	Sink    Sink
	Observe Observer
	HTTP    *http.Client
	Limits  Limits
	Log     *slog.Logger

	status     atomic.Pointer[Status]
	lastWanted Wanted // of Run's goroutine
}

// Status returns the present status.
func (h *Hub) Status() Status {
	if s := h.status.Load(); s != nil {
		return *s
	}
	return Status{Trouble: "not connected yet"}
}

// Run listens until ctx ends, and then says good-bye to the hub.
func (h *Hub) Run(ctx context.Context) {
	pace := newPace(h.Limits)
	for {
		ending, err := h.listen(ctx)
		h.Observe.Ended(ending.Cause)
		move, pause := pace.next(ending)
		if move == session.Stop {
			h.Log.Info("connection to the hub closed", telemetry.Reason, ending.Cause)
			return
		}
		h.status.Store(&Status{Trouble: err.Error()})
		h.Log.Warn("no connection to the hub", telemetry.Reason, ending.Cause, telemetry.Error, err,
			"live", ending.Live.Round(time.Millisecond).String(), "failures", pace.state.Failures, "retry_in", pause.Round(time.Millisecond).String())
		sleep(ctx, pause)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// listen makes one attempt and stays with it until it ends.
func (h *Hub) listen(ctx context.Context) (session.Ending, error) {
	c, err := h.open(ctx)
	if err != nil {
		return session.Ending{Cause: causeOf(ctx, err)}, err
	}
	err = c.serve(ctx)
	ending := session.Ending{Cause: c.cause(ctx, err), Live: c.lived()}
	reason := string(ending.Cause)
	if err != nil && ending.Cause != session.Stopped {
		reason += ": " + err.Error()
	}
	h.status.Store(&Status{Trouble: reason})
	c.close(ending.Cause) // it waits for the sink, which may take as long as an outage of NATS
	h.Sink.Closed(reason)
	return ending, err
}

// open fetches a token and opens a connection that has shaken hands.
func (h *Hub) open(ctx context.Context) (*connection, error) {
	grant, err := h.Grant(ctx)
	if err != nil {
		return nil, err
	}
	ws, id, err := dial(ctx, h.HTTP, grant, h.Limits)
	if err != nil {
		return nil, err
	}
	c := &connection{hub: h, host: grant.Host(), epoch: rand.Text(), answers: map[rte.EntitySubscription]event.Subscription{}}
	c.tap = newTap(ws, id, h.Limits.Message, h.Limits.Write, h.Sink.Message, h.Observe.Swallowed)
	c.tap.stray = func(invocation string) {
		h.Log.Warn("the hub answered what was not asked; ignored", "hub", c.host, "epoch", c.epoch, "invocation_id", invocation)
	}
	if err := c.start(ctx); err != nil {
		c.close(session.Refused)
		return nil, err
	}
	h.Sink.Opened(c.epoch, c.host, c.tap.heardAt)
	h.status.Store(&Status{Connected: true, Host: c.host})
	return c, nil
}

// causeOf classifies what went wrong before there was a connection.
func causeOf(ctx context.Context, err error) session.Cause {
	if ctx.Err() != nil {
		return session.Stopped
	}
	for _, known := range []struct {
		err   error
		cause session.Cause
	}{
		{rte.ErrUnauthorized, session.Credentials},
		{rte.ErrUnknownUser, session.Credentials},
		{rte.ErrUnreachable, session.Unreachable},
		{rte.ErrMalformed, session.Malformed},
		{ErrUnauthorized, session.Unauthorized},
		{ErrUnreachable, session.Unreachable},
		{ErrMalformed, session.Malformed},
		{ErrRefused, session.Refused},
		{errGoodbye, session.Closed},
		{errBroken, session.Lost},
	} {
		if errors.Is(err, known.err) {
			return known.cause
		}
	}
	return session.Refused
}
