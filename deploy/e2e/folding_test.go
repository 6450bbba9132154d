// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

var (
	foldEvents = flag.Int("fold.events", 60_000, "how many raw events are in RTE when transform is compared with a relay")
	foldRounds = flag.Int("fold.rounds", 5, "how often every run is made; the median counts")
	foldPace   = flag.Int("fold.pace", 500, "events a second when the latency is measured")
	foldPaced  = flag.Duration("fold.paced", 8*time.Second, "how long the latency is measured, each time")
	foldKills  = flag.Int("fold.kills", 20, "how often transform and watermill are killed, each, before what they appended is compared with the reference; 0: not at all")
)

// What transform is to reach.
const (
	wantOfRelay = 0.75
	wantLatency = 1.5
	wantOfMill  = 3.0
)

// What the raw events are of.
const (
	foldPartitions = 4
	foldUsers      = 400
	foldUnderWay   = 500
)

// The runs of one round, in their order.
const (
	foldRelay = "bare relay"
	foldApart = "  reads as transform does"
	foldRun   = "transform"
	foldAgain = "  nothing to append"
	foldQuiet = "  LOG_LEVEL=warn"
	foldMill  = "watermill"
	foldIDs   = "  with ids" // the same, and the server refuses an id that it has seen
)

var foldRuns = []string{foldRelay, foldApart, foldRun, foldAgain, foldQuiet, foldMill}

// folding is what a run took.
type folding struct {
	took             time.Duration
	cpu, server      time.Duration
	allocs, bytes    float64 // for all events
	peak             int64
	ofRelay, ofMill  float64
	p50, p99         time.Duration // from a raw event being stored to its call event being stored
	overP50, overP99 float64       // as ratios to the relay's
}

// workload is what the raw events are of.
type workload struct{ partitions, users, underWay int }

var foldLoad = workload{foldPartitions, foldUsers, foldUnderWay}

// folder is a NATS with the streams, and who reads RTE.
type folder struct {
	*world
	workload
	js     jetstream.JetStream
	office *bustest.Office
	what   string  // the file that tells the relay what to append
	share  float64 // call events for each raw one
}

// BenchmarkTransform says what transform sustains as a ratio to a bare relay that
// reads and appends as much, and to the same fold under watermill, in what their
// logs differ when they were killed, and how long a call event takes at a steady pace.
// Every process is real, and what is compared is a minute apart. Slow is no
// failure, a call event too few or too many is one.
func BenchmarkTransform(b *testing.B) {
	f := newFolder(b, foldLoad)
	f.publish(*foldEvents, 0)
	want := f.learn()
	reference := f.spoke()
	flooded, paced := map[string][]folding{}, map[string][]folding{}
	for range *foldRounds {
		round := map[string]folding{foldRelay: f.floods(f.relays()), foldApart: f.floods(f.relays(readsApart + "=1")), foldRun: f.floods(f.folds())}
		f.complete(want)
		round[foldAgain] = f.again()
		f.complete(want)
		round[foldQuiet] = f.floods(f.folds("LOG_LEVEL=warn"))
		round[foldMill] = f.floods(f.mill())
		f.complete(want)
		for name, c := range round {
			c.ofRelay = round[foldRelay].took.Seconds() / c.took.Seconds()
			c.ofMill = round[foldMill].took.Seconds() / c.took.Seconds()
			flooded[name] = append(flooded[name], c)
		}
	}
	differ := f.killing(reference)
	f.nats.kill()
	for range *foldRounds {
		one, other := f.next(), f.next()
		relay, transform := one.paces(one.relays()), other.paces(other.folds())
		transform.overP50, transform.overP99 = transform.p50.Seconds()/relay.p50.Seconds(), transform.p99.Seconds()/relay.p99.Seconds()
		relay.overP50, relay.overP99 = 1, 1
		paced[foldRelay], paced[foldRun] = append(paced[foldRelay], relay), append(paced[foldRun], transform)
	}
	reportFolding(b, flooded, paced, f.share)
	reportKilled(b, differ)
}

// killing kills each, and compares what it leaves with the reference.
func (f *folder) killing(reference spoken) map[string]divergence {
	f.t.Helper()
	differ := map[string]divergence{}
	if *foldKills > 0 {
		differ[foldRun] = f.killed(*foldKills, f.folds("LEASE_TTL=1s")).against(reference)
		differ[foldMill] = f.killed(*foldKills, f.mill()).against(reference)
		differ[foldIDs] = f.killed(*foldKills, f.mill("WATERMILL_TRACK_IDS=1")).against(reference)
	}
	return differ
}

