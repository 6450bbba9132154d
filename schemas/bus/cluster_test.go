package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

const deliveries, deliveriesPrefix = "DELIVERIES", "deliverylog"

// cluster is three servers and those who write to them.
type cluster struct {
	t       *testing.T
	nodes   []*bustest.Server
	cfg     bus.Config
	js      jetstream.JetStream
	publish *queue

	mu    sync.Mutex
	again map[string]int // how often a writer started over
	seen  map[string][]string
}

func runCluster(t *testing.T) *cluster {
	t.Helper()
	nodes := bustest.Cluster(t, 3)
	cfg := bus.Config{URL: bustest.ClusterURL(nodes), Provision: bus.ProvisionCreate, Replicas: 3, Partitions: 1}
	c := &cluster{t: t, nodes: nodes, cfg: cfg, again: map[string]int{}, seen: map[string][]string{}}
	c.js = c.connect("test")
	if err := bus.Prepare(t.Context(), c.js, cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	_, q, start := publisherOf(t, cfg)
	c.publish = q
	start()
	return c
}

func (c *cluster) connect(name string) jetstream.JetStream {
	c.t.Helper()
	nc, err := bus.Connect(c.t.Context(), c.cfg, name, slog.New(slog.DiscardHandler))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	js, err := bus.JetStream(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	return js
}

// join makes everybody a member for as long as the test lasts.
func (c *cluster) join(members ...string) {
	for _, who := range members {
		js := c.connect(who)
		ctx, leave := context.WithCancel(c.t.Context())
		left := make(chan struct{})
		c.t.Cleanup(func() { leave(); <-left })
		leases, err := bus.OpenLeases(ctx, js, slog.New(slog.DiscardHandler))
		if err != nil {
			c.t.Fatal(err)
		}
		go func() {
			defer close(left)
			_ = leases.Join(ctx, "transform", who, ttl, func(all []string) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.seen[who] = all
			})
		}()
	}
}

// sees waits until everybody sees everybody.
func (c *cluster) sees(members ...string) {
	for _, who := range members {
		bustest.Eventually(c.t, who+" to see all members", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return slices.Equal(c.seen[who], members)
		})
	}
}

// insist does something until it is done, as a service does that starts over
// after every failure.
func (c *cluster) insist(who string, do func(context.Context) error) {
	// No deadline: a request whose answer died with its server would wait for it
	// instead of for the library's time-out, as the services' do.
	ctx, cancel := context.WithCancel(c.t.Context())
	defer time.AfterFunc(2*time.Minute, cancel).Stop()
	for {
		err := do(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			c.t.Errorf("%s: %v", who, err)
			return
		}
		c.mu.Lock()
		c.again[who]++
		c.mu.Unlock()
		<-time.After(20 * time.Millisecond)
	}
}

