// A full disk is a limit that only Linux can set for another process.

//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/schemas/topology"
)

var (
	faultsFor    = flag.Duration("faults", 25*time.Second, "how long the fault run hurts ingest and what is around it")
	faultsEvents = flag.Int("faults.events", 8000, "how many events the hub sends meanwhile, at least")
	faultsSeed   = flag.Uint64("faults.seed", 0, "which faults; 0 takes a new one")
)

// heartbeat is how exactly ingest can know when a connection ended: what the hub
// sent within one before an end may not have reached anybody.
const heartbeat = time.Second

// TestFaultsLoseNothing hurts two replicas of ingest and everything around them
// at random while the hub sends: every event that a subscribed connection was
// sent is in RTE once, what the same connections were sent of a call is there in order,
// and the spans that the coverage events leave uncovered are those in which no
// connection had all subscriptions.
func TestFaultsLoseNothing(t *testing.T) {
	t.Parallel() // most of it is waiting
	seed := *faultsSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-faults=%v -faults.events=%d -faults.seed=%d", *faultsFor, *faultsEvents, seed)
	w := emptyWorld(t)
	w.synced = true
	w.startBus()
	w.provision(w.as(string(topology.Provisioner)))
	w.startHub("RTE_SIM_SENT_LIMIT=10000000")
	w.ingest("ingest-1")
	w.ingest("ingest-2")
	w.random = rand.New(rand.NewPCG(seed, 0))
	sent := make(chan int)
	end := make(chan struct{})
	go func() { sent <- w.send(end) }()
	for until := time.Now().Add(*faultsFor); time.Now().Before(until); {
		w.hurt()
	}
	close(end)
	events := <-sent
	w.heal()
	w.verdict(events)
}

// send lets the hub send at an even pace until there were enough and end is closed.
func (w *world) send(end <-chan struct{}) (events int) {
	const perSecond = 20
	users := []string{"jane", "tom", "sara", "ali"}
	batch := max(1, *faultsEvents/int(faultsFor.Seconds()*perSecond)+1)
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for {
		select {
		case <-end:
			if events >= *faultsEvents {
				return events
			}
		default:
		}
		<-tick.C
		user := users[events/batch%len(users)]
		w.post(w.sim.url+"/control/send", map[string]any{"eventType": "UserCallInComing", "user": user, "count": batch, "calls": 20})
		events += batch
	}
}

// fault is one way to hurt; it ends what it does before it returns.
type fault struct {
	name string
	do   func(w *world)
}

var faults = []fault{
	{"close", dropping("close")},
	{"close, may reconnect", dropping("close-reconnect")},
	{"end of stream", dropping("eof")},
	{"reset", dropping("reset")},
	{"falls silent", dropping("silent")},
	{"hub stalls", func(w *world) {
		w.post(w.sim.url+"/control/stall", map[string]any{"duration": w.within(3 * time.Second).String()})
	}},
	{"token endpoint fails", func(w *world) {
		for _, what := range []string{"token-5xx", "token-401", "negotiate-5xx", "connect-401"} {
			w.post(w.sim.url+"/control/fail", map[string]any{"what": what, "count": 1 + w.random.IntN(3)})
		}
		w.drop("reset", "")
	}},
	{"NATS killed", func(w *world) {
		w.nats.kill()
		w.rest(6 * time.Second)
		w.nats.start()
	}},
	{"NATS paused", func(w *world) {
		w.nats.pause()
		w.rest(6 * time.Second)
		w.nats.resume()
	}},
	{"ingest killed", func(w *world) { w.restart(w.some()) }},
	{"ingest killed while NATS is away", func(w *world) {
		w.nats.kill()
		w.rest(3 * time.Second)
		w.restart(w.some())
		w.rest(3 * time.Second)
		w.nats.start()
	}},
	{"both ingests killed", func(w *world) {
		var both sync.WaitGroup
		for _, p := range w.ingests {
			p.kill()
		}
		w.rest(2 * time.Second)
		for _, p := range w.ingests {
			both.Go(p.start)
		}
		both.Wait()
	}},
	{"disk full", func(w *world) {
		p := w.some()
		p.fill(true)
		w.rest(3 * time.Second)
		p.fill(false)
	}},
	{"disk full while NATS is away", func(w *world) {
		p := w.some()
		w.nats.kill()
		p.fill(true)
		w.rest(2 * time.Second)
		p.fill(false)
		w.nats.start()
	}},
}

func dropping(mode string) func(*world) {
	return func(w *world) { w.drop(mode, w.connection()) }
}

