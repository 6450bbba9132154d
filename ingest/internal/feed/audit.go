package feed

import (
	"crypto/sha256"
	"strings"
	"time"

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
// when, and what others have heard; time and all else comes with what it is told.
//
// An event counts as unheard only if the hub is known to have had every chance:
// its item was subscribed on this connection [Grace] before the hub wrote the
// event to the other replica, and since, and the hub has answered a ping on this
// connection that left Grace after the other had told of it, so that all it
// wrote until then has been heard. When the hub wrote it the other cannot know,
// but it was after a ping that the hub had answered there before: so however
// long it lay between hub and replica, in either's buffers, makes no alarm.
// Wherever something is not sure the event is passed over: while there is no
// connection, when a hub answers no pings, for what has no id of its own, for
// what was not told, and for times whose ids are forgotten.
//
// Two things cannot be looked up, and together must not exceed Grace: for how
// long the hub keeps an event for one connection while it answers pings there
// (its answers may overtake what waits in a queue of its own for a slow reader),
// and by how much the other's clock is ahead of this one's. If they do, what was
// made before this replica subscribed is taken for unheard; what the hub keeps
// longer than Grace for this replica is counted, and right so, though it may
// come yet.
type Audit struct {
	grace       time.Duration
	room        int // of a generation
	young, old  map[print]struct{}
	last, prior time.Time // when the newest of young, and of old, was heard
	forgotten   time.Time // what was heard until then is not known any more

	held    map[item]time.Time // since when
	waiting []told             // in the order in which they were told
}

// print stands for an id.
type print [16]byte

// item is a subscription, in lower case.
type item struct{ entity, event string }

// told is what another replica has heard, and this one has not.
type told struct {
	id    string
	item  item
	after time.Time // the hub wrote it to the other later than that
	seen  time.Time // when it was told
}

// NewAudit makes an audit.
func NewAudit(grace time.Duration) *Audit {
	return &Audit{grace: grace, room: heardRoom, young: map[print]struct{}{}, held: map[item]time.Time{}}
}

// Heard takes in an event of the hub. Two generations of ids are kept, so that
// what is told again, or long after, is known.
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

// Told takes in what another replica has heard.
func (a *Audit) Told(h event.Heard, seen time.Time) {
	after := h.After
	if seen.Before(after) { // their clock is ahead of ours
		after = seen
	}
	for _, i := range h.Items {
		t := told{item: itemOf(i.EntityID, i.EventType), after: after, seen: seen}
		if !a.expected(t) {
			continue
		}
		for _, t.id = range i.IDs {
			a.miss(t)
		}
	}
}

// miss notes what may turn out to be unheard.
func (a *Audit) miss(t told) {
	if t.id == "" || len(t.id) > nameRoom || event.HasFallbackID(t.id) || a.knows(printOf(t.id)) {
		return
	}
	if len(a.waiting) >= waitingRoom {
		a.waiting = a.waiting[1:]
	}
	a.waiting = append(a.waiting, t)
}

// Due returns the ids of events that have turned out to be unheard. answered is
// when the newest ping left that the hub has answered on this connection.
func (a *Audit) Due(now, answered time.Time) (ids []string) {
	for len(a.waiting) > 0 {
		t := a.waiting[0]
		sure := !answered.Before(t.seen.Add(a.grace))
		if !sure && now.Sub(t.seen) < a.grace+patience {
			break
		}
		a.waiting = a.waiting[1:]
		if sure && !a.knows(printOf(t.id)) && a.expected(t) {
			ids = append(ids, t.id)
			a.Heard(t.id, now) // of, that is: once is enough
		}
	}
	return ids
}

// expected reports whether the hub was to send it here.
func (a *Audit) expected(t told) bool {
	since, held := a.held[t.item]
	return held && t.after.Sub(since) >= a.grace && (a.forgotten.IsZero() || t.after.Sub(a.forgotten) > doubt)
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