func newFolder(t testing.TB, c workload) *folder {
	t.Helper()
	f := &folder{world: newBus(t), workload: c, office: bustest.NewOffice(1, c.users, c.partitions)}
	nc, err := nats.Connect(f.nats.url, nats.RetryOnFailedConnect(true), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	f.eventually(time.Minute, "NATS", nc.IsConnected)
	if f.js, err = bus.JetStream(nc); err != nil {
		t.Fatal(err)
	}
	f.clear()
	return f
}

// next has an RTE of its own, and appends the same.
func (f *folder) next() *folder {
	next := newFolder(f.t, f.workload)
	next.what, next.share = f.what, f.share
	return next
}

// clear leaves alone what is in RTE.
func (f *folder) clear() {
	f.t.Helper()
	if _, err := f.js.Stream(f.t.Context(), topology.RTE); err == nil {
		f.durable(func(c *jetstream.ConsumerInfo) {
			if err := f.js.DeleteConsumer(f.t.Context(), topology.RTE, c.Name); err != nil {
				f.t.Fatal(err)
			}
		})
	}
	for _, name := range append(f.logs(), topology.Calls) {
		if err := f.js.DeleteStream(f.t.Context(), name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			f.t.Fatal(err)
		}
	}
	if err := bus.Create(f.t.Context(), f.js, topology.Layout{Partitions: f.partitions, Replicas: 1}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) logs() (names []string) {
	for p := range f.partitions {
		names = append(names, topology.CallLog(p))
	}
	return names
}

// publish fills RTE, as fast as it can or with a pause between two messages.
func (f *folder) publish(n int, pause time.Duration) {
	f.t.Helper()
	tick := time.NewTicker(max(pause, 1))
	defer tick.Stop()
	for range n {
		if pause > 0 {
			<-tick.C
		}
		m := f.office.Next(time.Now(), f.underWay)
		if _, err := f.js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}, jetstream.WithStallWait(time.Minute)); err != nil {
			f.t.Fatal(err)
		}
	}
	<-f.js.PublishAsyncComplete()
}

func (f *folder) relays(env ...string) func() *program {
	return func() *program {
		return f.self("relay", append(env, asFolder+"="+f.nats.url, folderTells+"="+f.what)...)
	}
}

func (f *folder) folds(env ...string) func() *program {
	return func() *program { return f.transform(env...) }
}

// mill is watermill at the same work: make bench builds it.
func (f *folder) mill(env ...string) func() *program {
	return func() *program {
		p := f.program("watermill", binaries+"/watermill", "", append(env, "NATS_URL="+f.nats.url, fmt.Sprintf("PARTITIONS=%d", f.partitions))...)
		p.start()
		return p
	}
}

// transform has leases that a machine which all partitions keep busy at once does not
// take from it: what is folded anew would count.
func (f *folder) transform(env ...string) *program {
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(f.t))
	p := f.program("transform", binaries+"/transform", "http://"+addr, append([]string{"LEASE_TTL=60s", "HTTP_ADDR=" + addr, "NATS_URL=" + f.nats.url, fmt.Sprintf("PARTITIONS=%d", f.partitions)}, env...)...)
	p.start()
	return p
}