// outcomes appends one record for each input after the tail. Who wrote it
// stands in it, so it is no function of the input.
func outcomes(ctx context.Context, js jetstream.JetStream, who string, inputs int, half func()) error {
	l, err := bus.OpenSerialLog(ctx, js, deliveries, deliveriesPrefix)
	if err != nil {
		return err
	}
	defer l.Close()
	tail, _ := l.Tail()
	for in := int(tail.In) + 1; in <= inputs; in++ {
		if in == inputs-250 {
			half()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		header := nats.Header{"Writer": {who}}
		if err := l.Append("deliveries.x.x.delivered.x", header, fmt.Append(nil, in), bus.Position{In: uint64(in)}); err != nil {
			return err
		}
	}
	return nil
}

// round lets everybody write up to a number, stops a node in the midst of it
// and starts it again.
func (c *cluster) round(stream string, from, to int, members ...string) {
	c.t.Helper()
	under := make(chan struct{})
	var once sync.Once
	half := func() { once.Do(func() { close(under) }) }
	var writing sync.WaitGroup
	for _, who := range members {
		js := c.connect(who)
		writing.Go(func() {
			c.insist("pipelined "+who, func(ctx context.Context) error { return foldOnce(ctx, js, to) })
		})
		writing.Go(func() {
			c.insist("serial "+who, func(ctx context.Context) error {
				leases, err := bus.OpenLeases(ctx, js, slog.New(slog.DiscardHandler))
				if err != nil {
					return err
				}
				return leases.Hold(ctx, "deliver", who, ttl, func(ctx context.Context) error { return outcomes(ctx, js, who, to/10, half) })
			})
		})
	}
	writing.Go(func() {
		for i := from; i < to; i++ {
			c.publish.publish(outgoing(i, 50))
		}
		c.publish.flush(c.t)
	})
	<-under
	leader := slices.IndexFunc(c.nodes, func(s *bustest.Server) bool { return s.Leads(stream) })
	if leader < 0 {
		c.t.Fatalf("nobody leads %s", stream)
	}
	began := time.Now()
	c.nodes[leader].Stop()
	stopped := time.Now()
	writing.Wait()
	c.t.Logf("%s: node %d stopped after %v, all written after %v; started over: %v", stream, leader, stopped.Sub(began), time.Since(began), c.again)
	c.nodes[leader].Start()
	c.whole()
}

// whole waits until every stream has three replicas that are up to date.
func (c *cluster) whole() {
	c.t.Helper()
	for _, s := range topology.Streams(c.cfg.Layout()) {
		bustest.Eventually(c.t, "three replicas of "+s.Name, func() bool { return c.current(s.Name) == 3 })
	}
	bustest.Eventually(c.t, "three replicas of the leases", func() bool { return c.current("KV_"+topology.Leases) == 3 })
}

func (c *cluster) current(stream string) (n int) {
	s, err := c.js.Stream(c.t.Context(), stream)
	if err != nil || s.CachedInfo().Cluster == nil || s.CachedInfo().Cluster.Leader == "" {
		return 0
	}
	n = 1
	for _, peer := range s.CachedInfo().Cluster.Replicas {
		if peer.Current && !peer.Offline {
			n++
		}
	}
	return n
}

// Three servers, of which one after the other that leads a stream is stopped
// while everybody writes: nothing is lost, doubled or out of order.
func TestClusterKeepsEverythingWhileLeadersRestart(t *testing.T) {
	t.Parallel() // most of it is waiting
	const step = 10_000
	c := runCluster(t)
	c.whole()
	streams := []string{topology.RTE, logStream, deliveries, "KV_" + topology.Leases}
	if testing.Short() {
		streams = streams[:1]
	}
	c.join("a", "b")
	for i, stream := range streams {
		c.sees("a", "b")
		c.round(stream, i*step, (i+1)*step, "a", "b")
	}
	c.sees("a", "b")
	total := len(streams) * step
	expectInOrder(t, c.js, total, 50)
	at := 0
	messages := bustest.Messages(t, c.js, logStream, logPrefix+".ev.>")
	for in := 1; in <= total; in++ {
		for idx := range in % 3 {
			if got := string(messages[at].Data); got != fmt.Sprintf("%d/%d", in, idx) {
				t.Fatalf("message %d of the log is %s, want %d/%d", at, got, in, idx)
			}
			at++
		}
	}
	if at != len(messages) {
		t.Errorf("%d messages in the log, want %d", len(messages), at)
	}
	records := bustest.Messages(t, c.js, deliveries, "deliveries.>")
	for i, m := range records {
		if string(m.Data) != fmt.Sprint(i+1) {
			t.Fatalf("record %d is %s of %s", i+1, m.Data, m.Header.Get("Writer"))
		}
	}
	if len(records) != total/10 {
		t.Errorf("%d records, want %d", len(records), total/10)
	}
	if len(c.again) == 0 {
		t.Error("nobody started over: the test proves nothing")
	}
}

// A server that is left alone still knows what the streams are, and says so: it
// is told from a server that answers for them by their having no leader.
func TestClusterWithoutMajorityIsNoAnswer(t *testing.T) {
	t.Parallel() // most of it is waiting
	nodes := bustest.Cluster(t, 3)
	cfg := bus.Config{URL: bustest.ClusterURL(nodes), Provision: bus.ProvisionCreate, Replicas: 3, Partitions: 1}
	c := &cluster{t: t, nodes: nodes, cfg: cfg}
	c.js = c.connect("test")
	if err := bus.Prepare(t.Context(), c.js, cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	verified := func(name string) error { return bus.Verify(t.Context(), c.js, cfg.Layout(), name) }
	for _, node := range nodes[1:] {
		node.Stop()
	}
	for _, name := range []string{topology.RTE, topology.Leases} {
		bustest.Eventually(t, name+" to have no leader", func() bool { return errors.Is(verified(name), bus.ErrLeaderless) })
	}
	for _, node := range nodes[1:] {
		node.Start()
	}
	for _, name := range []string{topology.RTE, topology.Leases} {
		bustest.Eventually(t, name+" to be answered for again", func() bool { return verified(name) == nil })
	}
}
