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
	Closed       Cause = "closed"       // the hub said that it closes, and to come again
	Dismissed    Cause = "dismissed"    // the hub said that it closes, and not to come again
	Lost         Cause = "lost"         // the socket ended without a word
	Silent       Cause = "silent"       // nothing came for too long
)

// Causes lists every cause.
func Causes() []Cause {
	return []Cause{Stopped, Credentials, Unauthorized, Unreachable, Malformed, Refused, Closed, Dismissed, Lost, Silent}
}

// Move is what follows an ending.
type Move string

// The moves.
const (
	AtOnce   Move = "at once" // with a new token
	Wait     Move = "wait"
	WaitWell Move = "wait well" // where only people can help
)

// Settled is how long a connection must have been live to be taken for a good
// one. It bounds how often a hub is dialled that accepts and hangs up again and
// again; messages do not count, because such a hub may send one first.
const Settled = 2 * time.Second

// endings has the move after the ending that begins a row of failures, after
// one in that row whose cause is not that of the ending before, and after one
// whose cause is the same again. A stop ends everything; it has no move.
var endings = map[Cause]struct{ first, other, again Move }{
	Credentials:  {WaitWell, WaitWell, WaitWell},
	Unauthorized: {AtOnce, AtOnce, Wait}, // a token may just have expired
	Unreachable:  {Wait, Wait, Wait},
	Malformed:    {Wait, Wait, Wait},
	Refused:      {Wait, Wait, Wait},
	Closed:       {AtOnce, Wait, Wait},
	Dismissed:    {Wait, Wait, Wait}, // there is nobody else to listen, so it comes again all the same
	Lost:         {AtOnce, Wait, Wait},
	Silent:       {AtOnce, Wait, Wait},
}

// moveAfter is the move after the n-th ending of a row, for a cause, when the
// ending before had another or the same. What is not known is given time.
func moveAfter(cause, before Cause, n int) Move {
	row, known := endings[cause]
	switch {
	case !known:
		return Wait
	case n == 1:
		return row.first
	case before != cause:
		return row.other
	default:
		return row.again
	}
}
