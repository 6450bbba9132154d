package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

// trio is a cluster of three servers.
type trio struct {
	*testing.T
	nodes []*bustest.Server
	cfg   bus.Config
	js    jetstream.JetStream
}

func newTrio(t *testing.T, replicas int) *trio {
	c := &trio{T: t, nodes: bustest.Cluster(t, 3)}
	c.cfg = bus.Config{URL: bustest.ClusterURL(c.nodes), Provision: bus.ProvisionCreate, Replicas: replicas, Partitions: 2}
	c.js = c.connect("test")
	if err := bus.Prepare(t.Context(), c.js, c.cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *trio) connect(name string) jetstream.JetStream {
	c.Helper()
	nc, err := bus.Connect(c.Context(), c.cfg, name, slog.New(slog.DiscardHandler))
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(nc.Close)
	js, err := bus.JetStream(nc)
	if err != nil {
		c.Fatal(err)
	}
	return js
}

// leader is the node that leads a stream.
func (c *trio) leader(stream string) *bustest.Server {
	c.Helper()
	at := -1
	bustest.Eventually(c, "a leader of "+stream, func() bool {
		at = slices.IndexFunc(c.nodes, func(s *bustest.Server) bool { return s.Leads(stream) })
		return at >= 0
	})
	return c.nodes[at]
}

// append appends a call event to a log by hand.
func (c *trio) append(partition int) {
	c.Helper()
	c.eventually("an event in the log", func(ctx context.Context) bool {
		_, err := c.js.Publish(ctx, topology.CallEvent(partition, organization, "incoming", "x"), []byte("{}"))
		return err == nil
	})
}

// follows waits until CALLS has so many call events.
func (c *trio) follows(events uint64) {
	c.Helper()
	c.eventually("CALLS to have all call events", func(ctx context.Context) bool {
		s, err := c.js.Stream(ctx, topology.Calls)
		return err == nil && s.CachedInfo().State.Msgs >= events
	})
}

// eventually asks again and again: an answer can die with its server.
func (c *trio) eventually(what string, condition func(context.Context) bool) {
	c.Helper()
	bustest.Eventually(c, what, func() bool {
		ctx, cancel := context.WithTimeout(c.Context(), time.Second)
		defer cancel()
		return condition(ctx)
	})
}

// delay is what lies between the last event's being in its log and in CALLS.
func (c *trio) delay(partition int) time.Duration {
	c.Helper()
	log, calls := bustest.Messages(c, c.js, topology.CallLog(partition), topology.CallLogPrefix(partition)+".ev.>"), bustest.Messages(c, c.js, topology.Calls)
	return calls[len(calls)-1].Stored.Sub(log[len(log)-1].Stored)
}

// The merge of a log ends with the server that led the log. nats-server alone
// takes 10 s to notice it, at the very least.
func TestCallsFollowsALogWhoseLeaderIsGone(t *testing.T) {
	t.Parallel() // most of it is waiting
	c := newTrio(t, 3)
	c.append(0)
	c.append(1)
	c.follows(2)
	for c.leader(topology.CallLog(0)) == c.leader(topology.Calls) {
		if err := bus.StepDown(t.Context(), c.js, topology.Calls); err != nil {
			t.Log(err)
		}
	}
	c.append(0)
	c.follows(3)

	watchers := []*rig{{T: t}, {T: t}} // both would help
	for _, r := range watchers {
		r.watch(c.connect("replica"), 0, 1)
	}
	c.leader(topology.CallLog(0)).Stop()
	c.append(0)
	c.follows(4)
	took := c.delay(0)
	t.Logf("after %v; %s%s", took, watchers[0].told(), watchers[1].told())
	if limit := 8 * time.Second; took > limit {
		t.Errorf("CALLS followed after %v, limit %v", took, limit)
	}
	restarts := 0.0
	for _, r := range watchers {
		bustest.Eventually(t, "well again", func() bool {
			return r.seen.merged().Detail == "CALLS follows the logs that this replica holds" && value(t, r.registry, telemetry.TransformMergeLag, "0") == 0
		})
		restarts += sum(t, r.registry, telemetry.TransformRestarts)
	}
	if restarts < 1 || restarts > 2 {
		t.Errorf("%v restarts are counted", restarts)
	}
}

// watch keeps CALLS up with the logs of partitions, as a replica that holds them
// does, until the test ends or stop is called.
func (r *rig) watch(js jetstream.JetStream, partitions ...int) (m *merging, stop func()) {
	r.Helper()
	r.registry = prometheus.NewRegistry()
	log := slog.New(slog.NewTextHandler(r, nil))
	r.seen = observe(r.registry, log, patience)
	m = newMerging(js, log, r.seen)
	for _, p := range partitions {
		m.hold(p, true)
	}
	ctx, cancel := context.WithCancel(r.Context())
	var watching sync.WaitGroup
	watching.Go(func() { m.run(ctx) })
	stop = func() { cancel(); watching.Wait() }
	r.Cleanup(stop)
	return m, stop
}

// stalledLog is a merge that has stood still for a minute.
func stalledLog() *merged {
	l := &looks{now: time.Now().Add(-time.Minute)}
	l.see(time.Minute, always(sight{newest: 9, merged: 7}))
	return &merged{course: l.course, newest: 9, last: 9}
}

// With one replica nothing can be done; that is said once, and shown.
func TestStalledMergeThatNobodyCanHelp(t *testing.T) {
	r := &rig{T: t}
	m, stop := r.watch(nil)
	stop()
	m.partitions[2] = stalledLog()
	for range 3 {
		if got := m.judge(2, time.Now(), bus.Merge{Replicas: 1}); got != single {
			t.Errorf("%q", got)
		}
	}
	if n := strings.Count(r.said.String(), "WARN"); n != 1 || !r.logged("CALLS does not follow a call log: it has one replica") {
		t.Errorf("%d warnings: %s", n, &r.said)
	}
	if got := r.seen.merged(); !got.OK || !strings.Contains(got.Detail, "partition.2: CALLS does not follow, it has one replica") {
		t.Errorf("%+v", got)
	}
	if got := value(t, r.registry, telemetry.TransformMergeLag, "2"); got < 50 {
		t.Errorf("lag of %v s", got)
	}
	m.keep() // it is another replica's
	if got := r.seen.merged(); strings.Contains(got.Detail, "partition.2") || value(t, r.registry, telemetry.TransformMergeLag, "2") != -1 {
		t.Errorf("told of a partition that is another replica's: %+v", got)
	}
}

// Who may not look, or ask, says once what is missing.
func TestMergeWithoutPermission(t *testing.T) {
	t.Parallel() // most of it is waiting
	for _, denied := range []string{"$JS.API.STREAM.INFO.CALLS", "$JS.API.STREAM.LEADER.STEPDOWN.CALLS"} {
		t.Run(denied, func(t *testing.T) {
			s := bustest.RunWithoutJetStream(t, func(o *server.Options) {
				o.JetStream, o.StoreDir = true, t.TempDir()
				o.Users = []*server.User{{Username: "operator", Password: "o"}, {Username: "transform", Password: "t", Permissions: &server.Permissions{
					Publish: &server.SubjectPermission{Deny: []string{denied}},
				}}}
			})
			c := &trio{T: t, cfg: bus.Config{URL: s.URL(), User: "operator", Password: "o", Replicas: 1, Partitions: 1}}
			if err := bus.Create(t.Context(), c.connect("operator"), c.cfg.Layout()); err != nil {
				t.Fatal(err)
			}
			c.cfg.User, c.cfg.Password = "transform", "t"
			r := &rig{T: t}
			m, stop := r.watch(c.connect("transform"))
			stop()
			m.hold(0, true)
			m.keep()
			m.partitions[0] = stalledLog()
			for range 2 {
				_, _, err := m.look(t.Context())
				if err == nil {
					err = m.restart(t.Context(), bus.Merge{}, []int{0})
				}
				if !errors.Is(err, bus.ErrNotAllowed) || !strings.Contains(err.Error(), denied) {
					t.Fatal(err)
				}
				m.refused(err)
			}
			if n := strings.Count(r.said.String(), "needed="); n != 1 {
				t.Errorf("told %d times: %s", n, &r.said)
			}
		})
	}
}

// Who may not ask goes on looking, so that what is not merged is seen for as
// long as it is not, and asks again after a while.
func TestMergeIsWatchedByWhoMayNotAsk(t *testing.T) {
	r := &rig{T: t}
	m, stop := r.watch(nil)
	stop()
	m.partitions[0] = stalledLog()
	elsewhere := bus.Merge{Replicas: 3, Standby: 2, Leads: time.Hour}
	now := time.Now()
	if err := m.asked(now, bus.ErrNotAllowed); err != nil {
		t.Errorf("it rests: %v", err)
	}
	for after, want := range map[time.Duration]remedy{0: barred, time.Minute: barred, mergeRefused: stepDown} {
		if got := m.judge(0, now.Add(after), elsewhere); got != want {
			t.Errorf("after %v: %q, want %q", after, got, want)
		}
		if got := value(t, r.registry, telemetry.TransformMergeLag, "0"); got < (50*time.Second + after).Seconds() {
			t.Errorf("after %v: a lag of %v s", after, got)
		}
	}
	if !r.logged("transform may not ask its leader to step down") {
		t.Errorf("it said %s", &r.said)
	}
}

func TestSightOfAMerge(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	publish := func(subject string) {
		t.Helper()
		if _, err := js.Publish(t.Context(), subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	event, snapshot := topology.CallEvent(0, organization, "incoming", "x"), topology.CallLogPrefix(0)+".snap"
	m, at := newMerging(js, slog.New(slog.DiscardHandler), nil), &merged{}
	has := bus.Merge{Told: true, Sources: map[string]bus.Inflow{topology.CallLog(0): {Seq: 1, Silent: time.Second}}}
	see := func(what string, of bus.Merge, want sight, answered bool) {
		t.Helper()
		if got, ok := m.sight(t.Context(), 0, at, of); got != want || ok != answered {
			t.Errorf("%s: %+v %t, want %+v %t", what, got, ok, want, answered)
		}
	}
	see("empty", has, sight{merged: 1, silent: time.Second}, true)
	for _, subject := range []string{event, event, event, snapshot} {
		publish(subject)
	}
	see("behind", has, sight{newest: 3, merged: 1, silent: time.Second}, true)
	publish(snapshot)
	see("a snapshot more", has, sight{newest: 3, merged: 1, silent: time.Second}, true)
	see("a leader that knows no sources yet", bus.Merge{Told: true}, sight{}, false)
	untold := has
	untold.Told = false
	see("a server that tells no positions", untold, sight{newest: 1, merged: 1, silent: time.Second}, true)
	if err := js.DeleteStream(t.Context(), topology.CallLog(0)); err != nil {
		t.Fatal(err)
	}
	see("no log", has, sight{}, false)
	if err := js.DeleteStream(t.Context(), topology.Calls); err != nil {
		t.Fatal(err)
	}
	s.Provisioned(1)
	publish(event)
	publish(event)
	see("a log made anew", has, sight{}, false)
	see("a log made anew, again", has, sight{newest: 2, merged: 1, silent: time.Second}, true)
}

// Where nothing is wrong nobody says so, and nobody is asked anything.
func TestQuietMerge(t *testing.T) {
	t.Parallel() // most of it is waiting
	s := bustest.Run(t)
	js := s.Provisioned(2)
	if _, err := js.Publish(t.Context(), topology.CallEvent(0, organization, "incoming", "x"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t}
	m, stop := r.watch(js, 0, 1)
	bustest.Eventually(t, "looks", func() bool { return value(t, r.registry, telemetry.TransformMergeLag, "1") == 0 })
	<-time.After(silenceLimit + 2*time.Second) // longer than anything may last
	stop()
	if r.said.Len() > 0 {
		t.Error(&r.said)
	}
	// What CALLS had before the first look is not looked for: newest is 0 then.
	if got := m.partitions[0].course; got.last.newest > 1 || got.last.merged != 1 || got.last.silent > silenceLimit || got.tries != 0 {
		t.Errorf("%+v", got)
	}
}
