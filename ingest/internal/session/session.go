// Package session decides what to do after a connection to the hub has ended:
// dial again at once, after a back-off, or not at all.
//
// It is pure: it owns the table of causes and moves and the count of failures,
// and knows no clock, no network and no randomness. The caller owes it one
// [Ending] for every attempt, the failed ones too, a new token for every
// attempt, and the length of the back-off, which starts over when the
// [State] it gets has one failure.
package session

import "time"

// Cause says why an attempt or a connection ended.
type Cause string

// The causes. They are label values of a metric.
const (
	Stopped      Cause = "stopped"      // the process was asked to stop
	Credentials  Cause = "credentials"  // the REST API refused user name or secret key
	Unauthorized Cause = "unauthorized" // the hub refused the token
	Unreachable  Cause = "unreachable"  // no connection: DNS, TCP, TLS, time-out, HTTP status
	Malformed    Cause = "malformed"    // an answer that cannot be understood
	Refused      Cause = "refused"      // the hub refused handshake or invocation
	Closed       Cause = "closed"       // the hub said that it closes
	Lost         Cause = "lost"         // the socket ended without a word
	Silent       Cause = "silent"       // nothing came for too long
)

// Causes lists every cause.
func Causes() []Cause {
	return []Cause{Stopped, Credentials, Unauthorized, Unreachable, Malformed, Refused, Closed, Lost, Silent}
}

// Move is what to do next.
type Move string

// The moves.
const (
	Stop    Move = "stop"
	AtOnce  Move = "at once" // with a new token
	BackOff Move = "back off"
)

// Settled is how long a connection must have been live to be taken for a good
// one. A hub that accepts and hangs up again and again must not be dialled in
// a tight loop.
const Settled = 10 * time.Second

// Ending is how an attempt or a connection ended.
type Ending struct {
	Cause Cause
	Live  time.Duration // how long it was live; zero if it never was
}

// State is what is remembered between attempts. The zero State is the start.
type State struct {
	Failures int // endings since the last settled connection, that one's included
}

// table has the move after the first ending and after each further one.
var table = map[Cause]struct{ first, further Move }{
	Stopped:      {Stop, Stop},
	Credentials:  {BackOff, BackOff},
	Unauthorized: {AtOnce, BackOff}, // a token may just have expired
	Unreachable:  {BackOff, BackOff},
	Malformed:    {BackOff, BackOff},
	Refused:      {BackOff, BackOff},
	Closed:       {AtOnce, BackOff},
	Lost:         {AtOnce, BackOff},
	Silent:       {AtOnce, BackOff},
}

// Next returns the move after an ending. An unknown cause backs off.
func (s State) Next(e Ending) (State, Move) {
	if e.Live >= Settled {
		s.Failures = 0
	}
	s.Failures++
	row, known := table[e.Cause]
	switch {
	case !known:
		return s, BackOff
	case s.Failures == 1:
		return s, row.first
	default:
		return s, row.further
	}
}
