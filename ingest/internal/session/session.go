// Package session is the supervisor of the connection to the hub: what to do
// next, how long to wait for it at most, and what to do after an ending.
//
// It is pure: it owns the states, the tables of steps and endings and the
// length of every wait, and knows no clock, no network and no randomness.
// STATES.md is the picture of its tables.
//
// The caller owes a [Machine] what its state is for, for at most its Limit, and
// then one [Event] that tells how that went, with the time of it; of an ending
// also a number drawn by chance, so that many clients do not come at once.
package session

import (
	"errors"
	"fmt"
	"time"
)

// State is what the supervisor is about.
type State string

// The states.
const (
	Idle      State = "idle"      // nothing: not begun, or told to stop
	Token     State = "token"     // a token is fetched
	Negotiate State = "negotiate" // the hub is asked for a WebSocket
	Handshake State = "handshake" // the protocol is agreed on
	Subscribe State = "subscribe" // nothing is subscribed yet
	Live      State = "live"      // something is: messages come
	BackOff   State = "backoff"   // the hub is given time
)

// States lists every state.
func States() []State {
	return []State{Idle, Token, Negotiate, Handshake, Subscribe, Live, BackOff}
}

// Kind is what has happened.
type Kind string

// The kinds of events.
const (
	Begin      Kind = "begin"      // it is asked to listen
	Granted    Kind = "granted"    // there is a token
	Connected  Kind = "connected"  // there is a WebSocket
	Agreed     Kind = "agreed"     // the handshake is done
	Subscribed Kind = "subscribed" // the hub has taken something that is wanted
	Ended      Kind = "ended"      // the attempt or the connection, for a [Cause]
	Waited     Kind = "waited"     // the time given is over
	Stop       Kind = "stop"       // the process is asked to stop
)

// Kinds lists every kind of event.
func Kinds() []Kind {
	return []Kind{Begin, Granted, Connected, Agreed, Subscribed, Ended, Waited, Stop}
}

// Event is something that has happened.
type Event struct {
	Kind   Kind
	At     time.Time
	Cause  Cause   // of an ending
	Chance float64 // of an ending: anything from 0 up to, and without, 1
}

// byCause stands in the table where the cause of an ending decides.
const byCause State = "by cause"

// steps has the state after an event. What is not in it changes nothing.
var steps = map[State]map[Kind]State{
	Idle:      {Begin: Token},
	Token:     {Granted: Negotiate, Ended: byCause, Stop: Idle},
	Negotiate: {Connected: Handshake, Ended: byCause, Stop: Idle},
	Handshake: {Agreed: Subscribe, Ended: byCause, Stop: Idle},
	Subscribe: {Subscribed: Live, Ended: byCause, Stop: Idle},
	Live:      {Ended: byCause, Stop: Idle},
	BackOff:   {Waited: Token, Stop: Idle},
}

// Limits are the longest waits. Each state but Idle has one.
type Limits struct {
	Token     time.Duration
	Negotiate time.Duration
	Handshake time.Duration
	Answer    time.Duration // for one answer of the hub, of the many of Subscribe
	Silence   time.Duration // without anything from a live hub
	FirstWait time.Duration // of every back-off, on the average
	LastWait  time.Duration // longest of the ordinary back-off
	LongWait  time.Duration // longest where only people can help
}

// ErrUnexpected means that an event does not fit the state. Nothing changed.
var ErrUnexpected = errors.New("unexpected event")

// Machine is the supervisor. Make one with [New].
type Machine struct {
	State    State
	Limit    time.Duration // how long to be about it at most; of BackOff, how long to wait
	Failures int           // endings since the last settled connection, that one's included
	Last     Cause         // of the last ending

	limits Limits
	since  time.Time    // of Live
	waits  map[Move]int // back-offs of this row of failures
}

// New makes a machine that is idle.
func New(l Limits) Machine { return Machine{State: Idle, limits: l} }

// Next returns the machine after an event.
func (m Machine) Next(e Event) (Machine, error) {
	to, ok := steps[m.State][e.Kind]
	switch {
	case !ok:
		return m, fmt.Errorf("%w: %s while %s", ErrUnexpected, e.Kind, m.State)
	case to == byCause:
		return m.ended(e), nil
	case to == Live:
		m.since = e.At
	}
	return m.enter(to), nil
}

func (m Machine) enter(s State) Machine {
	m.State = s
	m.Limit = map[State]time.Duration{
		Token: m.limits.Token, Negotiate: m.limits.Negotiate, Handshake: m.limits.Handshake,
		Subscribe: m.limits.Answer, Live: m.limits.Silence,
	}[s]
	return m
}

// ended makes the move that follows an ending.
func (m Machine) ended(e Event) Machine {
	if m.State == Live && e.At.Sub(m.since) >= Settled {
		m.Failures = 0
	}
	if m.Failures++; m.Failures == 1 {
		m.waits = nil // they start over, whatever the first move is
	}
	move := moveAfter(e.Cause, m.Last, m.Failures)
	m.Last = e.Cause
	if move == AtOnce {
		return m.enter(Token)
	}
	m = m.enter(BackOff)
	m.Limit = m.wait(m.waits[move], m.longest(move), e.Chance)
	m.waits = counted(m.waits, move)
	return m
}

func (m Machine) longest(move Move) time.Duration {
	if move == WaitWell {
		return m.limits.LongWait
	}
	return m.limits.LastWait
}

// jitter is the part of a wait that chance adds or takes away.
const jitter = 0.5

// wait is the n-th wait, from 0: twice as long each time, until it is never
// longer than longest. There is no last one.
func (m Machine) wait(n int, longest time.Duration, chance float64) time.Duration {
	middle := float64(longest) / (1 + jitter)
	mean := float64(m.limits.FirstWait)
	for ; n > 0 && mean < middle; n-- {
		mean *= 2
	}
	return time.Duration(min(mean, middle) * (1 - jitter + 2*jitter*chance))
}

// counted leaves the map of an earlier machine as it is.
func counted(waits map[Move]int, move Move) map[Move]int {
	after := map[Move]int{move: 1}
	for m, n := range waits {
		after[m] += n
	}
	return after
}
