package feed

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/event"
)

const (
	// Grace is for how long the hub may keep what it has sent to another replica
	// already, and how old a subscription must be to be relied on.
	Grace = 10 * time.Second
	// doubt is by how much the same event may reach two replicas, by their own
	// clocks, at different times, where that cannot be looked up.
	doubt = 30 * time.Second
	// patience is for how long an answer of the hub is waited for.
	patience = time.Minute

	heardRoom   = 100_000 // ids in one of the two generations
	waitingRoom = 50_000
)

// Audit finds the events that the hub sent to another replica and not to this
// one. It is told what is heard here, which items are subscribed here since
// when, and what RTE holds; time and all else comes with what it is told.
//
// An event counts as unheard only if the hub is known to have had every chance:
// its item was subscribed on this connection [Grace] before it came to the other
// replica, and since, and the hub has answered a ping on this connection that
// left Grace after the event was seen in RTE, so that all it wrote until then
// has been heard. Wherever that is not sure the event is passed over: while
// there is no connection, when a hub answers no pings, for what has no id of its
// own, and for times whose ids are forgotten.
type Audit struct {
	grace       time.Duration
	room        int // of a generation
	young, old  map[print]struct{}
	last, prior time.Time // when the newest of young, and of old, was heard
	forgotten   time.Time // what was heard until then is not known any more

	held    map[item]time.Time // since when
	waiting []stored           // in the order in which they were seen
}

// print stands for an id.
type print [16]byte

// item is a subscription, in lower case.
type item struct{ entity, event string }

// Copy is what RTE tells of an event that it holds.
type Copy struct {
	ID, EntityID, EventType string
	Recorded                time.Time // when it came to the replica that stored it, by that one's clock
}

// stored is a copy that has not been heard here.
type stored struct {
	id            string
	item          item
	arrived, seen time.Time
}

// NewAudit makes an audit.
func NewAudit(grace time.Duration) *Audit {
	return &Audit{grace: grace, room: heardRoom, young: map[print]struct{}{}, held: map[item]time.Time{}}
}

// Heard takes in an event of the hub. Two generations of ids are kept, so that
// what is stored again, or long after, is known.
func (a *Audit) Heard(id string, at time.Time) {
	if len(a.young) >= a.room {
		a.forgotten, a.prior = a.prior, a.last
		a.old, a.young = a.young, make(map[print]struct{}, a.room)
	}
	a.young[printOf(id)], a.last = struct{}{}, at
}

// Answered takes in what the hub answered to subscriptions on this connection.
func (a *Audit) Answered(answers []event.Subscription, at time.Time) {
	for _, s := range answers {
		i := itemOf(s.EntityID, s.EventName)
		switch _, held := a.held[i]; {
		case !s.Subscribed:
			delete(a.held, i)
		case !held:
			a.held[i] = at
		}
	}
}

// Ended takes in that the connection has ended.
func (a *Audit) Ended() {
	clear(a.held)
	a.waiting = nil
}

// Stored takes in an event that was seen in RTE.
func (a *Audit) Stored(c Copy, seen time.Time) {
	if event.HasFallbackID(c.ID) || c.ID == "" || c.Recorded.IsZero() || a.knows(printOf(c.ID)) {
		return
	}
	s := stored{id: c.ID, item: itemOf(c.EntityID, c.EventType), arrived: c.Recorded, seen: seen}
	if seen.Before(s.arrived) { // their clock is ahead of ours
		s.arrived = seen
	}
	if !a.expected(s) {
		return
	}
	if len(a.waiting) >= waitingRoom {
		a.waiting = a.waiting[1:]
	}
	a.waiting = append(a.waiting, s)
}

// Due returns the ids of events that have turned out to be unheard. answered is
// when the newest ping left that the hub has answered on this connection.
func (a *Audit) Due(now, answered time.Time) (ids []string) {
	for len(a.waiting) > 0 {
		s := a.waiting[0]
		sure := !answered.Before(s.seen.Add(a.grace))
		if !sure && now.Sub(s.seen) < a.grace+patience {
			break
		}
		a.waiting = a.waiting[1:]
		if sure && !a.knows(printOf(s.id)) && a.expected(s) {
			ids = append(ids, s.id)
			a.Heard(s.id, now) // of, that is: once is enough
		}
	}
	return ids
}

// expected reports whether the hub was to send it here.
func (a *Audit) expected(s stored) bool {
	since, held := a.held[s.item]
	return held && s.arrived.Sub(since) >= a.grace && (a.forgotten.IsZero() || s.arrived.Sub(a.forgotten) > doubt)
}

func (a *Audit) knows(p print) bool {
	_, young := a.young[p]
	_, old := a.old[p]
	return young || old
}

func printOf(id string) print {
	sum := sha256.Sum256([]byte(id))
	return print(sum[:len(print{})])
}

func itemOf(entity, name string) item {
	return item{strings.ToLower(entity), strings.ToLower(name)}
}

// copyOf reads the header of a raw event.
func copyOf(header nats.Header) Copy {
	recorded, _ := event.ParseTime(event.Attribute(header, event.ExtRecordedTime))
	return Copy{
		ID: event.Attribute(header, "id"), EntityID: event.Attribute(header, event.ExtEntityID),
		EventType: strings.TrimPrefix(event.Attribute(header, "type"), event.RawTypePrefix), Recorded: recorded,
	}
}
