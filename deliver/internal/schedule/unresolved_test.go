package schedule_test

import (
	"testing"
	"time"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

// What the log has of an event under another customer says nothing of this
// one's negotiators: the event has ended, and what follows is this one's.
func TestAnOutcomeOfAnotherCustomerIsNoNegotiatorOfThisOne(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := schedule.New(schedule.Policy{Deadlines: limits})
	jane := event.User{UserID: "u1"}
	s.Settle(schedule.Recorded{EventID: "c/1", CallID: "c", Customer: "RES", Negotiator: "JAS", Users: []event.User{jane}, Outcome: event.Delivered, At: now}, now)
	offer := func(n int, kind event.CallType) []schedule.Record {
		return s.Offer(schedule.Offer{
			Call: event.Call{CallID: "c", Type: kind, Sequence: n, OccurredAt: now}, Position: uint64(n), Received: now, Customer: "SBOX", Region: "IE", Now: now,
			Audience: []schedule.Member{{User: jane, Negotiator: "TOM"}},
		})
	}
	if ended := offer(1, event.Incoming); len(ended) > 0 {
		t.Errorf("%+v", ended)
	}
	offer(2, event.Missed)
	p := s.Next(now, open(5))
	if len(p.Send) != 1 || p.Send[0][0].Negotiator != "TOM" || p.Send[0][0].Customer != "SBOX" || p.Send[0][0].Region != "IE" {
		t.Errorf("%+v", p)
	}
}

// A call of which something waits costs the others nothing, and the count of
// what waits is by organization.
func TestUnresolvedEventsAreCountedByOrganization(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := schedule.New(schedule.Policy{Deadlines: limits})
	await := func(organization, call string, kind event.CallType) {
		s.Await(schedule.Offer{
			Call:     event.Call{CallID: call, OrganizationID: organization, Type: kind, Sequence: 1, OccurredAt: now, Audience: []event.User{{UserID: "u1"}}},
			Received: now, Customer: "RES", Now: now,
		})
	}
	await("o1", "c1", event.Incoming)
	await("o1", "c1", event.Incoming) // again
	await("o1", "c2", event.Missed)
	await("o2", "c3", event.Missed)
	await("o2", "c4", event.Held) // nobody's notification
	if n := s.Unresolved(); len(n) != 2 || n["o1"] != 2 || n["o2"] != 1 {
		t.Errorf("%v", n)
	}
	if waiting := s.Known("o2", now); len(waiting) != 1 || waiting[0].Customer != "RES" {
		t.Errorf("%+v", waiting)
	}
	p := s.Next(now.Add(time.Minute), open(5))
	if len(p.Record) != 1 || p.Record[0].Outcome != event.Unmapped || p.Record[0].Cause != "not-loaded" || p.Record[0].Delivery.Customer != "RES" || !p.Due.Equal(now.Add(24*time.Hour)) {
		t.Errorf("%+v", p)
	}
}
