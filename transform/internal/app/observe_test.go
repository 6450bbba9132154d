package app

import (
	"bytes"
	"errors"
	"fmt"
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
	f := fold.New(call.DefaultLimits())
	o.Stepped(0, bus.Message{Subject: "rte.0.o.CallListChanged.k"}, f, fold.Step{Skipped: true})
	o.Stepped(0, bus.Message{Subject: "feed.a.heartbeat"}, f, fold.Step{Skipped: true})
	o.Stepped(0, bus.Message{Subject: "rte.0.o.Unknown.k"}, f, fold.Step{Skipped: true, Unread: true}) // Unreadable has counted it
	for reason, want := range map[string]float64{"no-call": 1, "coverage": 1} {
		if got := value(t, registry, telemetry.TransformSkipped, reason); got != want {
			t.Errorf("%s: %v counted", reason, got)
		}
	}
	if got := sum(t, registry, telemetry.TransformSkipped); got != 2 {
		t.Errorf("%v counted", got)
	}
}

// A partition is as far behind as the stream's own times say; without its lease
// nothing is said of it.
func TestLagInSecondsIsByTheStream(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := observe(registry, slog.New(slog.DiscardHandler), time.Minute)
	read := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	o.held(1, true)
	o.Stepped(1, bus.Message{Subject: "feed.a.heartbeat", Stored: read, Pending: 3}, fold.New(call.DefaultLimits()), fold.Step{Skipped: true})
	for newest, want := range map[time.Time]float64{read.Add(90 * time.Second): 90, read: 0, read.Add(-time.Second): 0} {
		if o.newest(newest); value(t, registry, telemetry.TransformLagSeconds, "1") != want {
			t.Errorf("at %s: %v", newest, value(t, registry, telemetry.TransformLagSeconds, "1"))
		}
	}
	o.held(1, false)
	if o.newest(read.Add(time.Hour)); value(t, registry, telemetry.TransformLagSeconds, "1") != -1 {
		t.Error("told of a partition that is another replica's")
	}
}

// The lease has a fence too; that it was refused is no refusal of a log.
func TestFenceRefusalsAreThoseOfTheLog(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := observe(registry, slog.New(slog.DiscardHandler), time.Minute)
	o.refused(2, fmt.Errorf("append: %w", bus.ErrFenced))
	o.refused(2, fmt.Errorf("%w: transform.partition.2: %w", bus.ErrLeaseLost, bus.ErrFenced))
	o.refused(2, nil)
	if got := value(t, registry, telemetry.LogFenceConflicts, "CALL_LOG_2"); got != 1 {
		t.Errorf("%v counted", got)
	}
}

// value is that of the counter, gauge or histogram (its count) with a label of
// that value; -1 if there is none.
func value(t *testing.T, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name && len(m.Label) > 0 && m.Label[0].GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return -1
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
