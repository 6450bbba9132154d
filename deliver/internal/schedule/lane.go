package schedule

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// lane is the queue of one negotiator in one call.
type lane struct {
	Customer   string      `json:"customer"`
	Negotiator string      `json:"negotiator"`
	Queue      []*Delivery `json:"queue,omitempty"`
	Open       []string    `json:"open,omitempty"`    // users who have rung in this life of the call
	Told       string      `json:"told,omitempty"`    // who answered, as offered last
	Shown      bool        `json:"shown,omitempty"`   // something of this life was delivered that shows the call
	Perhaps    bool        `json:"perhaps,omitempty"` // an attempt at that ended so that nobody knows
	busy       bool        // the head is under way
	trail      bool        // something left it by a record since the last one went out
	seat       seat        // in the agenda
}

// Why a delivery is superseded.
const (
	sameNegotiator = "another user of this negotiator already brought it"
	stillInCall    = "another user of this negotiator is still in the call"
	sameAnswer     = "the negotiator was told of this answer before"
	somebodyElse   = "somebody else answered first"
	callOver       = "the call was over first"
	nothingShown   = "the incoming call was never shown"
	laterDelivered = "a later event of the call was delivered"
)

// causes says the same in one word.
var causes = map[string]string{
	sameNegotiator: "same-negotiator",
	stillInCall:    "still-in-call",
	sameAnswer:     "same-answer",
	somebodyElse:   "answered-elsewhere",
	callOver:       "call-over",
	nothingShown:   "never-shown",
	laterDelivered: "later-delivered",
}

func supersede(d *Delivery, reason string, now time.Time) Record {
	return Record{*d, event.Superseded, causes[reason], reason, now}
}

// removed is a delivery that leaves a lane without being sent.
type removed struct {
	d      *Delivery
	reason string
}

// add takes a new delivery in. It reports why the delivery is not to be sent
// at all, if so, and which others it overtakes.
func (l *lane) add(d *Delivery) (overtaken []removed, refused string) {
	switch d.Call.Type {
	case event.Incoming:
		refused = l.ring(d)
	case event.Answered:
		overtaken, refused = l.answer(d)
	case event.Ended:
		l.leave(d.Users)
		if len(l.Open) > 0 {
			refused = stillInCall
		} else {
			overtaken = l.close()
		}
	default:
		overtaken = l.close()
	}
	if refused == "" {
		l.Queue = append(l.Queue, d)
	}
	return overtaken, refused
}

func (l *lane) ring(d *Delivery) (refused string) {
	switch {
	case len(l.Open) == 0:
		l.Told = ""
	case l.Shown || slices.ContainsFunc(l.Queue, showsSoon):
		refused = sameNegotiator
	}
	for _, u := range d.Users {
		if !slices.Contains(l.Open, u.UserID) {
			l.Open = append(l.Open, u.UserID)
		}
	}
	slices.Sort(l.Open)
	return refused
}

// shows reports whether the delivery makes the call visible.
func (d *Delivery) shows() bool {
	return d.Call.Type == event.Incoming || d.Call.Type == event.Answered && d.own()
}

func showsSoon(d *Delivery) bool { return d.Call.Type == event.Incoming && d.Overtaken == "" }

func (l *lane) answer(d *Delivery) (overtaken []removed, refused string) {
	who := d.AnsweredBy
	if who == "" && d.Call.AnsweredBy != nil {
		who = "user " + d.Call.AnsweredBy.UserID
	}
	if who != "" && who == l.Told {
		return nil, sameAnswer
	}
	l.Told = who
	if d.own() {
		return nil, ""
	}
	return l.overtake(somebodyElse, event.Incoming), ""
}

func (l *lane) leave(users []event.User) {
	l.Open = slices.DeleteFunc(l.Open, func(id string) bool {
		return slices.ContainsFunc(users, func(u event.User) bool { return u.UserID == id })
	})
}

func (l *lane) close() []removed {
	l.Open, l.Told = nil, ""
	return l.overtake(callOver, event.Incoming, event.Answered)
}

// overtake takes out what is not under way, and marks what is.
func (l *lane) overtake(reason string, types ...event.CallType) []removed {
	var out []removed
	l.Queue = slices.DeleteFunc(l.Queue, func(d *Delivery) bool {
		if !slices.Contains(types, d.Call.Type) {
			return false
		}
		if l.flies(d) {
			d.Overtaken = reason
			return false
		}
		out = append(out, removed{d, reason})
		return true
	})
	return out
}

func (l *lane) flies(d *Delivery) bool { return l.busy && d == l.Queue[0] }

// obsolete tells why the head is not worth sending any more, if so.
func (l *lane) obsolete() string {
	d := l.Queue[0]
	switch {
	case d.Overtaken != "":
		return d.Overtaken
	case d.Redrive > 0: // somebody wants it, and an end too many does no harm
		return ""
	case l.Shown || l.Perhaps || d.Call.Type == event.Incoming || d.Call.Type == event.Missed:
		return ""
	case d.Call.Type == event.Answered && d.own():
		return ""
	default:
		return nothingShown
	}
}

// doubt says that somebody before may have sent what is at the head, and that
// nobody is left to tell.
func (l *lane) doubt() { l.Perhaps = l.Perhaps || len(l.Queue) > 0 && l.Queue[0].shows() }

// settle draws the consequence of how a delivery of this lane ended.
func (l *lane) settle(d *Delivery, outcome event.OutcomeType) {
	switch d.Call.Type {
	case event.Incoming, event.Answered:
		l.Shown = l.Shown || reached(outcome) && d.shows()
	default:
		l.Shown, l.Perhaps = false, false
	}
}

func reached(o event.OutcomeType) bool { return o == event.Delivered || o == event.Shadowed }

// drop takes a delivery out of the queue, wherever it is.
func (l *lane) drop(d *Delivery) {
	l.Queue = slices.DeleteFunc(l.Queue, func(x *Delivery) bool { return x == d })
}

// idle reports whether nothing of this lane is left to happen.
func (l *lane) idle() bool { return len(l.Queue) == 0 && len(l.Open) == 0 }

// before is the order across lanes: by type, then the oldest first.
func before(a, b *Delivery) bool {
	if x, y := a.class(), b.class(); x != y {
		return x < y
	}
	if !a.Call.OccurredAt.Equal(b.Call.OccurredAt) {
		return a.Call.OccurredAt.Before(b.Call.OccurredAt)
	}
	if a.Position != b.Position {
		return a.Position < b.Position
	}
	return a.Index < b.Index
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
