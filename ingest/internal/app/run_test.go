package app

import (
	"strconv"
	"strings"
	"testing"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

func TestFloodIsStoredOnceInOrderByteForByte(t *testing.T) {
	t.Parallel() // most of it is waiting
	n := many(100_000)
	r := newRig(t, func(s *rtesim.Settings) { s.Coalesce, s.Queue, s.Escape = 20, 4096, true })
	p := r.start(r.settings("a"), fast())
	p.waitReady()
	r.send(n, 500)
	r.waitStored(n)
	r.sameAsSent(n)
	if got := p.metric(`ringstream_ingest_messages_total{event_type="UserCallInComing"}`); got != strconv.Itoa(n) {
		t.Errorf("messages metric is %q", got)
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	feed := bustest.Messages(t, r.js, topology.RTE, "feed.a.*")
	if last := feed[len(feed)-1]; last.Subject != "feed.a.closed" {
		t.Errorf("last feed event is %s", last.Subject)
	}
}

func TestHeadersAreThoseOfTheContract(t *testing.T) {
	r := newRig(t)
	r.start(r.settings("a"), fast()).waitReady()
	r.send(1, 1)
	r.waitStored(1)
	m := r.stored()[0]
	e, err := event.Decode(m.Header, m.Data)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := event.ParseRaw(m.Data)
	if err != nil {
		t.Fatal(err)
	}
	if want := e.Source() + "#" + e.ID(); m.Header.Get("Nats-Msg-Id") != want {
		t.Errorf("Nats-Msg-Id is %q, want %q", m.Header.Get("Nats-Msg-Id"), want)
	}
	if want := topology.Raw(topology.Partition(raw.CallID, 4), raw.OrganizationID, "UserCallInComing", raw.CallID); m.Subject != want {
		t.Errorf("subject is %s, want %s", m.Subject, want)
	}
	if e.Extensions()["traceparent"] == nil || !strings.HasPrefix(e.Source(), "//127.0.0.1:") {
		t.Errorf("event is %v", e)
	}
}
