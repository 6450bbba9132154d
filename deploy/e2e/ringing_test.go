// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

var (
	ringCalls  = flag.Int("ring.calls", 200, "how many calls ring at once, every second")
	ringBursts = flag.Int("ring.bursts", 10, "how often they do in each run, after two times that do not count")
	ringSingle = flag.Int("ring.single", 60, "how many calls ring one at a time in each run, after two that do not count")
	ringRounds = flag.Int("ring.rounds", 5, "how often every run is made; the median counts")
)

// What the pipeline is to reach when many ring at once.
const (
	wantRingP50 = 2.0 // of the bare relay's
	wantRingP99 = 50 * time.Millisecond
)

// The two shapes: all of a second's calls ring at once; or one does, in time for
// Reapit's own limits.
const (
	burstPeriod  = time.Second
	singlePeriod = 240 * time.Millisecond
	ringWarmUp   = 2 // periods
)

// The runs of one round.
const (
	ringBare    = "bare relay"
	ringRun     = "pipeline"
	ringLimited = "pipeline, 20/s, 5 at a time"
)

// What happens to every call, in this order, one in each period.
const (
	rings   = "UserCallInUserAllocated"
	answers = "UserCallInUserConnected"
	ends    = "UserCallInDisconnected"
)

var callEvents = map[string]event.CallType{rings: event.Incoming, answers: event.Answered, ends: event.Ended}

// passage is when a ringing event was where: made by the hub, before it is
// written to the socket; stored in each of three streams; received as a POST.
type passage [5]time.Time

// ringing is what a run took.
type ringing struct {
	took, bare []time.Duration // from made to received, and by the bare relay of the same round; in order
	hops       [4]time.Duration
	cpu        map[string]time.Duration // of the processes, for each call
	rung       float64                  // share of the calls that were POSTed
}

// ringer is a pipeline, or what it is compared with.
type ringer interface {
	send(eventType string, calls []string)
	await(calls int) // until so many more have rung, been answered and ended
	passages(calls []string) []passage
	processes() map[string]*program
}

// BenchmarkRinging says how long a call takes to ring: from its raw event being
// made at the hub to its POST having been received, through the whole pipeline,
// and through a bare relay: a generator that publishes to a stream, two processes
// that copy each to the next of three streams, and one that reads the third and
// POSTs nothing. Each call is answered and ended in a later second, between the
// rings. Slow is no failure; a ring that was not POSTed, or twice, is one.
func BenchmarkRinging(b *testing.B) {
	atOnce, single := map[string][]ringing{}, map[string][]ringing{}
	sample := filepath.Join(b.TempDir(), "sample.json")
	add := func(to map[string][]ringing, name string, r ringing) { to[name] = append(to[name], r) }
	for range *ringRounds {
		p := newPipeline(b, "REAPIT_RATE=10000", "REAPIT_CONCURRENCY=1000", "REAPIT_DAILY=1000000000")
		p.unlimited()
		many, one := ring(p, *ringCalls, *ringBursts, burstPeriod), ring(p, 1, *ringSingle, singlePeriod)
		p.sample(sample)
		p.end()
		bare := newBareRinger(b, sample)
		bareMany, bareOne := ring(bare, *ringCalls, *ringBursts, burstPeriod), ring(bare, 1, *ringSingle, singlePeriod)
		bare.end()
		limited := newPipeline(b)
		limitedOne := ring(limited, 1, *ringSingle, singlePeriod)
		limited.end()
		add(atOnce, ringBare, bareMany.over(bareMany))
		add(atOnce, ringRun, many.over(bareMany))
		add(single, ringBare, bareOne.over(bareOne))
		add(single, ringRun, one.over(bareOne))
		add(single, ringLimited, limitedOne.over(bareOne))
	}
	reportRinging(b, atOnce, single)
}

func (r ringing) over(bare ringing) ringing {
	r.bare = bare.took
	return r
}

func (r ringing) at(q float64) time.Duration { return quantile(r.took, q) }

// of is a quantile as a ratio to the bare relay's.
func (r ringing) of(q float64) float64 { return r.at(q).Seconds() / quantile(r.bare, q).Seconds() }

