// A process is paused by a signal that Windows has not.

//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// quorum is a world's NATS, a cluster of several servers, each a process of its own, and
// what is done to it and to those who use it.
type quorum struct {
	*world
	limits   []string // of the call model, as settings
	ttl      time.Duration
	nodes    []*program
	js       jetstream.JetStream
	operator *nats.Conn

	mu      sync.Mutex
	seen    map[string]int // what was done and what came of it
	strikes []struck
}

// struck is a strike that was done.
type struck struct {
	name string
	span
}

// MarshalJSON is for whoever looks for a cause.
func (s struck) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"name": s.name, "from": s.from, "until": s.until})
}

// trial is a world with a cluster of NATS servers and replicas of transform,
// each a process of its own.
type trial struct {
	*quorum
	replicas []*program
}

const (
	certifyNodes      = 3
	certifyReplicas   = 3
	certifyPartitions = 4
)

// newTrial starts everything and waits until it is well.
func newTrial(w *world, ttl time.Duration, limits []string) *trial {
	w.t.Helper()
	c := &trial{quorum: newQuorum(w, ttl, limits)}
	for n := range certifyReplicas {
		c.startReplica(fmt.Sprintf("transform-%d", n+1))
	}
	for _, p := range c.replicas {
		w.eventually(3*time.Minute, p.name, p.ready)
	}
	c.witness()
	return c
}

// newQuorum starts the servers and makes the streams.
func newQuorum(w *world, ttl time.Duration, limits []string) *quorum {
	w.t.Helper()
	c := &quorum{world: w, ttl: ttl, limits: limits, seen: map[string]int{}}
	c.startNodes()
	c.connect()
	w.eventually(3*time.Minute, "a leader of the cluster", c.led)
	c.provision(c.as(string(topology.Provisioner)))
	w.eventually(3*time.Minute, "three replicas of each stream", c.whole)
	return c
}

func (c *quorum) startNodes() {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	var routes, urls []string
	var ports []int
	for range certifyNodes {
		port := freePort(c.t)
		ports, routes = append(ports, port), append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	for n := range certifyNodes {
		port, name := freePort(c.t), fmt.Sprintf("nats-%d", n+1)
		p := c.program(name, self, c.natsURL(port), c.guard(), asNATS+"="+filepath.Join(c.dir, "js", name), syncAlways+"=true", natsHeld+"="+c.withheld,
			fmt.Sprintf("%s=%d", natsPort, port), fmt.Sprintf("%s=%d", natsRoute, ports[n]), natsRoutes+"="+strings.Join(routes, ","))
		p.start()
		c.nodes, urls = append(c.nodes, p), append(urls, p.url)
	}
	c.urls = strings.Join(urls, ",")
}

func (c *trial) startReplica(name string) {
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(c.t))
	p := c.program(name, filepath.Join(binaries, "transform"), "http://"+addr, slices.Concat(stack.Settings(c.as("transform")), []string{
		"HTTP_ADDR=" + addr, "NATS_PROVISION=verify", "TRANSFORM_INSTANCE=" + name, "LEASE_TTL=" + c.ttl.String(),
		fmt.Sprintf("STREAM_REPLICAS=%d", certifyNodes), fmt.Sprintf("PARTITIONS=%d", certifyPartitions),
	}, c.limits)...)
	p.start()
	c.replicas = append(c.replicas, p)
}

// connect makes the trial's own connections, one of them the operator's, who
// alone may depose the leader of the cluster.
func (c *quorum) connect() {
	c.t.Helper()
	nc, err := bus.Connect(c.t.Context(), c.as(tester), tester, c.log("certify"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	if c.js, err = bus.JetStream(nc); err != nil {
		c.t.Fatal(err)
	}
	operator := c.as(system)
	operator.Password = system
	c.operator = dial(c.t, operator, nats.RetryOnFailedConnect(true))
}

// log is a file among those of the processes.
func (c *quorum) log(name string) *slog.Logger {
	c.t.Helper()
	file, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = file.Close() })
	return slog.New(slog.NewTextHandler(file, nil))
}

