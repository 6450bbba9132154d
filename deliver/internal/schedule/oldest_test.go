package schedule_test

import (
	"maps"
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

func TestTheOldestOfEachType(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := schedule.New(schedule.Policy{Deadlines: limits})
	offer := func(call string, kind event.CallType, age time.Duration) {
		s.Offer(schedule.Offer{
			Call:     event.Call{CallID: call, Type: kind, Sequence: 1, RecordedAt: now.Add(-age), OccurredAt: now.Add(-age)},
			Position: 1, Received: now, Customer: "RES", Now: now, Audience: []schedule.Member{{User: event.User{UserID: "u"}, Negotiator: "N1"}},
		})
	}
	want := func(what string, ages map[event.CallType]time.Duration) {
		t.Helper()
		got := map[event.CallType]time.Duration{}
		for kind, heard := range s.Oldest() {
			got[kind] = now.Sub(heard)
		}
		if !maps.Equal(got, ages) {
			t.Errorf("%s: %v, want %v", what, got, ages)
		}
	}
	want("nothing", map[event.CallType]time.Duration{})
	offer("c1", event.Incoming, time.Second)
	offer("c2", event.Incoming, 4*time.Second)
	offer("c3", event.Missed, 2*time.Second)
	sent := s.Next(now, open(1)).Send // one is under way, the others wait
	if len(sent) != 1 {
		t.Fatal(sent)
	}
	want("all", map[event.CallType]time.Duration{event.Incoming: 4 * time.Second, event.Missed: 2 * time.Second})
	s.Result(schedule.Report{ID: sent[0].ID(), Verdict: delivery.Verdict{Action: delivery.Deliver}, Now: now})
	s.Next(now, open(0))
	want("the oldest is delivered", map[event.CallType]time.Duration{event.Incoming: time.Second, event.Missed: 2 * time.Second})
}
