// Package coverage computes from the coverage events of ingest (opened,
// subscribed, heartbeat, closed) when which entity was not listened to.
//
// It owns the meaning of those events. A connection holds an item (an event of
// an entity) from the moment its Subscribe was answered positively until it was
// unsubscribed, or the hub was last heard on the connection:
//
//   - Between two pings of a quiet hub nobody knows yet how far a connection
//     reaches. It is taken to stand as long as its replica calls it live.
//   - Once the replica doubts it (not live any more), or says that it has
//     ended, it counts until its hub was last heard, which may be long ago.
//   - A replica that has fallen silent, or began anew without a word, is taken
//     at its last word, but no further than a heartbeat behind the last sign of
//     life of a hub that answers pings: it would have answered the next. The
//     replica may be paused, or cut off from NATS: what it tells later counts
//     from when it happened.
//   - Of a connection whose beginning the stream no longer holds nobody knows
//     what it subscribed. It is taken to hold everything.
//
// An item is wanted from its first positive answer on, for as long as the
// newest answer that some replica got is positive: until each of them was
// refused it, unsubscribed it, or has made a new connection, with all it
// wants, that no longer names it. An entity is uncovered while one of its
// wanted items is held by no connection. What the hub refuses to every replica
// is no gap: [Ledger.Refused] names it. [Everything] stands for all entities:
// it is uncovered while no connection holds any item, and before the first
// one did, unless that took no longer than a heartbeat.
//
// It refuses to know the time: all times are those of the replicas, whose
// clocks are to be in step. A replica whose clock was put back is not believed
// until it has caught up with itself.
//
// The caller owes the events of each replica in the order in which that one
// wrote them. Events of several may be interleaved in any way, come late or
// repeatedly. What is said of the time before [Ledger.Settled] stays as it is;
// what is said of later may yet be filled in by a replica that is late.
package coverage

import (
	"iter"
	"time"

	"ringstream/schemas/event"
)

// Everything is the entity that stands for all of them.
const Everything = "*"

const (
	// Silence is how long a replica, which speaks every second, may say nothing
	// before its connection is no longer taken to stand, and a hub that answers
	// pings, which is asked every second.
	Silence = 3 * time.Second
	// Gone is how long a replica must have been silent to be no longer expected:
	// it has another name now. Somebody else must be listening by then.
	Gone = 24 * time.Hour

	heartbeat = time.Second

	lately = 20 * time.Second // ingest doubts a connection whose hub it has not heard for so long
)

// Gap is a span in which an entity was not covered.
type Gap struct {
	Entity string    `json:"entity"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Open   bool      `json:"open"`          // it has not ended yet
	Why    []string  `json:"why,omitempty"` // per replica, how its last connection that held the entity ended
}

// Refusal is an item that the hub refuses to everybody.
type Refusal struct {
	Entity string   `json:"entity"`
	Event  string   `json:"event"`
	Why    []string `json:"why,omitempty"` // the hub's reasons
}

// Window is what a question is about. Without From it begins with the first
// event, without Until it ends with Now.
type Window struct {
	From, Until time.Time
	Now         time.Time // what is the present; never before the newest event
}

// Uncovered returns the uncovered spans that a whole stream tells of.
func Uncovered(feed iter.Seq[event.Feed]) []Gap {
	var l Ledger
	for f := range feed {
		l.Take(f)
	}
	return l.Gaps(Window{})
}
