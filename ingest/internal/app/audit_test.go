package app

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
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

// oneEach sends each of two connections an event, made after a sample, that the
// other is not sent, and returns their ids.
func (r *rig) oneEach(a, b string, sample bus.Message) (onlyA, onlyB string) {
	r.t.Helper()
	raw, err := event.ParseRaw(sample.Data)
	if err != nil {
		r.t.Fatal(err)
	}
	ids := []string{uuid.NewString(), uuid.NewString()}
	for i, to := range []string{a, b} {
		sent, err := r.sim.Send(r.t.Context(), rtesim.Send{Raw: strings.ReplaceAll(string(sample.Data), raw.ID, ids[i]), To: to})
		if err != nil || sent.Receivers != 1 {
			r.t.Fatalf("sent to %d, %v", sent.Receivers, err)
		}
	}
	return ids[0], ids[1]
}

// Of what both were sent nothing is said, whatever happened meanwhile; of what
// only one was sent the other tells.
func TestWhatOnlyOneReplicaHeardIsCounted(t *testing.T) {
	r := newRig(t)
	r.grace = 2 * time.Second
	var log lines
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	a := r.start(r.settings("a"), fast())
	a.waitReady()
	first := r.connected()
	b := r.start(r.settings("b"), fast())
	b.waitReady()
	second := r.connected(first)
	r.settled()

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			_, _ = r.sim.Send(t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: 20, Calls: 5})
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	known := []string{first, second}
	for i, mode := range []string{rtesim.DropClose, rtesim.DropReset, rtesim.DropSilent} {
		dropped := known[len(known)-1]
		if _, err := r.sim.Drop(mode, dropped, "away"); err != nil {
			t.Fatal(err)
		}
		if mode != rtesim.DropSilent { // which is noticed long after
			known = append(known, r.connected(known...))
		}
		if i == 1 {
			r.nats.Stop()
			r.settled()
			r.nats.Start()
		}
		r.settled()
	}
	close(stop)
	<-stopped
	for _, c := range r.sim.Connections() {
		if c.Silent {
			if _, err := r.sim.Drop(rtesim.DropReset, c.ID, ""); err != nil {
				t.Fatal(err)
			}
			known = append(known, r.connected(known...))
		}
	}
	for _, p := range []*replica{a, b} {
		bustest.Eventually(t, "queue empty", func() bool { return p.metric("ringstream_ingest_queue_messages") == "0" })
	}
	r.settled()
	r.settled()
	for _, p := range []*replica{a, b} {
		if got := p.metric(unheard); got != "0" {
			t.Errorf("false alarms: %s", got)
		}
	}

	onlyA, onlyB := r.oneEach(first, known[len(known)-1], r.stored()[0])
	for _, c := range []struct {
		p        *replica
		name, id string
	}{{b, "b", onlyA}, {a, "a", onlyB}} {
		bustest.Eventually(t, "counted by "+c.name, func() bool { return c.p.metric(unheard) == "1" })
		var told []event.Feed
		bustest.Eventually(t, "told by "+c.name, func() bool {
			told = slices.DeleteFunc(r.feed(c.name), func(f event.Feed) bool { return f.Type != event.Audit })
			return len(told) > 0
		})
		if len(told) != 1 || told[0].Unheard != 1 || !slices.Equal(told[0].UnheardIDs, []string{c.id}) {
			t.Errorf("%s tells %+v", c.name, told)
		}
		if !strings.Contains(log.String(), "events=1 ids=["+c.id+"]") {
			t.Errorf("the log of %s does not say %s", c.name, c.id)
		}
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