// ring lets calls ring at once, period after period. A third of it later those
// of the period before are answered, and another third later those before end.
func ring(r ringer, atOnce, periods int, period time.Duration) ringing {
	periods += ringWarmUp
	calls := newCallIDs(atOnce * periods)
	cpu := spent(r)
	beat := time.NewTicker(period / 3)
	defer beat.Stop()
	for n := range periods + ringWarmUp {
		for lag, eventType := range []string{rings, answers, ends} {
			<-beat.C
			if k := n - lag; k >= 0 && k < periods {
				r.send(eventType, calls[k*atOnce:(k+1)*atOnce])
			}
		}
	}
	r.await(len(calls))
	for name, before := range cpu {
		cpu[name] = (r.processes()[name].cpu() - before) / time.Duration(len(calls))
	}
	counted := calls[ringWarmUp*atOnce:]
	passages := r.passages(counted)
	result := measured(passages)
	result.cpu, result.rung = cpu, float64(len(passages))/float64(len(counted))
	return result
}

func spent(r ringer) map[string]time.Duration {
	cpu := map[string]time.Duration{}
	for name, p := range r.processes() {
		cpu[name] = p.cpu()
	}
	return cpu
}

func measured(passages []passage) (r ringing) {
	between := func(from, to int) (delays []time.Duration) {
		for _, p := range passages {
			delays = append(delays, p[to].Sub(p[from]))
		}
		slices.Sort(delays)
		return delays
	}
	r.took = between(0, len(passage{})-1)
	for i := range r.hops {
		r.hops[i] = quantile(between(i, i+1), 0.5)
	}
	return r
}

func newCallIDs(n int) []string {
	run, ids := rand.Uint32(), make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08x-ce86-4611-80c9-%012x", run, i)
	}
	return ids
}

// pipeline is all six processes.
type pipeline struct {
	*world
	js       jetstream.JetStream
	programs map[string]*program
	crm      *program
	rung     int  // calls so far
	mayMiss  bool // whose call has ended before its ring was POSTed is not rung
}

func newPipeline(t testing.TB, limits ...string) *pipeline {
	t.Helper()
	p := &pipeline{world: newWorld(t)}
	p.js = p.jetStream()
	crm := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p.crm = p.program("reapit-sim", binaries+"/reapit-sim", "http://"+crm, "REAPIT_SIM_ADDR="+crm)
	p.crm.start()
	p.eventually(time.Minute, "the CRM", func() bool { return p.ask(p.crm.url+"/control/stats", nil) == nil })
	ingest := p.ingest("ingest")
	p.programs = map[string]*program{
		"rte-sim": p.sim, "ingest": ingest, "NATS": p.nats, "transform": p.service("transform"), "reapit-sim": p.crm,
		"deliver": p.service("deliver", append([]string{
			"REAPIT_API_URL=" + p.crm.url, "REAPIT_TOKEN_URL=" + p.crm.url + "/oauth/token",
			"REAPIT_CLIENT_ID=demo-client", "REAPIT_CLIENT_SECRET=demo-secret", "REAPIT_CUSTOMER=SBOX",
		}, limits...)...),
	}
	p.eventually(time.Minute, "deliver to deliver", func() bool { return p.programs["deliver"].sum("ringstream_lease_held") == 1 })
	return p
}

func (w *world) service(name string, env ...string) *program {
	w.t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(w.t))
	p := w.program(name, binaries+"/"+name, "http://"+addr, slices.Concat(env, stack.Settings(w.as(name)), []string{"HTTP_ADDR=" + addr})...)
	p.start()
	w.eventually(time.Minute, name, p.ready)
	return p
}

