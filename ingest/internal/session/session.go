// Package session decides what to do after a connection to the hub has ended:
// dial again at once, after a back-off, or not at all.
//
// It is pure: it owns the table of causes and moves and the count of failures,
// and knows no clock, no network and no randomness. The caller owes it one
// [Ending] for every attempt, the failed ones too, a new token for every
// attempt, and the length of the back-offs, which start over whenever the
// [State] it gets has one failure, whatever the move.
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
	Stop     Move = "stop"
	AtOnce   Move = "at once" // with a new token
	BackOff  Move = "back off"
	BackWell Move = "back well off" // where only people can help
)

// Settled is how long a connection must have been live, which is connected and
// subscribed, to be taken for a good one. It bounds how often a hub is dialled
// that accepts and hangs up again and again; messages do not count, because
// such a hub may send one first.
const Settled = 2 * time.Second

// Ending is how an attempt or a connection ended.
type Ending struct {
	Cause Cause
	Live  time.Duration // how long it was live; zero if it never was
}

// State is what is remembered between attempts. The zero State is the start.
type State struct {
	Failures int   // endings since the last settled connection, that one's included
	Last     Cause // of the last ending
}

// table has the move after the ending that begins a row of failures, after one
// in that row whose cause is not that of the ending before, and after one whose
// cause is the same again.
var table = map[Cause]struct{ first, other, again Move }{
	Stopped:      {Stop, Stop, Stop},
	Credentials:  {BackWell, BackWell, BackWell},
	Unauthorized: {AtOnce, AtOnce, BackOff}, // a token may just have expired
	Unreachable:  {BackOff, BackOff, BackOff},
	Malformed:    {BackOff, BackOff, BackOff},
	Refused:      {BackOff, BackOff, BackOff},
	Closed:       {AtOnce, BackOff, BackOff},
	Lost:         {AtOnce, BackOff, BackOff},
	Silent:       {AtOnce, BackOff, BackOff},
}

// Next returns the move after an ending. An unknown cause backs off.
func (s State) Next(e Ending) (State, Move) {
	if e.Live >= Settled {
		s.Failures = 0
	}
	s.Failures++
	before := s.Last
	s.Last = e.Cause
	row, known := table[e.Cause]
	switch {
	case !known:
		return s, BackOff
	case s.Failures == 1:
		return s, row.first
	case before != e.Cause:
		return s, row.other
	default:
		return s, row.again
	}
}
