package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// honest is the evidence of a run in which all is well: eight calls of three
// negotiators, among them answered ones, missed ones, and one whose missed
// call Reapit was made to reject.
func honest() *evidence {
	o := newOffice(1, "SBOX", 6)
	e := &evidence{promised: usually(), offices: []office{o, newOffice(2, "RES", 6)}, faults: map[int]ailment{1: {name: "422", final: true}, 2: {name: "503", asks: 2 * time.Second}}}
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	m := mix{perSecond: 3, group: 3, missed: 0.5, strangers: 1, ring: [2]time.Duration{3 * time.Second, 9 * time.Second}, talk: [2]time.Duration{2 * time.Second, 5 * time.Second}}
	for _, c := range m.cues(rand.New(rand.NewPCG(1, 1)), 20*time.Second, o) {
		c.call.OccurredAt = began.Add(c.at)
		c.call.RecordedAt = c.call.OccurredAt
		e.said = append(e.said, said{c.call, c.call.RecordedAt.Add(5 * time.Millisecond)})
	}
	free := began
	for _, s := range e.said {
		for _, u := range s.Audience {
			free = e.deliver(s, u, later(free, s.stored))
		}
	}
	return e
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

var subTypeOf = map[event.CallType]string{
	event.Incoming: "incomingCall", event.Answered: "answeredCall", event.Ended: "endedCall", event.Missed: "missedCall",
}

// deliver writes down one delivery and returns when the next may begin.
func (e *evidence) deliver(s said, u event.User, at time.Time) time.Time {
	customer, negotiator := e.whoIs(s.Call, u.UserID)
	o := event.Outcome{
		EventID: s.EventID(), CallID: s.CallID, Customer: customer, NegotiatorID: negotiator, Users: []event.User{u}, Type: s.Type,
		Outcome: event.Delivered, FinishedAt: at.Add(40 * time.Millisecond), Attempts: 1,
	}
	if negotiator == "" {
		o.Outcome, o.Attempts = event.Unmapped, 0
		e.outcomes = append(e.outcomes, o)
		return at
	}
	e.post(s, customer, negotiator, at)
	if s.Type == event.Missed && len(e.letters) == 0 {
		last := &e.requests[len(e.requests)-1]
		last.Status, last.Accepted, last.Fault, o.Outcome = 422, false, 1, event.Rejected
		e.letters = append(e.letters, event.DeadLetter{EventID: o.EventID, Customer: customer, NegotiatorID: negotiator})
	}
	e.outcomes = append(e.outcomes, o)
	return at.Add(60 * time.Millisecond)
}

func (e *evidence) post(s said, customer, negotiator string, at time.Time) {
	p := payload{ID: s.CallID, Created: s.OccurredAt.Format("2006-01-02T15:04:05Z"), CallerID: "0" + s.Caller[3:], HuntGroup: &s.HuntGroup}
	if s.AnsweredBy != nil {
		_, by := e.whoIs(s.Call, s.AnsweredBy.UserID)
		p.AnsweredByID = &by
	}
	body, _ := json.Marshal(map[string]payload{"payload": p})
	e.requests = append(e.requests, request{
		Number: len(e.requests) + 1, Time: at, Path: "/notifications/", Customer: customer, CallID: s.CallID, SubType: subTypeOf[s.Type],
		NegotiatorIDs: []string{negotiator}, Body: body, Accepted: true, Status: 202, Done: true, DurationMS: 35,
	})
}

// of finds the n-th request of a sub type, and its outcome.
func (e *evidence) of(subType string, n int) (*request, *event.Outcome) {
	for i := range e.requests {
		r := &e.requests[i]
		if r.SubType != subType {
			continue
		}
		if n--; n >= 0 {
			continue
		}
		for j := range e.outcomes {
			o := &e.outcomes[j]
			if o.CallID == r.CallID && o.NegotiatorID == r.NegotiatorIDs[0] && o.Type == kindOf[subType] {
				return r, o
			}
		}
	}
	panic("there is no " + subType)
}

// inLaneOf finds a request of a sub type in the lane of another.
func (e *evidence) inLaneOf(r *request, subType string) (*request, *event.Outcome) {
	for n := 0; ; n++ {
		if x, o := e.of(subType, n); x.CallID == r.CallID && x.NegotiatorIDs[0] == r.NegotiatorIDs[0] {
			return x, o
		}
	}
}

// bystander finds the answered call of a negotiator who did not answer it.
func (e *evidence) bystander() (*request, *event.Outcome) {
	for n := 0; ; n++ {
		r, o := e.of("answeredCall", n)
		var body struct{ Payload payload }
		if err := json.Unmarshal(r.Body, &body); err == nil && *body.Payload.AnsweredByID != r.NegotiatorIDs[0] {
			return r, o
		}
	}
}

// sort puts the requests in the order of their times.
func (e *evidence) sort() {
	slices.SortStableFunc(e.requests, func(a, b request) int { return a.Time.Compare(b.Time) })
}

func (e *evidence) without(r *request) {
	number := r.Number
	e.requests = slices.DeleteFunc(e.requests, func(x request) bool { return x.Number == number })
}

// add puts a request where its time is.
func (e *evidence) add(r request) {
	r.Number = 9000 + len(e.requests)
	e.requests = append(e.requests, r)
	e.sort()
}

func TestCheckerOfDeliverBelievesTheHonest(t *testing.T) {
	e := honest()
	if found := e.check(); len(found) > 0 {
		t.Errorf("%v", found)
	}
	kinds := map[event.CallType]bool{}
	for _, s := range e.said {
		kinds[s.Type] = true
	}
	if len(kinds) != 4 || len(e.letters) != 1 {
		t.Errorf("the honest evidence has too little in it: %v, %d letters", kinds, len(e.letters))
	}
}

// Each planted error is found, and nothing else is.
func TestCheckerOfDeliverFindsWhatIsPlanted(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(e *evidence)
		want  []string
	}{
		"a dropped missed call": {func(e *evidence) {
			r, o := e.of("missedCall", 3)
			e.without(r)
			e.outcomes = slices.DeleteFunc(e.outcomes, func(x event.Outcome) bool { return &x == o || x.ID() == o.ID() })
		}, []string{missingEvent}},
		"a missed call that expired": {func(e *evidence) {
			r, o := e.of("missedCall", 3)
			e.without(r)
			o.Outcome = event.Expired
		}, []string{undelivered, unjustified}},
		"a missed call that was rejected by nobody": {func(e *evidence) {
			r, o := e.of("missedCall", 3)
			r.Status, r.Accepted, r.Fault, o.Outcome = 422, false, 2, event.Rejected
		}, []string{undelivered, untrue, noLetter}},
		"a rejection without a dead letter": {func(e *evidence) { e.letters = nil }, []string{noLetter}},
		"a doubled outcome": {func(e *evidence) {
			_, o := e.of("incomingCall", 2)
			e.outcomes = append(e.outcomes, *o)
		}, []string{doubledEvent}},
		"an outcome of nothing": {func(e *evidence) {
			_, o := e.of("incomingCall", 2)
			another := *o
			another.EventID += "0"
			e.outcomes = append(e.outcomes, another)
		}, []string{extraEvent}},
		"an outcome that is not true": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			r.Status, r.Accepted, r.Fault = 503, false, 2
		}, []string{untrue}},
		"given up, though the wait that was asked for left time": {func(e *evidence) {
			r, o := e.of("incomingCall", 0)
			r.Status, r.Accepted, r.Fault, o.Outcome = 503, false, 2, event.Expired
		}, []string{unjustified}},
		"a success that is recorded as none": {func(e *evidence) {
			_, o := e.of("endedCall", 0)
			o.Outcome = event.Superseded
		}, []string{untrue, unjustified}},
		"a superseding by nothing": {func(e *evidence) {
			a, _ := e.bystander()
			r, o := e.inLaneOf(a, "incomingCall")
			o.Outcome, o.FinishedAt = event.Superseded, r.Time
			e.without(r)
		}, []string{unjustified, neverShown}},
		"a doubled POST": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			again := *r
			again.Time = again.Time.Add(70 * time.Millisecond)
			e.add(again)
		}, []string{postedTwice}},
		"a POST beside the same": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			r.DurationMS, r.Status, r.Fault = 90, 503, 2
			again := *r
			again.Time, again.Status, again.Fault = again.Time.Add(50*time.Millisecond), 202, 0
			e.add(again)
		}, []string{overlapping}},
		"reordered POSTs": {func(e *evidence) {
			for n := range e.said { // so that it would still be in time
				e.said[n].stored = e.said[n].stored.Add(time.Hour)
			}
			a, _ := e.bystander()
			end, _ := e.inLaneOf(a, "endedCall")
			a.Time, end.Time = end.Time, a.Time
			e.sort()
		}, []string{misplaced}},
		"a pop after the end": {func(e *evidence) {
			end, _ := e.of("missedCall", 0)
			r, _ := e.inLaneOf(end, "incomingCall")
			r.Time, end.Time = end.Time.Add(300*time.Millisecond), end.Time.Add(400*time.Millisecond)
			e.sort()
		}, []string{afterTheEnd}},
		"an answer after the end": {func(e *evidence) {
			a, _ := e.bystander()
			end, _ := e.inLaneOf(a, "endedCall")
			a.Time, end.Time = end.Time.Add(300*time.Millisecond), end.Time.Add(400*time.Millisecond)
			e.sort()
		}, []string{afterTheEnd}},
		"a pop after somebody else's answer": {func(e *evidence) {
			a, _ := e.bystander()
			r, _ := e.inLaneOf(a, "incomingCall")
			r.Time, a.Time = a.Time.Add(300*time.Millisecond), a.Time.Add(400*time.Millisecond)
			e.sort()
		}, []string{elsewhereFirst}},
		"a late incoming": {func(e *evidence) {
			e.deadlines = maps.Clone(e.deadlines)
			e.deadlines[event.Incoming] = 60 * time.Millisecond
		}, []string{late}},
		"an end of what was not shown": {func(e *evidence) {
			a, _ := e.bystander()
			r, o := e.inLaneOf(a, "incomingCall")
			r.Status, r.Accepted, r.Fault, o.Outcome = 422, false, 1, event.Rejected
			e.letters = append(e.letters, event.DeadLetter{EventID: o.EventID, Customer: o.Customer, NegotiatorID: o.NegotiatorID})
		}, []string{neverShown}},
		"a wrong customer": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			r.Customer = "RES"
		}, []string{wrongCustomer, untrue}},
		"a customer that became another": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			r.ActedFor = "RES"
		}, []string{wrongCustomer}},
		"an outcome for the wrong customer": {func(e *evidence) {
			_, o := e.of("missedCall", 3)
			o.Customer = "RES"
		}, []string{wrongCustomer}},
		"a negotiator who is not in the call": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			r.NegotiatorIDs = append(r.NegotiatorIDs, "N99")
		}, []string{wrongCustomer}},
		"another caller": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			other, _ := e.of("incomingCall", 0)
			r.Body = other.Body
		}, []string{wrongContent}},
		"a body that is none": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			r.Body = json.RawMessage(`""`)
		}, []string{wrongContent}},
		"more than the rate": {func(e *evidence) { e.rate = 5 }, []string{overTheRate}},
		"more than the concurrency": {func(e *evidence) {
			for i := range e.requests {
				e.requests[i].DurationMS = 65
			}
			e.concurrency = 1
		}, []string{overConcurrency}},
		"a refusal for a limit": {func(e *evidence) {
			r, _ := e.of("missedCall", 3)
			refused := *r
			refused.Time, refused.Status, refused.Accepted = refused.Time.Add(-50*time.Millisecond), 429, false
			e.add(refused)
		}, []string{limited}},
	} {
		t.Run(name, func(t *testing.T) {
			e := honest()
			c.plant(e)
			found := e.check()
			if got := slices.Sorted(maps.Keys(kindsOf(found))); !reflect.DeepEqual(got, slices.Sorted(slices.Values(c.want))) {
				t.Errorf("found %v, want %v:\n%v", got, c.want, found)
			}
		})
	}
}

