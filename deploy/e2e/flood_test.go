// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"cmp"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	floodMessages = flag.Int("flood.messages", 200_000, "how many messages the hub sends in each run")
	floodRounds   = flag.Int("flood.rounds", 5, "how often every run is made; the median counts")
	floodCoalesce = flag.Int("flood.coalesce", 1, "how many messages the hub puts into one WebSocket message at most")
)

// perCall is how many messages of the flood belong to one call.
const perCall = 10

// What ingest is to reach.
const (
	wantOfReader = 0.5
	wantPeak     = 150 << 20
)

// The runs of one round, in their order.
const (
	bareReader    = "bare reader"
	bareRelay     = "bare relay"
	ingestRun     = "ingest"
	ingestHears   = "ingest, NATS away"
	ingestDrains  = "  then NATS back"
	bareJetStream = "bare JetStream"
)

var runs = []string{bareReader, bareRelay, ingestRun, bareJetStream, ingestHears, ingestDrains}

// cost is what a run took: of the process that it is about, the hub and NATS.
type cost struct {
	took                  time.Duration
	cpu, hub, server      time.Duration
	peak                  int64   // RSS in bytes
	ofReader, ofJetStream float64 // what was sustained, as ratios to the bare runs of the round
}

// BenchmarkIngest says what ingest sustains as a ratio to what a bare reader
// takes from the same hub, and to what a bare publisher gives to the same
// JetStream. Every round makes every run, in real processes, with new streams;
// what is compared is a minute apart. Slow is no failure, a lost message is one.
func BenchmarkIngest(b *testing.B) {
	rounds := map[string][]cost{}
	for range *floodRounds {
		round := flood(b)
		for name, c := range round {
			c.ofReader = round[bareReader].took.Seconds() / c.took.Seconds()
			c.ofJetStream = round[bareJetStream].took.Seconds() / c.took.Seconds()
			rounds[name] = append(rounds[name], c)
		}
	}
	report(b, rounds)
}

