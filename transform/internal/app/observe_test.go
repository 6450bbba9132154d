package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/schemas/bus"
	"ringstream/schemas/telemetry"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
)

func TestAnUnreadableMessageIsAnErrorThatSaysHowToSeeIt(t *testing.T) {
	var lines bytes.Buffer
	limited := telemetry.NewRepeats(slog.NewJSONHandler(&lines, nil), telemetry.DefaultLimit())
	registry := prometheus.NewRegistry()
	o := observe(registry, slog.New(limited), time.Minute)
	const messages = 1000
	for seq := range uint64(messages) {
		o.Unreadable(2, bus.Message{Seq: seq + 1, Subject: "rte.2.org.Unknown.key"}, errors.New("no JSON"))
	}
	limited.Flush()
	first, _, _ := strings.Cut(lines.String(), "\n")
	for _, want := range []string{`"level":"ERROR"`, `"subject":"rte.2.org.Unknown.key"`, `"seq":1`, `"see":"nats stream get RTE 1"`, "no JSON"} {
		if !strings.Contains(first, want) {
			t.Errorf("%s is missing in %s", want, first)
		}
	}
	if n := strings.Count(lines.String(), "\n"); n > 10 || !strings.Contains(lines.String(), `"suppressed":`) {
		t.Errorf("%d lines for %d messages", n, messages)
	}
	if got := sum(t, registry, telemetry.TransformUnreadable); got != messages {
		t.Errorf("%v counted", got)
	}
}

func TestMessagesOfNoCallAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := observe(registry, slog.New(slog.DiscardHandler), time.Minute)
	o.Stepped(0, bus.Message{}, fold.New(call.DefaultLimits()), fold.Step{Skipped: true})
	if got := sum(t, registry, telemetry.TransformSkipped); got != 1 {
		t.Errorf("%v counted", got)
	}
}

func sum(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name {
				total += m.Counter.GetValue()
			}
		}
	}
	return total
}