// led reports whether somebody answers for the whole cluster.
func (c *quorum) led() bool {
	ctx, cancel := context.WithTimeout(c.t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := c.js.Stream(ctx, topology.RTE)
	return err == nil || errors.Is(err, jetstream.ErrStreamNotFound)
}

// streams are all that have replicas.
func (c *quorum) streams() (names []string) {
	for _, s := range topology.Streams(topology.Layout{Partitions: certifyPartitions, Replicas: certifyNodes}) {
		names = append(names, s.Name)
	}
	return append(names, "KV_"+topology.Leases)
}

// whole reports whether every stream has three replicas that are up to date.
func (c *quorum) whole() bool {
	for _, name := range c.streams() {
		s, err := c.js.Stream(c.t.Context(), name)
		if err != nil || s.CachedInfo().Cluster == nil || s.CachedInfo().Cluster.Leader == "" {
			return false
		}
		current := 1
		for _, peer := range s.CachedInfo().Cluster.Replicas {
			if peer.Current && !peer.Offline {
				current++
			}
		}
		if current < certifyNodes {
			return false
		}
	}
	return true
}

func (c *quorum) note(what string) { c.noted(what, 1) }

func (c *quorum) noted(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[what] += n
}

func (c *quorum) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[what]
}

// What a witness counts.
const (
	streamLeaders = "leaders elected by streams"
	metaLeaders   = "leaders elected by the cluster"
	takeOvers     = "take-overs of partitions"
)

// witness counts elections and take-overs, as far as its connection sees them.
func (c *quorum) witness() {
	c.t.Helper()
	heard := func(nc *nats.Conn, subject, what string) {
		if _, err := nc.Subscribe(subject, func(*nats.Msg) { c.note(what) }); err != nil {
			c.t.Fatal(err)
		}
	}
	heard(c.js.Conn(), "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>", streamLeaders)
	heard(c.operator, "$JS.EVENT.ADVISORY.DOMAIN.LEADER_ELECTED", metaLeaders)
	ctx, cancel := context.WithCancel(c.t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		holders := map[string]string{}
		for ctx.Err() == nil {
			c.watchLeases(ctx, holders)
			wait(ctx, time.Second)
		}
	})
	c.t.Cleanup(func() { cancel(); watching.Wait() })
}

// watchLeases sees whenever a partition's lease gets another holder.
func (c *quorum) watchLeases(ctx context.Context, holders map[string]string) {
	kv, err := c.js.KeyValue(ctx, topology.Leases)
	if err != nil {
		return
	}
	w, err := kv.Watch(ctx, "transform.partition.*")
	if err != nil {
		return
	}
	defer func() { _ = w.Stop() }()
	for trusted := time.After(10 * c.ttl); ; {
		select {
		case <-ctx.Done():
			return
		case <-trusted: // a watch can be lost
			return
		case entry := <-w.Updates():
			if entry == nil || entry.Operation() != jetstream.KeyValuePut {
				continue
			}
			if before := holders[entry.Key()]; before != "" && before != string(entry.Value()) {
				c.note(takeOvers)
			}
			holders[entry.Key()] = string(entry.Value())
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// replay runs the program over the cluster and returns what it prints.
func (c *quorum) replay(args ...string) (out []byte, err error) {
	var said strings.Builder
	cmd := exec.CommandContext(c.t.Context(), filepath.Join(binaries, "replay"), args...)
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, stack.Settings(c.as("replay")), c.limits)
	cmd.Stderr = &said
	out, err = cmd.Output()
	if err != nil {
		err = fmt.Errorf("replay %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return out, err
}

// messages reads what a stream holds of a filter.
func (c *quorum) messages(stream, filter string) (all []bus.Message) {
	c.t.Helper()
	err := bus.ReadAll(c.t.Context(), c.js, stream, []string{filter}, 0, func(m bus.Message) error {
		all = append(all, m)
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// holds is how many messages of a filter a stream has; -1 while it does not tell.
func (c *quorum) holds(stream, filter string) (n int) {
	s, err := c.js.Stream(c.t.Context(), stream)
	if err != nil {
		return -1
	}
	info, err := s.Info(c.t.Context(), jetstream.WithSubjectFilter(filter))
	if err != nil {
		return -1
	}
	for _, count := range info.State.Subjects {
		n += int(count)
	}
	return n
}

// deposed asks a leader to step down and reports whether it did.
func deposed(nc *nats.Conn, subject string) bool {
	answer, err := nc.Request(subject, nil, 2*time.Second)
	var said struct {
		Success bool `json:"success"`
	}
	return err == nil && json.Unmarshal(answer.Data, &said) == nil && said.Success
}