// flood makes each run once and checks that everything was stored.
func flood(b *testing.B) map[string]cost {
	b.Helper()
	w := newWorld(b, "RTE_SIM_SENT_LIMIT=1", fmt.Sprintf("RTE_SIM_COALESCE=%d", *floodCoalesce))
	defer w.end()
	nc, err := nats.Connect(w.nats.url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	f := &flooded{world: w, js: js}
	round := map[string]cost{bareReader: f.reader(asReader)}
	p := w.ingest("ingest")
	round[ingestRun] = f.listen(p)
	p.stop()
	round[bareRelay] = f.reader(asRelay)
	round[bareJetStream] = f.publisher()
	p.start()
	w.eventually(time.Minute, "ingest", p.ready)
	round[ingestHears], round[ingestDrains] = f.outage(p)
	p.stop()
	return round
}

// flooded is a world in which the hub sends as fast as it can.
type flooded struct {
	*world
	js jetstream.JetStream
}

// send returns when the sockets have taken nearly everything.
func (f *flooded) send() {
	f.post(f.sim.url+"/control/send", map[string]any{"eventType": "UserCallInComing", "user": "jane", "count": *floodMessages, "calls": *floodMessages / perCall})
}

// reader floods a process that throws everything away, or publishes it as it is.
func (f *flooded) reader(role string) cost {
	p := f.self(role, role+"="+f.sim.url, "E2E_NATS="+f.nats.url, fmt.Sprintf("E2E_MESSAGES=%d", *floodMessages), "E2E_USER="+f.users()[0])
	f.eventually(time.Minute, "the reader", func() bool { return p.said(readerReady) })
	defer p.kill()
	return f.measure(p, func() {
		f.send()
		f.eventually(time.Minute, "the reader to have everything", func() bool { return p.said(readerDone) })
	})
}

// listen floods an ingest until everything is in RTE.
func (f *flooded) listen(p *program) cost {
	before := f.messages()
	c := f.measure(p, func() {
		f.send()
		f.reached(before + *floodMessages)
	})
	f.complete(*floodMessages)
	return c
}

// outage floods an ingest that cannot store anything, and then lets it.
func (f *flooded) outage(p *program) (hears, drains cost) {
	before := f.messages()
	f.nats.kill()
	hears = f.measure(p, func() {
		f.send()
		f.eventually(time.Minute, "everything to be heard", func() bool {
			return p.metric(`ringstream_ingest_messages_total{event_type="UserCallInComing"}`) == fmt.Sprint(*floodMessages)
		})
	})
	f.nats.start()
	f.reached(before + 1)
	already := f.messages() - before
	drains = f.measure(p, func() { f.reached(before + *floodMessages) })
	drains.took = time.Duration(float64(drains.took) * float64(*floodMessages) / float64(*floodMessages-already))
	f.complete(2 * *floodMessages)
	return hears, drains
}

// publisher lets a process publish what ingest has published, to a stream like RTE.
func (f *flooded) publisher() cost {
	p := f.self("publisher", asPublisher+"="+f.nats.url)
	defer p.kill()
	ask := func(subject string) bool {
		_, err := f.js.Conn().Request(subject, nil, time.Minute)
		return err == nil
	}
	f.eventually(time.Minute, "the publisher", func() bool { return ask(publisherReady) })
	return f.measure(p, func() {
		if !ask(publisherGo) {
			f.t.Error("the publisher could not publish everything")
		}
	})
}

func (f *flooded) measure(p *program, do func()) cost {
	own, hub, server, start := p.cpu(), f.sim.cpu(), f.nats.cpu(), time.Now()
	do()
	return cost{took: time.Since(start), cpu: p.cpu() - own, hub: f.sim.cpu() - hub, server: f.nats.cpu() - server, peak: p.peak()}
}

// messages are those in RTE, those that ingest tells of itself among them: one
// a second.
func (f *flooded) messages() int {
	s, err := f.js.Stream(f.t.Context(), "RTE")
	if err != nil {
		return 0
	}
	return int(s.CachedInfo().State.Msgs)
}

func (f *flooded) reached(n int) {
	f.t.Helper()
	f.eventually(5*time.Minute, fmt.Sprintf("%d messages in RTE", n), func() bool { return f.messages() >= n })
}

// complete fails if not exactly so many of the hub's messages are in RTE.
func (f *flooded) complete(want int) {
	f.t.Helper()
	f.eventually(time.Minute, fmt.Sprintf("%d messages of the hub in RTE", want), func() bool {
		s, err := f.js.Stream(f.t.Context(), "RTE")
		if err != nil {
			return false
		}
		info, err := s.Info(f.t.Context(), jetstream.WithSubjectFilter("rte.>"))
		if err != nil {
			return false
		}
		n := 0
		for _, count := range info.State.Subjects {
			n += int(count)
		}
		return n == want
	})
}

// report prints the medians, and what they mean.
func report(b *testing.B, rounds map[string][]cost) {
	b.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "\n%d messages a run, median of %d rounds, %d CPUs, up to %d messages in one WebSocket message; everything was stored\n\n",
		*floodMessages, len(rounds[ingestRun]), runtime.NumCPU(), *floodCoalesce)
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "\tmessages/s\tof bare reader\tof bare JetStream\tCPU µs/message\thub's\tNATS's\tbusy\tall busy\tpeak RSS MiB\t\n")
	for _, name := range runs {
		m := middle(rounds[name])
		fmt.Fprintf(out, "%s\t%.0f\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t%.0f%%\t%.0f%%\t%.0f\t\n", name, float64(*floodMessages)/m.took.Seconds(),
			m.ofReader, m.ofJetStream, each(m.cpu), each(m.hub), each(m.server), m.share(m.cpu), m.share(m.cpu+m.hub+m.server), float64(m.peak)/(1<<20))
	}
	_ = out.Flush() // into memory
	reader, ingest := middle(rounds[bareReader]), middle(rounds[ingestRun])
	if busy := reader.share(reader.cpu); busy < 80 {
		fmt.Fprintf(&text, "\nThe bare reader was busy for %.0f%% of its time: the hub limits it, not itself.\n", busy)
	}
	if used := ingest.share(ingest.cpu + ingest.hub + ingest.server); used > 90*float64(runtime.NumCPU()) {
		fmt.Fprintf(&text, "\nIngest, hub and NATS together used %.0f%% of %d CPUs: the machine limits ingest.\n", used, runtime.NumCPU())
	}
	if relay := middle(rounds[bareRelay]); ingest.ofReader < wantOfReader {
		fmt.Fprintf(&text, "\nBELOW WHAT IS WANTED: ingest sustains %.2f of what the bare reader does, and %.2f of what the bare relay does; wanted of the reader is %.2f.\n",
			ingest.ofReader, relay.took.Seconds()/ingest.took.Seconds(), wantOfReader)
	}
	for _, name := range runs {
		if m := middle(rounds[name]); strings.HasPrefix(name, ingestRun) && m.peak > wantPeak {
			fmt.Fprintf(&text, "\nABOVE WHAT IS WANTED: %q took %d MiB; wanted is at most %d.\n", name, m.peak>>20, wantPeak>>20)
		}
	}
	fmt.Println(text.String())
	for _, name := range runs {
		all, run := rounds[name], strings.TrimSpace(name)
		tell("ingest", run, "messages", "/s", all, func(c cost) float64 { return float64(*floodMessages) / c.took.Seconds() })
		tell("ingest", run, "of bare reader", "ratio", all, func(c cost) float64 { return c.ofReader })
		tell("ingest", run, "of bare JetStream", "ratio", all, func(c cost) float64 { return c.ofJetStream })
		tell("ingest", run, "CPU", "µs/message", all, func(c cost) float64 { return each(c.cpu) })
		tell("ingest", run, "peak RSS", "MiB", all, func(c cost) float64 { return float64(c.peak) / (1 << 20) })
	}
	b.ReportMetric(ingest.ofReader, "of-reader")
	b.ReportMetric(each(ingest.cpu), "CPU-µs/message")
	b.ReportMetric(0, "ns/op") // how long everything took says nothing
}

// middle is the median of each figure.
func middle(rounds []cost) cost {
	return cost{
		took: median(rounds, func(c cost) time.Duration { return c.took }), cpu: median(rounds, func(c cost) time.Duration { return c.cpu }),
		hub: median(rounds, func(c cost) time.Duration { return c.hub }), server: median(rounds, func(c cost) time.Duration { return c.server }),
		peak:     median(rounds, func(c cost) int64 { return c.peak }),
		ofReader: median(rounds, func(c cost) float64 { return c.ofReader }), ofJetStream: median(rounds, func(c cost) float64 { return c.ofJetStream }),
	}
}

func median[C any, T cmp.Ordered](rounds []C, of func(C) T) T {
	var values []T
	for _, c := range rounds {
		values = append(values, of(c))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// each is the time for one message, in microseconds.
func each(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(*floodMessages) }

// share is what part of the run a CPU time is, in percent of one CPU.
func (c cost) share(cpu time.Duration) float64 { return 100 * cpu.Seconds() / c.took.Seconds() }