func (w *world) jetStream() jetstream.JetStream {
	w.t.Helper()
	nc, err := nats.Connect(w.nats.url, nats.RetryOnFailedConnect(true), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	w.eventually(time.Minute, "NATS", nc.IsConnected)
	js, err := bus.JetStream(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	return js
}

// unlimited takes the CRM's limits away.
func (p *pipeline) unlimited() {
	p.post(p.crm.url+"/control/knobs", map[string]int{"rate": 0, "concurrency": 0, "daily": 0})
}

func (p *pipeline) processes() map[string]*program { return p.programs }

// send divides the calls among the users.
func (p *pipeline) send(eventType string, calls []string) {
	users := []string{"jane", "tom", "sara", "ali"}
	share := (len(calls) + len(users) - 1) / len(users)
	for i := 0; len(calls) > 0; i++ {
		n := min(share, len(calls))
		p.post(p.sim.url+"/control/send", map[string]any{
			"eventType": eventType, "user": users[i], "count": n, "callIds": calls[:n], "data": map[string]string{"callerNumber": "+447123456789", "targetNumber": "+442071838750"},
		})
		calls = calls[n:]
	}
}

func (p *pipeline) await(calls int) {
	p.t.Helper()
	p.rung += calls
	p.eventually(time.Minute, "every outcome", func() bool {
		s, err := p.js.Stream(p.t.Context(), topology.Deliveries)
		if err != nil {
			return false
		}
		info, err := s.Info(p.t.Context(), jetstream.WithSubjectFilter("deliveries.>"))
		if err != nil {
			return false
		}
		n := 0
		for _, count := range info.State.Subjects {
			n += int(count)
		}
		return n >= len(callEvents)*p.rung
	})
}

// received is one POST as the CRM saw it.
type received struct {
	Time   time.Time
	CallID string
	Status int
}

func (p *pipeline) passages(calls []string) []passage {
	p.t.Helper()
	var posts struct{ Requests []received }
	p.get(p.crm.url+"/control/requests?limit=1000000&subType=incomingCall", &posts)
	incoming := string(callEvents[rings])
	logged := map[string]bus.Message{}
	for n := range topology.DefaultPartitions {
		p.each(topology.CallLog(n), topology.CallLogPrefix(n)+".ev.*."+incoming+".*", logged)
	}
	return p.assemble(calls, p.each(topology.RTE, "rte.*.*."+rings+".*", nil), logged, p.each(topology.Calls, "calls.*."+incoming+".*", nil), posts.Requests, p.mayMiss)
}

// each are the messages of a stream by the last part of their subject.
func (w *world) each(stream, filter string, into map[string]bus.Message) map[string]bus.Message {
	w.t.Helper()
	if into == nil {
		into = map[string]bus.Message{}
	}
	if err := bus.ReadAll(w.t.Context(), w.jetStream(), stream, []string{filter}, 0, func(m bus.Message) error {
		into[m.Subject[strings.LastIndex(m.Subject, ".")+1:]] = m
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return into
}

// assemble fails when a call rang twice, or not at all and may not miss.
func (w *world) assemble(calls []string, first, second, third map[string]bus.Message, posts []received, mayMiss bool) (got []passage) {
	w.t.Helper()
	arrived := map[string][]time.Time{}
	for _, p := range posts {
		if p.Status/100 == 2 {
			arrived[p.CallID] = append(arrived[p.CallID], p.Time)
		}
	}
	for _, id := range calls {
		if mayMiss && len(arrived[id]) == 0 {
			continue
		}
		made, err := time.Parse(time.RFC3339Nano, first[id].Header.Get("ce-time"))
		if err != nil || len(arrived[id]) != 1 {
			w.t.Fatalf("call %s: made at %v (%v), POSTed at %v", id, made, err, arrived[id])
		}
		got = append(got, passage{made, first[id].Stored, second[id].Stored, third[id].Stored, arrived[id][0]})
	}
	return got
}

// sampled is a message as a stream has it.
type sampled struct {
	Subject string
	Header  nats.Header
	Data    []byte
}

// copied is what the bare relay carries for one kind of event.
type copied struct{ Raw, Logged, Merged sampled }

// sample keeps what stands in the streams, for the bare relay.
func (p *pipeline) sample(file string) {
	p.t.Helper()
	all := map[string]copied{}
	for eventType, callType := range callEvents {
		var c copied
		for id, m := range p.each(topology.Calls, "calls.*."+string(callType)+".*", nil) {
			c.Merged = sampled{m.Subject, m.Header, m.Data}
			raw := p.each(topology.RTE, "rte.*.*."+eventType+"."+id, nil)[id]
			c.Raw, c.Logged = sampled{raw.Subject, raw.Header, raw.Data}, sampled{m.Subject, maps.Clone(m.Header), m.Data}
			c.Logged.Header.Del(streamSource)
			break
		}
		all[eventType] = c
	}
	b, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// end ends everything.
func (p *pipeline) end() {
	for _, process := range p.programs {
		process.kill()
	}
}