// hurt does one thing, and lets some time pass.
func (w *world) hurt() {
	f := faults[w.random.IntN(len(faults))]
	w.hurts[f.name]++
	f.do(w)
	w.rest(2 * time.Second)
}

func (w *world) within(most time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(most)))
}

// rest lets up to so much time pass: what is tested is what happens in time.
func (w *world) rest(most time.Duration) { <-time.After(w.within(most)) }

func (w *world) some() *program { return w.ingests[w.random.IntN(len(w.ingests))] }

func (w *world) restart(p *program) {
	p.kill()
	w.rest(3 * time.Second)
	p.start()
}

// connection picks one of the hub's connections, or all of them.
func (w *world) connection() string {
	var all []struct{ ID string }
	w.get(w.sim.url+"/control/connections", &all)
	if n := w.random.IntN(len(all) + 1); n < len(all) {
		return all[n].ID
	}
	return ""
}

func (w *world) drop(mode, connection string) {
	w.post(w.sim.url+"/control/drop", map[string]any{"mode": mode, "connection": connection})
}

// heal waits until everything is well and stored, and stops the ingests.
func (w *world) heal() {
	w.t.Helper()
	w.post(w.sim.url+"/control/stall", map[string]any{"duration": "0s"})
	for _, p := range w.ingests {
		w.eventually(3*time.Minute, p.name+" to be well again", func() bool { return p.ready() && p.metric("ringstream_ingest_queue_messages") == "0" })
		if lost := p.metric("ringstream_ingest_lost_messages_total"); lost != "0" {
			w.t.Errorf("%s has lost %s messages", p.name, lost)
		}
	}
	w.healed = time.Now().UTC()
	for _, p := range w.ingests {
		p.stop()
	}
}

// verdict compares what the hub says with what RTE has.
func (w *world) verdict(events int) {
	w.t.Helper()
	h := w.heard()
	found, gaps := h.check(), w.gapsAre(0, nil, nil)
	w.t.Logf("%d events of the hub, %s", events, h)
	w.t.Logf("faults: %s", counts(w.hurts))
	w.t.Log(gaps.told)
	f := &figures{}
	f.violations(append(found, gaps.found...), w.t.Errorf)
	if len(h.stored) < *faultsEvents/2 {
		w.t.Errorf("only %d events stored: the run proves little", len(h.stored))
	}
}

// before reports whether something known of a key stands before n, and keeps
// what stands first.
func before(first map[string]int, key string, n int) bool {
	known, is := first[key]
	if !is || n < known {
		first[key] = n
	}
	return is && known < n
}

func counts(m map[string]int) string {
	var words []string
	for _, f := range faults {
		words = append(words, fmt.Sprintf("%s %d", f.name, m[f.name]))
	}
	return strings.Join(words, ", ")
}

const clock = "15:04:05.000"

// span is a time from one moment to another.
type span struct{ from, until time.Time }

// near reports whether a span comes as near as this to another.
func (s span) near(x span, within time.Duration) bool {
	return !s.from.After(x.until.Add(within)) && !x.from.After(s.until.Add(within))
}

func total(spans []span) (sum time.Duration) {
	for _, s := range spans {
		sum += s.until.Sub(s.from)
	}
	return sum.Round(time.Millisecond)
}

// without is what is left of a span.
func without(whole span, parts []span) (left []span) {
	slices.SortFunc(parts, func(a, b span) int { return a.from.Compare(b.from) })
	at := whole.from
	for _, p := range parts {
		if p.from.After(at) {
			until := p.from
			if until.After(whole.until) {
				until = whole.until
			}
			left = append(left, span{at, until})
		}
		if p.until.After(at) {
			at = p.until
		}
		if !at.Before(whole.until) {
			return left
		}
	}
	return append(left, span{at, whole.until})
}

// union is what there is of a span in any of its parts.
func union(whole span, parts []span) []span { return without(whole, without(whole, parts)) }

func minus(a, b []span) (left []span) {
	for _, s := range a {
		left = append(left, without(s, slices.Clone(b))...)
	}
	return left
}

// TestMain makes the test binary one of the processes that the tests need.
func TestMain(m *testing.M) {
	for role, play := range map[string]func(string){
		asNATS: serveNATS, asReader: readBare, asRelay: relayBare, asPublisher: publishBare, asFolder: foldBare, asRereader: rereadBare,
		asGenerator: generate, asHop: hop, asPoster: postBare, asReceiver: receive,
	} {
		if what := os.Getenv(role); what != "" {
			play(what)
			return
		}
	}
	// More at a time than there are processors: they wait for their processes.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	must(writeFigures())
	_ = os.RemoveAll(filepath.Dir(trust().Cert))
	os.Exit(code)
}
