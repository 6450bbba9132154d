package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
)

const (
	organization = "29f60000-0000-4000-8000-000000000001"
	patience     = 500 * time.Millisecond
	allocated    = "UserCallInUserAllocated"
)

// rig is one replica on a real server.
type rig struct {
	*testing.T
	nats *bustest.Server
	js   jetstream.JetStream
	seen *observer

	limits   call.Limits
	stop     func() // ends the replica
	registry *prometheus.Registry
	ended    chan error // what the replica ended with

	mu   sync.Mutex
	said bytes.Buffer
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, nats: bustest.Run(t), limits: call.Limits{Ring: time.Minute, Talk: time.Hour, Settle: time.Second, Memory: time.Hour}}
	r.js = r.nats.Provisioned(1)
	return r
}

// Write collects what the replica logs.
func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

func (r *rig) told() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

func (r *rig) logged(words string) bool { return strings.Contains(r.told(), words) }

// start runs a replica until the test ends.
func (r *rig) start() {
	r.Helper()
	log := slog.New(slog.NewTextHandler(r, nil))
	r.registry = prometheus.NewRegistry()
	r.seen = observe(r.registry, log, patience)
	js := r.nats.JetStream("replica")
	leases, err := bus.OpenLeases(r.Context(), js, log)
	if err != nil {
		r.Fatal(err)
	}
	s := Settings{Config: r.nats.Config(1), LeaseTTL: time.Second}
	s.Limits = r.limits
	ctx, stop := context.WithCancel(r.Context())
	r.ended = make(chan error, 1)
	go func() {
		defer close(r.ended)
		r.ended <- replica{js: js, leases: leases, settings: s, log: log, seen: r.seen, name: "one"}.run(ctx)
	}()
	ended := r.ended
	r.stop = func() {
		stop()
		for range ended {
		}
	}
	r.Cleanup(r.stop)
}

// ring publishes the raw event of a call that rings.
func (r *rig) ring(id string) {
	r.Helper()
	_, err := r.js.PublishMsg(r.Context(), rings(0, id))
	if err != nil {
		r.Fatal(err)
	}
}

// events waits for so many call events.
func (r *rig) events(n int) {
	r.Helper()
	bustest.Eventually(r, "call events", func() bool {
		return len(bustest.Messages(r, r.js, topology.CallLog(0), topology.CallLogPrefix(0)+".ev.>")) >= n
	})
}

func (r *rig) ready(want bool, words string) {
	r.Helper()
	bustest.Eventually(r, words, func() bool {
		is := r.seen.duties.Result()
		return is.OK == want && strings.Contains(is.Detail, words)
	})
}

