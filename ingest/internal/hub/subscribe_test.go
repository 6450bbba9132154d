package hub

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"ringstream/ingest/internal/rte"
	"ringstream/schemas/event"
)

func TestOnlyTroubleIsAWarning(t *testing.T) {
	for name, c := range map[string]struct {
		answer event.Subscription
		says   []string
	}{
		"held":     {event.Subscription{Subscribed: true}, []string{`level=INFO msg="listening to the hub"`}},
		"refused":  {event.Subscription{Message: "Unauthorized"}, []string{`level=WARN msg="not subscribed"`, `level=WARN msg="connected to the hub, which subscribed nothing"`}},
		"given up": {event.Subscription{Message: notWanted}, []string{`level=INFO msg=unsubscribed`, "level=WARN"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := &Hub{Sink: nobody{}, Log: slog.New(slog.NewTextHandler(&log, nil))}
			con := &connection{hub: h, wanted: 1, answers: map[rte.EntitySubscription]event.Subscription{}}
			con.record([]event.Subscription{c.answer})
			con.settle()
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			if len(lines) != len(c.says) {
				t.Fatalf("got %q", lines)
			}
			for i, want := range c.says {
				if !strings.Contains(lines[i], want) {
					t.Errorf("got %s, want %s", lines[i], want)
				}
			}
		})
	}
}
