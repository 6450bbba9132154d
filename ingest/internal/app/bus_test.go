package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/ingest/internal/feed"
	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

func TestRestartedNATSLosesAndReordersNothing(t *testing.T) {
	t.Parallel() // most of it is waiting
	n := many(20_000)
	r := newRig(t, func(s *rtesim.Settings) { s.Coalesce = 5 })
	p := r.start(r.settings("a"), fast())
	p.waitReady()
	if got := p.metric("ringstream_nats_reconnects_total"); got != "0" {
		t.Errorf("reconnects after the first connection: %s", got)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = r.sim.Send(t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: n, Calls: 300})
	}()
	for _, share := range []int{n / 4, n / 2} {
		r.waitStored(share)
		r.nats.Stop()
		r.nats.Start()
	}
	<-sent
	r.waitStored(n)
	r.sameAsSent(n)
	if got := p.metric(`ringstream_ingest_lost_messages_total`); got != "0" {
		t.Errorf("lost metric is %s", got)
	}
	if got := p.metric("ringstream_nats_reconnects_total"); got == "0" {
		t.Error("no reconnect counted")
	}
}

func TestTwoReplicasLeaveOneCopy(t *testing.T) {
	const n = 3000
	r := newRig(t)
	a, b := r.start(r.settings("a"), fast()), r.start(r.settings("b"), fast())
	a.waitReady()
	b.waitReady()
	r.send(n, 50)
	duplicates := func(p *replica) string { return p.metric(`ringstream_ingest_published_total{result="duplicate"}`) }
	for _, p := range []*replica{a, b} {
		bustest.Eventually(t, "queue empty", func() bool {
			return p.metric(`ringstream_ingest_messages_total{event_type="UserCallInComing"}`) == "3000" && p.metric("ringstream_ingest_queue_messages") == "0"
		})
	}
	if got := r.count(); got != n {
		t.Errorf("%d stored, want %d", got, n)
	}
	if duplicates(a) == "" && duplicates(b) == "" {
		t.Error("no replica saw a duplicate")
	}
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	r.send(10, 1)
	r.waitStored(n + 10)
}

