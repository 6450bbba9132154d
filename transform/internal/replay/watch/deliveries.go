package watch

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// notice is a call event of which Reapit is told.
type notice struct {
	id       string
	number   int
	kind     event.CallType
	org      string
	stored   time.Time
	recorded time.Time // when ingest heard of it
	audience []event.User
	open     []string // users whose outcome is awaited
	settled  []string // users with one
	ended    []string // deliveries with one
}

// over reports whether the call is over for its audience.
func (n *notice) over() bool { return n.kind == event.Ended || n.kind == event.Missed }

// position is how far a negotiator was told of a call.
type position struct {
	lane   string // customer and negotiator
	number int
	id     string
}

// await notes whom an event is to be told.
func (c *Checker) await(r *record, h Held) {
	if !c.rules.delivered(h.Call) || h.Seq <= c.rules.Told {
		return
	}
	n := &notice{
		id: h.Call.EventID(), number: h.Call.Sequence, kind: h.Call.Type, org: h.Call.OrganizationID,
		stored: h.Stored, recorded: h.Call.RecordedAt, audience: h.Call.Audience,
	}
	if n.recorded.IsZero() {
		n.recorded = h.Stored
	}
	for _, u := range n.audience {
		if !slices.Contains(n.open, u.UserID) {
			n.open = append(n.open, u.UserID)
		}
	}
	r.events = append(r.events, n)
	c.close(r, -len(n.open))
	heap.Push(&c.due, duty{n.recorded.Add(c.rules.Deadlines[n.kind] + c.rules.Grace), topology.KeyToken(h.Call.CallID), n})
}

// overdue finds deliveries that ought to have ended. What ingest heard before
// deliver began is passed over by it.
func (c *Checker) overdue(r Reading) (found []Violation) {
	for {
		d, is := c.due.next(r.Deliveries)
		if !is {
			return found
		}
		n := d.of
		passed := r.Began.IsZero() || n.recorded.Before(r.Began.Add(-c.rules.Deadlines[event.Incoming]))
		for _, user := range n.open {
			if !passed {
				found = append(found, Violation{r.Deliveries, Unended, topology.Deliveries, 0, d.call, n.id, fmt.Sprintf(
					"%s for user %s, heard of %s ago, has no outcome", n.kind, user, r.Deliveries.Sub(n.recorded).Round(time.Second))})
			}
		}
		if call := c.calls[d.call]; call != nil {
			c.close(call, len(n.open))
		}
		n.open = nil
	}
}

// Outcome takes a message of DELIVERIES; known is up to when CALLS is.
func (c *Checker) Outcome(o Ended, known time.Time) (found []Violation) {
	say := func(k Kind, format string, args ...any) {
		found = append(found, Violation{o.Stored, k, topology.Deliveries, o.Seq, o.CallID, o.EventID, fmt.Sprintf(format, args...)})
	}
	if o.Foreign {
		say(Stray, "message %d was not written by deliver", o.Seq)
		return found
	}
	if why := c.tenancy(o); why != "" {
		say(WrongTenancy, "%s", why)
	}
	if o.Redrive > 0 {
		return found
	}
	r := c.calls[topology.KeyToken(o.CallID)]
	n := r.notice(o.EventID)
	if n == nil {
		if o.In > c.rules.Told && known.Sub(o.ReceivedAt) < c.rules.Memory {
			say(Stray, "CALLS has no such event to tell anybody")
		}
		return found
	}
	if n.org != o.OrganizationID {
		say(WrongTenancy, "the event is of organization %s, its outcome of %s", n.org, o.OrganizationID)
	}
	if o.Stored.After(r.touched) {
		r.touched = o.Stored
	}
	found = append(found, c.settle(r, n, o)...)
	if o.Outcome.Outcome == event.Delivered {
		found = append(found, r.inOrder(n, o)...)
		found = append(found, c.inTime(r, n, o)...)
	}
	return found
}

func (r *record) notice(id string) *notice {
	if r == nil {
		return nil
	}
	if i := slices.IndexFunc(r.events, func(n *notice) bool { return n.id == id }); i >= 0 {
		return r.events[i]
	}
	return nil
}

