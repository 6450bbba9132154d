package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/schemas/event"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestSkewIsTheLeastOfAMinute(t *testing.T) {
	var s skew
	if s.value() != 0 || s.turned() {
		t.Fatal("skewed before the first event")
	}
	for _, step := range []struct {
		after, age, want time.Duration
		turned           bool
	}{
		{0, 20 * time.Millisecond, 20 * time.Millisecond, false},
		{time.Second, 9 * time.Second, 20 * time.Millisecond, false}, // a slow one
		{54 * time.Second, 40 * time.Second, 20 * time.Millisecond, false},
		{66 * time.Second, 40*time.Second + time.Millisecond, 40 * time.Second, true},
		{67 * time.Second, -30 * time.Hour, 40 * time.Second, false},  // no time at all
		{70 * time.Second, -6 * time.Second, -6 * time.Second, false}, // from one side to the other
		{5 * time.Minute, time.Millisecond, time.Millisecond, true},
	} {
		at := noon.Add(step.after)
		s.arrived(at, at.Add(-step.age))
		if got := s.value(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.after, got, step.want)
		}
		if s.turned() != step.turned {
			t.Errorf("after %s: turned is not %t", step.after, step.turned)
		}
	}
	if s.arrived(noon, time.Time{}) {
		t.Error("an event without a time was compared")
	}
}

func TestAWrongHubClockIsToldOnce(t *testing.T) {
	var said bytes.Buffer
	m := newMetrics(slog.New(slog.NewTextHandler(&said, nil)))
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.skewNow)
	count := func(what string) int { return strings.Count(said.String(), what) }
	at := noon
	live := func(age time.Duration) {
		at = at.Add(time.Second)
		m.received(event.Raw{EventType: "UserCallInComing", Timestamp: at.Add(-age)}, at)
	}
	m.received(event.Raw{EventType: "UserStatus"}, at)
	if got := values(t, registry); len(got) != 0 {
		t.Errorf("%v before anything was compared", got)
	}
	for range 100 {
		live(40 * time.Second)
	}
	if got := values(t, registry)["ringstream_ingest_hub_clock_skew_seconds"]; got != 40 {
		t.Errorf("the skew is %g", got)
	}
	if count("level=WARN") != 1 || count("behind_by=40s") != 1 {
		t.Error(said.String())
	}
	for range 100 {
		live(time.Millisecond)
	}
	if count("level=WARN") != 1 || count("level=INFO") != 1 {
		t.Error(said.String())
	}
	for range 100 {
		live(-40 * time.Second)
	}
	if count("level=WARN") != 2 || count("behind_by=-40s") != 1 {
		t.Error(said.String())
	}
}

func values(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		all[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	return all
}
