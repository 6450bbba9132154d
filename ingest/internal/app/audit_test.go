package app

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

const unheard = "ringstream_ingest_unheard_total"

// settled waits until nobody can say any more that a subscription is too new.
func (r *rig) settled() {
	r.t.Helper()
	began := time.Now()
	bustest.Eventually(r.t, "subscriptions older than the grace", func() bool {
		return time.Since(began) > r.grace+100*time.Millisecond
	})
}

// only sends an event, made after a sample, to one connection, and returns its id.
func (r *rig) only(to string, sample bus.Message) (id string) {
	r.t.Helper()
	raw, err := event.ParseRaw(sample.Data)
	if err != nil {
		r.t.Fatal(err)
	}
	id = uuid.NewString()
	sent, err := r.sim.Send(r.t.Context(), rtesim.Send{Raw: strings.ReplaceAll(string(sample.Data), raw.ID, id), To: to})
	if err != nil || sent.Receivers != 1 {
		r.t.Fatalf("sent to %d, %v", sent.Receivers, err)
	}
	return id
}

// flood sends a little all the time, until stopped.
func (r *rig) flood() (stop func()) {
	enough, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			_, _ = r.sim.Send(r.t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: 2, Calls: 5})
			select {
			case <-enough:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() { close(enough); <-stopped }
}

// babble says what no replica says, and what one says that nobody knows.
func (r *rig) babble() {
	r.t.Helper()
	nc := r.js.Conn()
	say := func(header nats.Header, body string) {
		if err := nc.PublishMsg(&nats.Msg{Subject: topology.Heard("stranger"), Header: header, Data: []byte(body)}); err != nil {
			r.t.Fatal(err)
		}
	}
	h := event.Heard{Instance: "stranger", Epoch: "e", After: time.Now().Add(time.Hour), Items: []event.HeardItem{
		{EntityID: uuid.NewString(), EventType: "UserCallInComing", IDs: []string{uuid.NewString()}},
		{EntityID: r.jane, EventType: "NoSuchEvent", IDs: []string{uuid.NewString()}},
		{EntityID: r.jane, EventType: "UserCallInComing", IDs: []string{event.FallbackID(nil), ""}},
	}}
	e, err := event.NewHeard(h, "s", 1, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		r.t.Fatal(err)
	}
	say(header, string(body))
	say(nil, "hello")
	for _, odd := range []string{"", "hello", "null", `{"items":7}`, strings.Replace(string(body), `""`, strings.Repeat(`"x",`, 200_000)+`""`, 1)} {
		say(header, odd)
	}
	if err := nc.Flush(); err != nil {
		r.t.Fatal(err)
	}
}

// tells checks that a replica tells of what was sent to the other only, and of
// nothing else.
func (r *rig) tells(instance string, others []string, log *lines) {
	r.t.Helper()
	var told []event.Feed
	bustest.Eventually(r.t, "told by "+instance, func() bool {
		told = slices.DeleteFunc(r.feed(instance), func(f event.Feed) bool { return f.Type != event.Audit })
		return len(told) > 0
	})
	for _, f := range told {
		for _, id := range f.UnheardIDs {
			if !slices.Contains(others, id) {
				r.t.Errorf("false alarm of %s: %+v", instance, f)
				break
			}
		}
	}
	if first := told[0].UnheardIDs[0]; !strings.Contains(log.String(), first) {
		r.t.Errorf("the log of %s does not say %s", instance, first)
	}
}

// Of what both were sent nothing is said, whatever happened meanwhile; of what
// only one was sent the other tells.
func TestWhatOnlyOneReplicaHeardIsCounted(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.grace = time.Second
	var log lines
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	a := r.start(r.settings("a"), fast())
	a.waitReady()
	ofA := r.connected()
	b := r.start(r.settings("b"), fast())
	b.waitReady()
	ofB := r.connected(ofA)
	known := []string{ofA, ofB}
	again := func(mode, id string) string {
		t.Helper()
		if _, err := r.sim.Drop(mode, id, "away"); err != nil {
			t.Fatal(err)
		}
		known = append(known, r.connected(known...))
		return known[len(known)-1]
	}

	stop := r.flood()
	r.babble()
	r.settled()
	ofA, ofB = again(rtesim.DropClose, ofA), again(rtesim.DropReset, ofB)
	r.settled()
	if _, err := r.sim.Drop(rtesim.DropSilent, ofB, ""); err != nil { // which is noticed long after
		t.Fatal(err)
	}
	r.nats.Stop()
	bustest.Eventually(t, "something waits", func() bool { return a.metric("ringstream_ingest_queue_messages") != "0" })
	r.nats.Start()
	r.settled()
	ofB = again(rtesim.DropReset, ofB)
	stop()
	for _, p := range []*replica{a, b} {
		bustest.Eventually(t, "queue empty", func() bool { return p.metric("ringstream_ingest_queue_messages") == "0" })
	}

	sample := r.stored()[0]
	var onlyA, onlyB []string
	bustest.Eventually(t, "both count", func() bool {
		onlyA, onlyB = append(onlyA, r.only(ofA, sample)), append(onlyB, r.only(ofB, sample))
		return a.metric(unheard) != "0" && b.metric(unheard) != "0"
	})
	r.tells("a", onlyB, &log)
	r.tells("b", onlyA, &log)
	if !strings.Contains(log.String(), "cannot be read") {
		t.Error("the log does not tell of what nobody can read")
	}
}

func TestUnheardIsWarnedOfOnceAMinute(t *testing.T) {
	var log lines
	a := &auditor{unheard: prometheus.NewCounter(prometheus.CounterOpts{Name: unheard}), log: slog.New(slog.NewTextHandler(&log, nil))}
	now := time.Now()
	for range 13 { // 120 s
		a.tell([]string{"x", "y", "z"}, now)
		now = now.Add(10 * time.Second)
	}
	a.tell(nil, now)
	registry := prometheus.NewRegistry()
	registry.MustRegister(a.unheard)
	if all, err := registry.Gather(); err != nil || all[0].GetMetric()[0].GetCounter().GetValue() != 39 {
		t.Errorf("counted: %v, %v", all, err)
	}
	for want, n := range map[string]int{"events=": 3, "events=3 ids=\"[x y z]\"": 1, "events=18 ids=\"[x y z x y z x y z x]\"": 2} {
		if got := strings.Count(log.String(), want); got != n {
			t.Errorf("%d lines with %q, want %d:\n%s", got, want, n, log.String())
		}
	}
}