// tenancy tells why an outcome is not for its customer, as far as that can be known.
func (c *Checker) tenancy(o Ended) string {
	if want := topology.Delivery(o.Customer, o.NegotiatorID, string(o.Outcome.Outcome), o.CallID); want != o.Subject {
		return fmt.Sprintf("it stands under %s, and ought to under %s", o.Subject, want)
	}
	want, stated := c.rules.customer(strings.ToLower(o.OrganizationID))
	if stated && o.Customer != "" && o.Customer != want {
		return fmt.Sprintf("organization %s is of customer %s, not of %s", o.OrganizationID, want, o.Customer)
	}
	return ""
}

// settle notes who has an outcome.
func (c *Checker) settle(r *record, n *notice, o Ended) (found []Violation) {
	say := func(k Kind, format string, args ...any) {
		found = append(found, Violation{o.Stored, k, topology.Deliveries, o.Seq, o.CallID, o.EventID, fmt.Sprintf(format, args...)})
	}
	if id := o.ID(); slices.Contains(n.ended, id) {
		say(EndedTwice, "%s for %s has ended before, now as %s", o.Type, who(o), o.Outcome.Outcome)
		return found
	}
	n.ended = append(n.ended, o.ID())
	for _, u := range o.Users {
		switch {
		case !has(n.audience, u.UserID):
			say(Stray, "%s is not for user %s", o.Type, u.UserID)
		case slices.Contains(n.settled, u.UserID):
			say(EndedTwice, "%s for user %s has ended before, now as %s for %s", o.Type, u.UserID, o.Outcome.Outcome, who(o))
		default:
			n.settled = append(n.settled, u.UserID)
		}
		if i := slices.Index(n.open, u.UserID); i >= 0 {
			n.open = slices.Delete(n.open, i, i+1)
			c.close(r, 1)
		}
	}
	return found
}

// close counts deliveries that are awaited no longer.
func (c *Checker) close(r *record, n int) {
	r.open -= n
	c.open -= n
}

func who(o Ended) string {
	if o.NegotiatorID != "" {
		return o.NegotiatorID
	}
	return "nobody"
}

// inOrder finds what is delivered behind a later event of the call.
func (r *record) inOrder(n *notice, o Ended) []Violation {
	lane := o.Customer + "/" + o.NegotiatorID
	i := slices.IndexFunc(r.lanes, func(p position) bool { return p.lane == lane })
	if i < 0 {
		r.lanes = append(r.lanes, position{lane, n.number, n.id})
		return nil
	}
	before := r.lanes[i]
	if n.number >= before.number {
		r.lanes[i] = position{lane, n.number, n.id}
		return nil
	}
	return []Violation{{o.Stored, Misordered, topology.Deliveries, o.Seq, o.CallID, o.EventID, fmt.Sprintf(
		"%s delivered to %s behind %s", o.Type, o.NegotiatorID, before.id)}}
}

// inTime finds what was posted when the call had been over.
func (c *Checker) inTime(r *record, n *notice, o Ended) []Violation {
	if n.over() {
		return nil
	}
	over := r.end(n, o.Users)
	posted := c.posted(o)
	if over.IsZero() || !posted.After(over.Add(Overtaken)) {
		return nil
	}
	return []Violation{{o.Stored, AfterTheEnd, topology.Deliveries, o.Seq, o.CallID, o.EventID, fmt.Sprintf(
		"%s posted for %s %s after the end of the call was in CALLS", o.Type, o.NegotiatorID, posted.Sub(over).Round(time.Millisecond))}}
}

// posted is when the accepted request began, at the earliest.
func (c *Checker) posted(o Ended) time.Time {
	if o.FirstTriedAt == nil {
		return time.Time{}
	}
	if last := o.FinishedAt.Add(-c.rules.request(o.Type)); o.Attempts > 1 && last.After(*o.FirstTriedAt) {
		return last
	}
	return *o.FirstTriedAt
}

// end is when the call was over for all of these users, by an event behind n.
func (r *record) end(n *notice, users []event.User) (over time.Time) {
	for _, u := range users {
		i := slices.IndexFunc(r.events, func(e *notice) bool { return e.over() && e.number > n.number && has(e.audience, u.UserID) })
		if i < 0 {
			return time.Time{}
		}
		if at := r.events[i].stored; at.After(over) {
			over = at
		}
	}
	return over
}
