package watch

import (
	"fmt"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

// day plays calls, one a second, that are missed, with what becomes of each.
func day(c *Checker, calls int, ended bool) (found []Violation) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for n := range calls {
		at = at.Add(time.Second)
		e := event.Call{
			CallID: fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", n), Type: event.Missed, Direction: event.Inbound, Sequence: 1,
			Audience: []event.User{{UserID: "jane"}}, RecordedAt: at,
		}
		in := bus.Position{In: uint64(n + 1)}
		c.Expect(Told{ID: e.EventID(), Call: e.CallID, Number: 1, At: in, Stored: at, Unlike: func(bus.Message) string { return "" }})
		found = append(found, c.Call(Held{Message: bus.Message{Seq: uint64(n + 1), Stored: at}, ID: e.EventID(), At: in, Stated: true, Call: e})...)
		if ended {
			o := event.Outcome{EventID: e.EventID(), CallID: e.CallID, NegotiatorID: "JAS", Users: e.Audience, Type: e.Type, Outcome: event.Delivered}
			found = append(found, c.Outcome(Ended{Outcome: o, Subject: "deliveries.none.JAS.delivered." + e.CallID, Seq: uint64(n + 1), Stored: at, In: uint64(n + 1)}, at)...)
		}
		found = append(found, c.Current(Reading{Calls: at, Deliveries: at, Began: time.Unix(1, 0)})...)
	}
	return found
}

func rules() Rules {
	return Rules{
		Partitions: 1, Late: time.Minute, Grace: time.Minute, Memory: 10 * time.Minute, Most: 5000,
		Deadlines: map[event.CallType]time.Duration{event.Missed: 24 * time.Hour},
	}
}

// However long it goes on, no more is remembered than of a while.
func TestMemoryEnds(t *testing.T) {
	c := New(rules())
	if found := day(c, 20_000, true); len(found) > 0 {
		t.Errorf("%v", found)
	}
	const most = 10*60 + 2*10
	if c.Calls() > most || len(c.due) > most || c.Awaited() != 0 || c.Untold() != 0 || c.Forgotten() != 0 {
		t.Errorf("%d calls, %d duties, %d awaited, %d untold and %d forgotten", c.Calls(), len(c.due), c.Awaited(), c.Untold(), c.Forgotten())
	}
}

// What is awaited for a day is remembered for as long, but no more of it than is allowed.
func TestTooMuchIsForgotten(t *testing.T) {
	c := New(rules())
	if found := day(c, 8_000, false); len(found) > 0 {
		t.Errorf("%v", found)
	}
	const most = 5000 + 10
	if c.Calls() > most || len(c.due) > most || c.Awaited() > most || c.Forgotten() < 8_000-most {
		t.Errorf("%d calls, %d duties, %d awaited and %d forgotten", c.Calls(), len(c.due), c.Awaited(), c.Forgotten())
	}
}

// Events that CALLS never gets are too many some day.
func TestTooManyEventsAreNotCompared(t *testing.T) {
	r := rules()
	r.Most = 100
	c := New(r)
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for n := range 1000 {
		c.Expect(Told{ID: fmt.Sprint(n), Call: fmt.Sprint(n), Number: 1, At: bus.Position{In: uint64(n + 1)}, Stored: at})
	}
	if c.Untold() != 100 || c.Forgotten() != 900 {
		t.Errorf("%d untold, %d forgotten", c.Untold(), c.Forgotten())
	}
	if found := c.Call(Held{ID: "5", At: bus.Position{In: 6}, Stated: true, Call: event.Call{CallID: "5", Sequence: 1}}); len(found) > 0 {
		t.Errorf("%v", found)
	}
}