func TestPartitionWithoutItsLeaseIsNotReady(t *testing.T) {
	r := newRig(t)
	kv, err := r.js.KeyValue(t.Context(), topology.Leases)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else's, and alive for long.
	revision, err := kv.Create(t.Context(), "transform.partition.0", []byte("other"), jetstream.KeyTTL(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	r.ready(false, "partition.0: not folding, its lease is not to be had")
	if err := kv.Delete(t.Context(), "transform.partition.0", jetstream.LastRevision(revision)); err != nil {
		t.Fatal(err)
	}
	r.ring("c1")
	r.events(1)
	r.ready(true, "all done")
}

func TestLeaseBucketThatIsTakenAwayAndMadeAgain(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.start()
	r.ring("c1")
	r.events(1)
	if err := r.js.DeleteKeyValue(t.Context(), topology.Leases); err != nil {
		t.Fatal(err)
	}
	r.ready(false, "partition.0: not folding")
	if err := bus.Create(t.Context(), r.js, topology.Layout{Partitions: 1, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	r.ring("c2")
	r.events(2)
	r.ready(true, "all done")
}

func TestLogThatIsTakenAway(t *testing.T) {
	r := newRig(t)
	r.start()
	r.ring("c1")
	r.events(1)
	if err := r.js.DeleteStream(t.Context(), topology.CallLog(0)); err != nil {
		t.Fatal(err)
	}
	r.ring("c2")
	r.ready(false, "partition.0: not folding, open log CALL_LOG_0")
	if err := r.js.DeleteStream(t.Context(), topology.Calls); err != nil {
		t.Fatal(err)
	}
	if err := bus.Create(t.Context(), r.js, topology.Layout{Partitions: 1, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	r.events(2) // both again: the log is made anew from RTE
	r.ready(true, "all done")
}

func TestWhatAReplicaDoesIsMeasured(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.start()
	r.ring("c1")
	r.events(1)
	for name, label := range map[string]string{
		telemetry.LogAppendSeconds: "CALL_LOG_0", telemetry.LeaseChanges: "partition.0", telemetry.LeaseHeld: "partition.0",
		telemetry.TransformRaw: "changed", telemetry.TransformOpenCalls: "0",
	} {
		bustest.Eventually(t, name, func() bool { return value(t, r.registry, name, label) == 1 })
	}
	bustest.Eventually(t, "the lag", func() bool { return value(t, r.registry, telemetry.TransformLagSeconds, "0") == 0 })
}

// A raw stream that is made anew under a replica is not the one that the log
// was made from. A consumer alone would not notice.
func TestRawStreamThatIsMadeAnew(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.start()
	for _, id := range []string{"c1", "c2", "c3"} {
		r.ring(id)
	}
	r.events(3)
	if err := r.js.DeleteStream(t.Context(), topology.RTE); err != nil {
		t.Fatal(err)
	}
	if err := bus.Create(t.Context(), r.js, topology.Layout{Partitions: 1, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	r.ring("c4")
	select {
	case err := <-r.ended:
		if !errors.Is(err, fold.ErrRecreated) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it goes on")
	}
}

func TestForeignMessageInTheLog(t *testing.T) {
	r := newRig(t)
	if _, err := r.js.Publish(t.Context(), topology.CallEvent(0, organization, "incoming", "x"), []byte("by hand")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.ring("c1")
	r.events(2)
	if !r.logged("somebody else has written into the call log") {
		t.Error("not told")
	}
	r.ready(true, "all done")
}

// What cannot be read is counted and told of, and what comes behind it is folded.
func TestPoisonStopsNobody(t *testing.T) {
	r := newRig(t)
	r.start()
	r.ring("c1")
	r.events(1)
	poison := func(subject string, change func(m *nats.Msg)) {
		t.Helper()
		m := rings(0, "poisoned")
		m.Subject = subject
		change(m)
		if _, err := r.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	raw := topology.Raw(0, organization, allocated, "poisoned")
	long := strings.Repeat("9", 1_000_000) // what it comes to in a call event does not fit max_payload
	poison(raw, func(m *nats.Msg) { m.Header = nil })
	poison(raw, func(m *nats.Msg) { m.Data = m.Data[:40] })
	poison(raw, func(m *nats.Msg) { m.Data = []byte(`["no object"]`) })
	poison(raw, func(m *nats.Msg) { m.Data = nil })
	poison(raw, func(m *nats.Msg) { m.Header.Set("ce-specversion", "9.9") })
	poison(raw, func(m *nats.Msg) { m.Header.Set("ce-time", "yesterday") })
	poison(raw, func(m *nats.Msg) {
		m.Data = []byte(`{"data":{"id":"p","eventType":"` + allocated + `","userId":"user-1","callId":"poisoned","callerNumber":"` + long + `"}}`)
	})
	poison(topology.Feed("a", "opened"), func(m *nats.Msg) { m.Data = []byte(`{"at":"now"}`) })
	const unreadable = 8
	// These have a form: they are no events of a call, or say little.
	poison("rte.0.a.b.c", func(m *nats.Msg) {
		m.Data = []byte(`{"data":{"callId":{"is":1},"userId":[2],"eventType":3,"timestamp":{}}}`)
	})
	poison("rte.0.a.b.c", func(m *nats.Msg) { m.Header.Set("ce-recordedtime", "nonsense") })
	r.ring("c2")
	r.events(3)
	if got := sum(t, r.registry, telemetry.TransformUnreadable); got != unreadable {
		t.Errorf("%v counted", got)
	}
	for _, words := range []string{"unreadable message skipped", `see="nats stream get RTE 2"`} {
		if !r.logged(words) {
			t.Errorf("%s is not told", words)
		}
	}
	r.ready(true, "all done")
}

// What RTE has lost before it was folded is not made up for, and not passed over
// in silence: whatever may be wrong because of it says that there is a gap, and
// nobody's screen keeps a call.
func TestRawStreamThatNoLongerReachesBack(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.limits.Ring = time.Second
	r.start()
	quiet := rings(0, "")
	quiet.Subject, quiet.Data = "rte.0.a.b.c", []byte(`{"data":{"eventType":"CallListChanged"}}`)
	fill := func(n int) {
		t.Helper()
		for range n {
			if _, err := r.js.PublishMsgAsync(quiet, jetstream.WithStallWait(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		<-r.js.PublishAsyncComplete()
	}
	fill(1990)
	r.ring("open")
	fill(20) // past the place of a snapshot, in which the call rings
	log, err := r.js.Stream(t.Context(), topology.CallLog(0))
	if err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "a snapshot", func() bool {
		_, err := log.GetLastMsgForSubject(t.Context(), topology.CallLogPrefix(0)+".snap")
		return err == nil
	})
	r.ring("told") // behind the snapshot; and it will come back
	r.events(2)
	r.stop()
	r.ring("lost")
	r.ring("told") // which changes nothing
	rte, err := r.js.Stream(t.Context(), topology.RTE)
	if err != nil {
		t.Fatal(err)
	}
	cfg := rte.CachedInfo().Config
	cfg.MaxMsgs = 1
	if _, err := r.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	cfg.MaxMsgs = -1
	if _, err := r.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.events(3)
	if !r.logged("RTE no longer reaches back") || !r.logged("level=ERROR") || !r.logged("keep RTE for longer") {
		t.Error("not told")
	}
	<-time.After(r.limits.Ring) // the stream's time is real
	fill(1)
	r.events(5)
	var got []string
	for _, m := range bustest.Messages(t, r.js, topology.CallLog(0), topology.CallLogPrefix(0)+".ev.>") {
		var c event.Call
		if err := json.Unmarshal(m.Data, &c); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(c.EventID(), " ", c.Type, " ", c.Coverage, " ", c.Inferred))
	}
	want := []string{
		"open/1 incoming complete false", "told/1 incoming complete false",
		// After the gap. The first ring of the one that came back is not known any more.
		"told/2 incoming gap false",
		"open/2 missed gap true", "told/3 missed gap true",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r.ready(true, "all done")
}
