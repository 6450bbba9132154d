// Package hub listens to Enreach's RTE hub: it keeps a connection, with all
// subscriptions, for as long as the process lives.
//
// The SignalR library does handshake, pings and invocations; messages are taken
// from the socket beneath it (see tap), in the order of arrival. Every
// connection has a client, a socket and a token of its own, and a name: its
// epoch. Package session decides what to do next; see supervisor, which does it.
//
// It refuses nothing the hub sends: what is no message is handed over too, with
// the reason why not, and a subscription that the hub refuses is reported and
// tried again later. A token that could not be renewed is told before it is
// needed. The caller owes a [Sink] that keeps what it is given: while it blocks,
// nothing more is read.
package hub

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/event"
)

// Limits are times and sizes.
type Limits struct {
	Token     time.Duration // for discovery and token together
	Dial      time.Duration // for negotiation and WebSocket together
	Handshake time.Duration
	Invoke    time.Duration // for one answer of the hub
	Write     time.Duration // for the socket to take one record
	KeepAlive time.Duration // between our pings
	Silence   time.Duration // without anything from the hub: taken for dead
	Retry     time.Duration // between attempts at refused subscriptions
	Poll      time.Duration // between looks at the subscriptions file
	Renew     time.Duration // between attempts at the next token
	FirstWait time.Duration // of every back-off, on the average
	LastWait  time.Duration // longest of the ordinary back-off
	LongWait  time.Duration // longest where only people can help
	Message   int64         // largest WebSocket message
}

func (l Limits) session() session.Limits {
	return session.Limits{
		Token: l.Token, Negotiate: l.Dial, Handshake: l.Handshake, Answer: l.Invoke, Silence: l.Silence,
		FirstWait: l.FirstWait, LastWait: l.LastWait, LongWait: l.LongWait,
	}
}

// DefaultLimits suit ASP.NET Core's defaults: it pings every 15 s and wants to
// hear something within 30 s. LastWait is shorter than a telephone rings. A
// message may have 8 MiB, and not be alone in what the hub writes at once.
func DefaultLimits() Limits {
	return Limits{
		Token: 20 * time.Second, Dial: 10 * time.Second, Handshake: 10 * time.Second, Invoke: 10 * time.Second, Write: 10 * time.Second,
		KeepAlive: 10 * time.Second, Silence: 35 * time.Second, Retry: time.Minute, Poll: 5 * time.Second, Renew: time.Minute,
		FirstWait: 500 * time.Millisecond, LastWait: 5 * time.Second, LongWait: 30 * time.Second, Message: 16 << 20,
	}
}

// Sink takes what a connection brings, in order, from one goroutine at a time
// per method. It must not drop a message. Stray is a record that is no message,
// or not only one; the reason is one of the Stray constants.
type Sink interface {
	Opened(epoch, host string, heard func() (at, answered time.Time)) // heard: when the hub was last heard on it, and when the newest ping left that it answered
	Message(argument []byte)
	Stray(record []byte, reason string)
	Subscribed(answers []event.Subscription, live bool)
	Closed(reason string)
}

// Observer counts.
type Observer interface {
	Ended(cause session.Cause)
	Swallowed(reason string)
	Renewed(err error) // of the token for the next connection; nil: there is one
}

// Status is what the hub client is doing. Reading it never blocks.
type Status struct {
	Connected bool
	Host      string
	Wanted    int
	Held      int
	Refused   int
	Refusals  []event.Subscription // of the refused, the first few by name
	Trouble   string               // why there is no connection
	Token     string               // why there is no token for the next one
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
	lastWanted Wanted    // of Run's goroutine
	kept       rte.Grant // newest token that the hub has not refused; of Run's goroutine
}

// Status returns the present status.
func (h *Hub) Status() Status {
	if s := h.status.Load(); s != nil {
		return *s
	}
	return Status{Trouble: "not connected yet"}
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
		{errSentAway, session.Dismissed},
		{errBroken, session.Lost},
		{context.DeadlineExceeded, session.Unreachable},
	} {
		if errors.Is(err, known.err) {
			return known.cause
		}
	}
	return session.Refused
}
