package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"ringstream/schemas/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func entries(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, entry)
	}
	return all
}

func TestLoggerWritesTimeLevelMsgAndTraceID(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.Logger(&out, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: telemetry.TraceID("x"), SpanID: telemetry.SpanID("x")})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	log.Debug("unseen")
	log.With(telemetry.Stream, "RTE").InfoContext(ctx, "stored", telemetry.Seq, 7)
	log.InfoContext(ctx, "stored", telemetry.TraceIDKey, "own")

	if !strings.HasPrefix(out.String(), `{"time":"`) {
		t.Errorf("does not begin with the time: %s", out.String())
	}
	got := entries(t, &out)
	for _, e := range got {
		delete(e, "time")
	}
	want := []map[string]any{
		{"level": "INFO", "msg": "stored", "stream": "RTE", "seq": 7.0, "trace_id": telemetry.TraceID("x").String()},
		{"level": "INFO", "msg": "stored", "trace_id": "own"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestLoggerLevelsAndFormats(t *testing.T) {
	for _, tc := range []struct {
		level, format string
		lines         int
		fails         bool
	}{
		{"debug", "text", 4, false},
		{"info", "json", 3, false},
		{"warn", "text", 2, false},
		{"error", "json", 1, false},
		{"loud", "json", 0, true},
		{"info", "xml", 0, true},
	} {
		var out bytes.Buffer
		log, err := telemetry.Logger(&out, tc.level, tc.format)
		if (err != nil) != tc.fails {
			t.Errorf("%s %s: %v", tc.level, tc.format, err)
		}
		if err != nil {
			continue
		}
		log.Debug("a")
		log.Info("a")
		log.Warn("a")
		log.Error("a")
		if got := strings.Count(out.String(), "\n"); got != tc.lines || strings.Contains(out.String(), "level=") != (tc.format == "text") {
			t.Errorf("%s %s: %s", tc.level, tc.format, out.String())
		}
	}
}

func TestMask(t *testing.T) {
	for number, want := range map[string]string{
		"+44 20 7946 0789": "…789", "02079460789": "…789", "(0)20-7946-0 78 9": "…789", "1234": "…234",
		"": "", "123": "…", "anonymous": "…", "sip:jo@example.com": "…",
	} {
		if got := telemetry.Mask(number); got != want {
			t.Errorf("Mask(%q) = %q, want %q", number, got, want)
		}
	}
}

// record keeps what is written; summaries come from goroutines of their own.
type record struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(b)
}

// take empties the record.
func (r *record) take() *bytes.Buffer {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := bytes.NewBuffer(bytes.Clone(r.out.Bytes()))
	r.out.Reset()
	return taken
}

// limited is a logger that lets two lines of a kind through in a minute.
func limited(out *record) (*slog.Logger, *telemetry.Repeats) {
	r := telemetry.NewRepeats(slog.NewJSONHandler(out, nil), telemetry.Limit{
		First: 2, Per: time.Minute, Keys: []string{telemetry.Reason}, From: slog.LevelWarn,
	})
	return slog.New(r), r
}

// told renders lines as "msg reason ×suppressed".
func told(t *testing.T, out *record) []string {
	t.Helper()
	var lines []string
	for _, e := range entries(t, out.take()) {
		line := e["msg"].(string)
		if r, ok := e["reason"]; ok {
			line += fmt.Sprint(" ", r)
		}
		if n, ok := e["suppressed"]; ok {
			line += fmt.Sprint(" ×", n)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out record
		log, _ := limited(&out)
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := told(t, &out); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %q, want %q", when, got, want)
			}
		}
		busy := log.With(telemetry.Reason, "busy")
		for i := range 10 {
			log.Warn("post", "n", i)
		}
		expect("a flood", "post", "post")
		busy.Warn("post")
		log.Warn("post", telemetry.Reason, "busy") // the same kind, said otherwise
		busy.Warn("post")
		log.Warn("post", telemetry.Reason, "lost")
		log.Error("post")
		expect("other kinds", "post busy", "post busy", "post lost", "post")
		for range 5 {
			log.Info("delivered")
		}
		expect("a lower level", "delivered", "delivered", "delivered", "delivered", "delivered")

		<-time.After(59 * time.Second)
		expect("before the interval ends")
		<-time.After(time.Second)
		synctest.Wait()
		got := told(t, &out)
		if len(got) != 2 || !strings.Contains(strings.Join(got, "\n"), "post ×8") || !strings.Contains(strings.Join(got, "\n"), "post busy ×1") {
			t.Errorf("summaries: %q", got)
		}

		log.Warn("post")
		expect("the next interval", "post")
		<-time.After(2 * time.Minute)
		expect("nothing to sum up")
	})
}

func TestRepeatsFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out record
		log, repeats := limited(&out)
		for range 3 {
			log.WithGroup("g").Warn("b", telemetry.Reason, "of a group")
			log.Warn("a")
		}
		out.take()
		repeats.Flush()
		repeats.Flush()
		if got := told(t, &out); !reflect.DeepEqual(got, []string{"a ×1", "b"}) {
			t.Errorf("got %q", got)
		}
		<-time.After(time.Hour)
		if again := told(t, &out); again != nil {
			t.Errorf("said twice: %q", again)
		}
	})
}

func TestRepeatsOfManyKindsAreAllWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out record
		log, _ := limited(&out)
		for i := range 1500 {
			for range 3 {
				log.Warn("post", telemetry.Reason, i)
			}
		}
		if got := strings.Count(out.take().String(), "\n"); got != 1000*2+500*3 {
			t.Errorf("%d lines", got)
		}
		<-time.After(time.Hour)
	})
}

func TestMetrics(t *testing.T) {
	found, err := telemetry.Metrics("ringer", "v1", "abc").Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, family := range found {
		names[family.GetName()] = true
		if family.GetName() == telemetry.BuildInfo {
			if text := family.String(); !strings.Contains(text, "ringer") || !strings.Contains(text, "abc") {
				t.Errorf("labels: %s", text)
			}
		}
	}
	for _, name := range []string{telemetry.BuildInfo, "go_goroutines", "process_resident_memory_bytes"} {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestNATS(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	telemetry.NATS(registry, func() bool { return true }, func() uint64 { return 2 })
	found, err := registry.Gather()
	if err != nil || len(found) != 2 {
		t.Fatalf("%v, %v", found, err)
	}
	if found[0].GetName() != telemetry.NATSConnected || found[0].Metric[0].Gauge.GetValue() != 1 ||
		found[1].GetName() != telemetry.NATSReconnects || found[1].Metric[0].Counter.GetValue() != 2 {
		t.Errorf("%v", found)
	}
}

func TestStreams(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	telemetry.Streams(registry, func() bool { return true }, func() time.Duration { return 90 * time.Second })
	found, err := registry.Gather()
	if err != nil || len(found) != 2 {
		t.Fatalf("%v, %v", found, err)
	}
	if found[0].GetName() != telemetry.StreamsDiffer || found[0].Metric[0].Gauge.GetValue() != 1 ||
		found[1].GetName() != telemetry.StreamsUnanswered || found[1].Metric[0].Gauge.GetValue() != 90 {
		t.Errorf("%v", found)
	}
}

func TestIDs(t *testing.T) {
	const seed = "11111111-2222-3333-4444-555555555555"
	// From another implementation: printf %s <seed> | sha256sum.
	const sum = "666ff6ccaa5b3c07feaa3a95d3a4bd2c46ac9e9abdb09ca9133528d3dc1e8952"
	id, span := telemetry.TraceID(seed), telemetry.SpanID(seed)
	if id.String() != sum[:32] || span.String() != sum[32:48] {
		t.Errorf("got %s and %s", id, span)
	}
	header := telemetry.Traceparent(id, span)
	if header != "00-"+sum[:32]+"-"+sum[32:48]+"-01" {
		t.Errorf("got %s", header)
	}
	read, ok := telemetry.ParseTraceparent(header)
	if !ok || read.TraceID() != id || read.SpanID() != span || !read.IsSampled() || !read.IsRemote() {
		t.Errorf("read back as %v %v", read, ok)
	}
	for _, bad := range []string{"", "00-x-y-01", strings.Replace(header, sum[:32], strings.Repeat("0", 32), 1), header[:54]} {
		if _, ok := telemetry.ParseTraceparent(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}
