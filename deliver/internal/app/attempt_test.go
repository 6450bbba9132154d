package app

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
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

// Whatever Reapit echoes, neither the log nor a stream tells the secret.
func TestAnEchoOfTheSecretIsToldNowhere(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	basic := base64.StdEncoding.EncodeToString([]byte(s.ClientID + ":" + s.ClientSecret))
	echo := "we do not like " + s.ClientSecret + " nor Basic " + basic
	// One that is tried again, and one that is a dead letter with the errors in it.
	r.fault(fmt.Sprintf(`{"match":{"path":"/notifications"},"times":1,"action":{"status":503,"body":"api","text":%q}}`, echo))
	r.fault(fmt.Sprintf(`{"match":{"path":"/notifications"},"times":1,"action":{"status":422,"body":"validation","text":%q}}`, echo))
	d := r.deliver(s)
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	bustest.Eventually(t, "the dead letter", func() bool { return len(r.letters()) == 1 })
	told := r.page(d.probes+"/readyz") + r.page(d.probes+"/metrics")
	d.stop()
	for _, stream := range []string{topology.Deliveries, topology.DeadLetters} {
		for _, m := range bustest.Messages(r, r.js, stream) {
			told += fmt.Sprint(m.Header) + string(m.Data)
		}
	}
	told += r.said.String()
	for _, hidden := range []string{s.ClientSecret, basic} {
		if strings.Contains(told, hidden) {
			t.Errorf("%q is told", hidden)
		}
	}
	if n := strings.Count(told, "[redacted]"); n < 4 {
		t.Errorf("the echo is told %d times", n)
	}
	r.account()
}