func TestWhatIsNoOrdinaryMessage(t *testing.T) {
	r := newRig(t)
	p := r.start(r.settings("a"), fast())
	p.waitReady()
	connection := r.connected()
	send := func(s rtesim.Send) {
		t.Helper()
		if _, err := r.sim.Send(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	send(rtesim.Send{Raw: `"details"`, Target: "SubscribeDetails", To: "all"})
	send(rtesim.Send{Raw: `{"type":3,"invocationId":"nobody","result":1}`, Record: true, To: "all"})
	send(rtesim.Send{Raw: `not json`, To: "all"})
	send(rtesim.Send{RawBase64: "kwGAwA==", Binary: true, To: "all"})
	send(rtesim.Send{Raw: ` {"data" : null , "n":1.0e0,"s":"\u002B"}`, To: "all"})
	send(rtesim.Send{Raw: `{"type":1,"target":"messagereceived","arguments":[{"two":1},{"args":2}]}`, Record: true, To: "all"})
	send(rtesim.Send{EventType: "UserCallInComing", User: "jane", Data: map[string]json.RawMessage{"note": json.RawMessage(`"` + strings.Repeat("x", 400<<10) + `"`)}})
	r.waitStored(3)
	var bodies, long []string
	for _, m := range r.stored() {
		if len(m.Data) < 1000 {
			bodies = append(bodies, string(m.Data))
		} else {
			long = append(long, string(m.Data))
		}
		if len(m.Data) < 1000 && !strings.Contains(m.Subject, ".Unknown.") {
			t.Errorf("subject of %s is %s", m.Data, m.Subject)
		}
	}
	if want := []string{`{"data" : null , "n":1.0e0,"s":"\u002B"}`, `{"two":1}`}; !slices.Equal(bodies, want) || len(long) != 1 || len(long[0]) < 400<<10 {
		t.Errorf("bodies are %q and %d long ones", bodies, len(long))
	}
	want := []struct{ reason, body string }{
		{"unknown-callback", `"target":"SubscribeDetails","arguments":["details"]`},
		{"unasked-answer", `{"type":3,"invocationId":"nobody","result":1}`},
		{"broken-frame", `not json`},
		{"binary-frame", "\x93\x01\x80\xc0"},
		{"wrong-arguments", `[{"two":1},{"args":2}]`},
	}
	var letters []bus.Message
	bustest.Eventually(t, "dead letters", func() bool {
		letters = bustest.Messages(t, r.js, topology.DeadLetters)
		return len(letters) == len(want)
	})
	for i, w := range want {
		var d event.DeadLetter
		if err := json.Unmarshal(letters[i].Data, &d); err != nil || d.Reason != w.reason || !strings.Contains(string(d.Body), w.body) {
			t.Errorf("dead letter %d is %s: %s (%v)", i, d.Reason, d.Body, err)
		}
		if got := p.metric(`ringstream_ingest_deadletters_total{reason="` + w.reason + `"}`); got != "1" {
			t.Errorf("metric of %s: %q", w.reason, got)
		}
	}
	if got := p.metric("ringstream_ingest_swallowed_frames_total"); got != "5" {
		t.Errorf("swallowed frames: %s, want 5", got)
	}
	if now := r.connected(); now != connection {
		t.Error("the connection was made anew")
	}
}

func TestMessageThatTheStreamCannotTakeIsADeadLetter(t *testing.T) {
	r := newRig(t)
	p := r.start(r.settings("a"), fast())
	p.waitReady()
	if _, err := r.sim.Send(t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Data: map[string]json.RawMessage{
		"note": json.RawMessage(`"` + strings.Repeat("x", 2<<20) + `"`),
	}}); err != nil {
		t.Fatal(err)
	}
	r.send(1, 1)
	r.waitStored(1)
	bustest.Eventually(t, "queue empty", func() bool { return p.metric("ringstream_ingest_queue_messages") == "0" })
	letters := bustest.Messages(t, r.js, topology.DeadLetters)
	if len(letters) != 9 || letters[0].Subject != "deadletters.ingest.too-large" { // 2 MiB in parts of 256 KiB
		t.Fatalf("%d dead letters", len(letters))
	}
	var d event.DeadLetter
	if err := json.Unmarshal(letters[0].Data, &d); err != nil {
		t.Fatal(err)
	}
	sent := r.sim.Sent("", 0, 1).Entries[0]
	if d.EventID != sent.ID || d.CallID == "" || len(d.Body) != 256<<10 || !strings.Contains(d.Detail, "cannot be stored") {
		t.Errorf("dead letter of %s: call %q, %d bytes, %s", d.EventID, d.CallID, len(d.Body), d.Detail)
	}
	if got := p.metric(`ringstream_ingest_deadletters_total{reason="too-large"}`); got != "1" {
		t.Errorf("dead letter metric is %q", got)
	}
}

// What cannot be stored before the end waits in the spool for the next start.
func TestStopWithoutNATSKeepsEverything(t *testing.T) {
	t.Parallel() // most of it is waiting
	const n = 3000
	r := newRig(t)
	s := r.settings("a")
	s.ShutdownTimeout = time.Second
	p := r.start(s, fast())
	p.waitReady()
	r.nats.Stop()
	r.send(n, 40)
	bustest.Eventually(t, "received", func() bool {
		return p.metric(`ringstream_ingest_messages_total{event_type="UserCallInComing"}`) == strconv.Itoa(n)
	})
	began := time.Now()
	err := p.end()
	if !errors.Is(err, errUnsent) || !strings.Contains(err.Error(), "messages wait in SPOOL_DIR") {
		t.Errorf("ended with %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	r.nats.Start()
	p = r.start(s, fast())
	p.waitReady()
	r.send(10, 1)
	r.waitStored(n + 10)
	r.sameAsSent(n + 10)
}

// A hub is heard from the start, whether or not there is a NATS to tell.
func TestStartWithoutNATSListens(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.nats.Stop()
	p := r.start(r.settings("a"), fast())
	r.connected()
	r.send(20, 4)
	bustest.Eventually(t, "received", func() bool {
		return p.metric(`ringstream_ingest_messages_total{event_type="UserCallInComing"}`) == "20"
	})
	if code, body := p.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "not verified yet") {
		t.Errorf("/readyz answers %d %s", code, body)
	}
	r.nats.Start()
	p.waitReady()
	r.waitStored(20)
	r.sameAsSent(20)
}

func TestTwoProcessesDoNotShareASpool(t *testing.T) {
	r := newRig(t)
	p := r.start(r.settings("a"), fast())
	p.waitReady()
	err := run(t.Context(), r.settings("a"), fast(), feed.Grace, quiet(t), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "SPOOL_DIR: ") || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
}

func TestUnreadyWhileNothingIsStored(t *testing.T) {
	r := newRig(t)
	p := r.start(r.settings("a"), fast())
	p.waitReady()
	r.nats.Stop()
	bustest.Eventually(t, "unready", func() bool {
		code, body := p.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "not connected to NATS")
	})
	r.nats.Start()
	p.waitReady()
}

// When the spool is full, reading stops, and a hub hangs up on a client that does
// not read. What had arrived by then is stored when NATS is back, and the gap
// is stated from when it began.
func TestFullSpoolIsAStatedGap(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t, func(s *rtesim.Settings) { s.WriteTimeout, s.PingInterval = 3*time.Second, 200*time.Millisecond })
	limits := fast()
	limits.Silence, limits.KeepAlive = 2*time.Second, 500*time.Millisecond
	settings := r.settings("a")
	settings.SpoolMaxBytes = 4 << 20
	p := r.start(settings, limits)
	p.waitReady()
	r.nats.Stop()
	note := map[string]json.RawMessage{"note": json.RawMessage(`"` + strings.Repeat("x", 3<<10) + `"`)}
	for len(r.sim.Connections()) > 0 {
		if _, err := r.sim.Send(t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: 500, Calls: 300, Data: note}); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Eventually(t, "end noticed", func() bool { return p.metric("ringstream_ingest_hub_connected") == "0" })
	if code, body := p.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "reading stopped") || !strings.Contains(body, "spool is full") {
		t.Errorf("/readyz answers %d %s", code, body)
	}
	back := time.Now()
	r.nats.Start()
	r.connected()
	bustest.Eventually(t, "queue empty", func() bool { return p.metric("ringstream_ingest_queue_messages") == "0" })
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	stored := r.stored()
	r.sameAsSent(len(stored))
	told := r.feedOf("a")
	if told[2].Type != event.Closed || !told[2].At.Before(back) || told[2].Received != uint64(len(stored)) || len(stored) == 0 {
		t.Errorf("closed event is %+v, %d stored, NATS back %s", told[2], len(stored), back)
	}
}
