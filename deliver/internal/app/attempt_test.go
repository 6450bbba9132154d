package app

import (
	"testing"
	"time"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

// A request has its type's part of the time, and none has more than is left.
func TestNoRequestOutlastsTheDeadline(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	x := &term{engine: &engine{
		now: func() time.Time { return now },
		deadlines: schedule.Deadlines{
			event.Incoming: 30 * time.Second, event.Answered: 2 * time.Minute, event.Ended: 10 * time.Minute, event.Missed: 24 * time.Hour,
		},
	}}
	for _, c := range []struct {
		kind      event.CallType
		age, want time.Duration
	}{
		{event.Incoming, 0, 10 * time.Second},
		{event.Incoming, 19 * time.Second, 10 * time.Second},
		{event.Incoming, 29 * time.Second, time.Second},
		{event.Incoming, 30 * time.Second, 0},
		{event.Answered, 0, 30 * time.Second},
		{event.Answered, 115 * time.Second, 5 * time.Second},
		{event.Ended, 0, 30 * time.Second},
		{event.Missed, 23 * time.Hour, 30 * time.Second},
	} {
		d := schedule.Delivery{Call: event.Call{Type: c.kind, RecordedAt: now.Add(-c.age), OccurredAt: now.Add(-time.Hour)}}
		if got := x.timeout(d); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.kind, c.age, got, c.want)
		}
	}
	x.deadlines[event.Incoming] = 3 * time.Second
	if got := x.timeout(schedule.Delivery{Call: event.Call{Type: event.Incoming, RecordedAt: now}}); got != shortestRequest {
		t.Errorf("%s", got)
	}
}