// What was under way at a kill may be repeated, and is counted; what ended
// before may not.
func TestCheckerOfDeliverKnowsTheKilled(t *testing.T) {
	for after, forgiven := range map[time.Duration]bool{20 * time.Millisecond: true, 30*time.Millisecond + appendedWithin: true, 40*time.Millisecond + appendedWithin: false, -time.Millisecond: false} {
		e := honest()
		r, _ := e.of("missedCall", 3)
		again := *r
		again.Time = again.Time.Add(5 * time.Second)
		e.add(again)
		e.kills = []span{{r.Time.Add(after), r.Time.Add(after)}}
		if found := e.check(); len(found) == 0 != forgiven {
			t.Errorf("killed %v after it came: %v", after, found)
		}
	}
}

func TestPlanIsThatOfTheSeed(t *testing.T) {
	m, _ := overloaded(time.Minute)
	o := newOffice(1, "SBOX", 60)
	drawn := func(seed uint64) (text string) {
		for _, c := range m.cues(rand.New(rand.NewPCG(seed, 7)), time.Minute, o) {
			text += fmt.Sprint(c.at, c.call.EventID(), c.call.Type, c.call.Audience, c.call.Caller)
		}
		return text
	}
	once := drawn(1)
	if again := drawn(1); again != once {
		t.Error("the same seed makes other calls")
	}
	if other := drawn(2); other == once {
		t.Error("another seed makes the same calls")
	}
	if n := notifications(m.cues(rand.New(rand.NewPCG(1, 7)), time.Minute, o)); n < 6000 || n > 6200 {
		t.Errorf("%d notifications in a minute, want 100 a second", n)
	}
}