// learn lets transform show how many call events there are, and of what size.
func (f *folder) learn() (events int) {
	f.t.Helper()
	p := f.transform()
	f.eventually(2*time.Minute, "transform to be ready; "+p.log+" says why not", p.ready)
	f.eventually(10*time.Minute, "transform to have read everything", func() bool { return p.sum(rawEvents) == float64(*foldEvents) })
	p.stop()
	var last bus.Message
	bytes := 0
	f.each(func(m bus.Message) {
		events++
		bytes += len(m.Data)
		last = m
	})
	b, err := json.Marshal(relayed{Header: last.Header, Data: []byte(strings.Repeat("x", bytes/events)), Share: float64(events) / float64(*foldEvents)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.share, f.what = float64(events)/float64(*foldEvents), filepath.Join(f.dir, "relayed.json")
	if err := os.WriteFile(f.what, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return events
}

const rawEvents = "ringstream_transform_raw_events_total"

// each hands over every call event of the logs.
func (f *folder) each(take func(bus.Message)) {
	f.t.Helper()
	for p, name := range f.logs() {
		if err := bus.ReadAll(f.t.Context(), f.js, name, []string{topology.CallLogPrefix(p) + ".ev.>"}, 0, func(m bus.Message) error {
			take(m)
			return nil
		}); err != nil {
			f.t.Fatal(err)
		}
	}
}

// floods lets a process read RTE from its beginning. How long it takes tell the
// times at which the first and the last message of the logs were stored.
func (f *folder) floods(start func() *program) folding {
	f.t.Helper()
	f.clear()
	server := f.nats.cpu()
	p := start()
	f.eventually(10*time.Minute, "the logs to be full", func() bool { return f.appended() >= int(f.share*float64(*foldEvents))-f.partitions })
	c := folding{cpu: p.cpu(), server: f.nats.cpu() - server, peak: p.peak()}
	if p.url == "" {
		p.kill()
	} else {
		c.allocs, c.bytes = p.sum("go_memstats_mallocs_total"), p.sum("go_memstats_alloc_bytes_total")
		p.stop() // when everything is stored
	}
	first, last := time.Now(), time.Time{}
	for _, s := range f.states() {
		if s.FirstTime.Before(first) {
			first = s.FirstTime
		}
		if s.LastTime.After(last) {
			last = s.LastTime
		}
	}
	c.took = last.Sub(first)
	return c
}

// again lets transform read what it has folded already, from the beginning.
func (f *folder) again() folding {
	f.t.Helper()
	for p, name := range f.logs() {
		log, err := f.js.Stream(f.t.Context(), name)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, snapshots := range []string{".snap", ".snap.>"} {
			if err := log.Purge(f.t.Context(), jetstream.WithPurgeSubject(topology.CallLogPrefix(p)+snapshots)); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	server := f.nats.cpu()
	p := f.transform()
	f.eventually(time.Minute, "transform to begin", func() bool { return p.sum(rawEvents) > 0 })
	begun, already := time.Now(), p.sum(rawEvents)
	f.eventually(10*time.Minute, "transform to have read everything", func() bool { return p.sum(rawEvents) == float64(*foldEvents) })
	c := folding{took: time.Since(begun), cpu: p.cpu(), server: f.nats.cpu() - server, peak: p.peak()}
	c.took = time.Duration(float64(c.took) * float64(*foldEvents) / (float64(*foldEvents) - already))
	c.allocs, c.bytes = p.sum("go_memstats_mallocs_total"), p.sum("go_memstats_alloc_bytes_total")
	p.stop()
	return c
}

// paces lets a process keep up with a steady pace, and asks the logs when each
// message was stored and when what it was made from.
func (f *folder) paces(start func() *program) (c folding) {
	f.t.Helper()
	defer f.nats.kill()
	p := start()
	n := int(foldPaced.Seconds() * float64(*foldPace))
	f.publish(f.underWay/10, 0)
	f.eventually(time.Minute, "the first call event", func() bool { return f.appended() > 0 })
	f.publish(n, time.Second/time.Duration(*foldPace))
	f.eventually(time.Minute, "the last event", func() bool { return f.appended() >= int(f.share*float64(n)/2) })
	p.kill()
	var delays []time.Duration
	f.each(func(m bus.Message) {
		if at, err := time.Parse(time.RFC3339Nano, m.Header.Get(bus.HeaderAt)); err == nil {
			delays = append(delays, m.Stored.Sub(at))
		}
	})
	slices.Sort(delays)
	c.p50, c.p99 = delays[len(delays)/2], delays[len(delays)*99/100]
	return c
}

// states are those of the logs.
func (f *folder) states() (all []jetstream.StreamState) {
	f.t.Helper()
	for _, name := range f.logs() {
		log, err := f.js.Stream(f.t.Context(), name)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, log.CachedInfo().State)
	}
	return all
}

// appended are the messages of the logs, of snapshots the last ones.
func (f *folder) appended() (n int) {
	for _, s := range f.states() {
		n += int(s.Msgs)
	}
	return n
}

// complete fails if there are not exactly so many call events.
func (f *folder) complete(want int) {
	f.t.Helper()
	n := 0
	f.each(func(bus.Message) { n++ })
	if n != want {
		f.t.Fatalf("%d call events, at first there were %d", n, want)
	}
}

// sum adds up a metric over its labels.
func (p *program) sum(name string) (sum float64) {
	var text bytes.Buffer
	if p.w.ask(p.url+"/metrics", &text) != nil {
		return 0
	}
	for line := range strings.Lines(text.String()) {
		if rest, ok := strings.CutPrefix(line, name); ok && strings.ContainsAny(rest[:1], " {") {
			var value float64
			_, _ = fmt.Sscan(rest[strings.LastIndex(rest, " "):], &value)
			sum += value
		}
	}
	return sum
}
