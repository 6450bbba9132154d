// The account of CPU time is that of Linux.

//go:build linux

package e2e

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strconv"
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
	replayEvents = flag.Int("replay.events", 100_000, "how many raw events are in RTE when replay is measured")
	replayRounds = flag.Int("replay.rounds", 3, "how often RTE is read and folded again; the median counts")
	replayAsked  = flag.Int("replay.asked", 20, "how often explain is asked about each call")
)

// What the raw events are of: 500 of them a second, of 500 calls at a time.
const (
	replayUsers    = 400
	replayUnderWay = 500
	replaySpacing  = 2 * time.Millisecond
)

// asRereader is what replay run is compared with: the test binary, which reads
// all of RTE by an ordered consumer and looks at nothing.
const (
	asRereader  = "E2E_REREADS_RTE"
	rereadsThis = "E2E_REREADS"
)

func rereadBare(url string) {
	events, err := strconv.Atoi(os.Getenv(rereadsThis))
	must(err)
	nc, err := nats.Connect(url)
	must(err)
	js, err := jetstream.New(nc)
	must(err)
	c, err := js.OrderedConsumer(context.Background(), topology.RTE, jetstream.OrderedConsumerConfig{})
	must(err)
	messages, err := c.Messages()
	must(err)
	for range events {
		_, err := messages.Next()
		must(err)
	}
}

// BenchmarkReplay says how long an answer about a call takes in a large RTE, each
// event of which has a subject of its own, and how fast all of RTE is folded
// again, as a ratio to a bare reader. Everything is a process, measured from its
// start to its end, with all that it prints. Slow is no failure.
func BenchmarkReplay(b *testing.B) {
	w := emptyWorld(b)
	calls := w.history(b)
	w.startBus() // it has read nothing yet
	w.eventually(10*time.Minute, "NATS", w.answers)
	for i, which := range []string{"first", "middle", "last"} {
		b.Run("explain/"+which, func(b *testing.B) { w.explains(b, calls[i]) })
	}
	w.rereads(b, calls[2])
}

// history fills RTE, and names a call of its beginning, its middle and its end.
func (w *world) history(b *testing.B) (calls [3]string) {
	b.Helper()
	s := bustest.RunIn(b, w.store())
	began := time.Now()
	s.Restore(s.Provisioned(foldPartitions), topology.RTE, past(*replayEvents, &calls))
	s.Stop()
	b.Logf("%d events in RTE within %v", *replayEvents, time.Since(began).Round(time.Second))
	return calls
}

func past(events int, calls *[3]string) iter.Seq[bus.Message] {
	return func(yield func(bus.Message) bool) {
		office := bustest.NewOffice(1, replayUsers, foldPartitions)
		at := time.Now().Add(-time.Hour - time.Duration(events)*replaySpacing).UTC()
		for n := range events {
			m := office.Next(at.Add(time.Duration(n)*replaySpacing), replayUnderWay)
			m.Seq = uint64(n + 1)
			if i := slices.Index([]int{0, events / 2, events - 1}, n); i >= 0 {
				calls[i] = m.Header.Get("ce-subject")
			}
			if !yield(m) {
				return
			}
		}
	}
}

func (w *world) answers() bool {
	nc, err := nats.Connect(w.nats.url)
	if err != nil {
		return false
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.Stream(w.t.Context(), topology.RTE)
	}
	return err == nil
}

// expense is what a run took.
type expense struct{ took, cpu time.Duration }

// ran runs replay, or the bare reader if there are no arguments.
func (w *world) ran(args ...string) (s expense, err error) {
	binary, env := binaries+"/replay", "NATS_URL="+w.nats.url
	if len(args) == 0 {
		if binary, err = os.Executable(); err != nil {
			return s, err
		}
		env = asRereader + "=" + w.nats.url
	}
	cmd := exec.CommandContext(w.t.Context(), binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), env, rereadsThis + "=" + strconv.Itoa(*replayEvents)}
	var said strings.Builder
	cmd.Stderr = &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return expense{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// explains asks about one call again and again.
func (w *world) explains(b *testing.B, call string) {
	b.Helper()
	var all []time.Duration
	for range *replayAsked + 1 {
		s, err := w.ran("explain", "call", call)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, s.took)
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(all[0]), "ms-first")
	b.ReportMetric(ms(medianOf(all[1:])), "ms-median")
	b.ReportMetric(ms(slices.Max(all)), "ms-worst")
}

// rereads lets each in turn go through all of RTE.
func (w *world) rereads(b *testing.B, call string) {
	b.Helper()
	runs := []struct {
		name string
		args []string
	}{{name: "bare"}, {"run", []string{"run", "--call", call}}, {"run-json", []string{"run", "-o", "json"}}}
	took, cpu := map[string][]time.Duration{}, map[string][]time.Duration{}
	for range *replayRounds {
		for _, r := range runs {
			server := w.nats.cpu()
			s, err := w.ran(r.args...)
			if err != nil {
				b.Fatal(err)
			}
			took[r.name] = append(took[r.name], s.took)
			cpu[r.name] = append(cpu[r.name], s.cpu+w.nats.cpu()-server)
		}
	}
	for _, r := range runs {
		tell("replay", r.name, "events", "/s", took[r.name], func(d time.Duration) float64 { return float64(*replayEvents) / d.Seconds() })
		tell("replay", r.name, "CPU with NATS", "µs/event", cpu[r.name], func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(*replayEvents) })
		b.Run(r.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(*replayEvents)/medianOf(took[r.name]).Seconds(), "events/s")
			b.ReportMetric(medianOf(took["bare"]).Seconds()/medianOf(took[r.name]).Seconds(), "of-bare")
			b.ReportMetric(float64(medianOf(cpu[r.name]).Nanoseconds())/1000/float64(*replayEvents), "µs-cpu/event")
		})
	}
}

func medianOf[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
