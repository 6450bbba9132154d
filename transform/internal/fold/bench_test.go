package fold

import (
	"flag"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

var benchCalls = flag.Int("fold.calls", 100_000, "how many calls are open, or remembered, when their memory is measured")

// Messages of an office in which 500 calls are under way, 500 events a second.
const (
	benchUnderWay = 500
	benchSpacing  = 2 * time.Millisecond
)

// office makes so many messages of one partition.
func office(n int) []bus.Message {
	o := bustest.NewOffice(1, 400, 1)
	all := make([]bus.Message, n)
	for i := range all {
		all[i] = o.Next(start.Add(time.Duration(i)*benchSpacing), benchUnderWay)
		all[i].Seq = uint64(i + 1)
	}
	return all
}

// rate tells how many events went through in a second.
func rate(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkDecode(b *testing.B) {
	messages := office(10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := Decode(messages[i%len(messages)]); err != nil {
			b.Fatal(err)
		}
	}
	rate(b)
}

// BenchmarkStep folds what is decoded already: the rate of the machine alone.
func BenchmarkStep(b *testing.B) {
	inputs := decoded(b, office(200_000))
	f := New(call.DefaultLimits())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(inputs) == 0 {
			f = New(call.DefaultLimits())
		}
		f.Step(inputs[i%len(inputs)])
	}
	rate(b)
}

// BenchmarkRefold is what a replica computes that takes a partition over:
// messages in, and nothing to append.
func BenchmarkRefold(b *testing.B) {
	messages := office(200_000)
	f := New(call.DefaultLimits())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(messages) == 0 {
			f = New(call.DefaultLimits())
		}
		in, err := Decode(messages[i%len(messages)])
		if err != nil {
			b.Fatal(err)
		}
		f.Step(in)
	}
	rate(b)
}

func decoded(b *testing.B, messages []bus.Message) []Input {
	b.Helper()
	inputs := make([]Input, len(messages))
	for i, m := range messages {
		var err error
		if inputs[i], err = Decode(m); err != nil {
			b.Fatal(err)
		}
	}
	return inputs
}

func BenchmarkEncode(b *testing.B) {
	var outputs []Output
	f := New(call.DefaultLimits())
	for _, in := range decoded(b, office(10_000)) {
		outputs = append(outputs, f.Step(in).Outputs...)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := Encode(outputs[i%len(outputs)]); err != nil {
			b.Fatal(err)
		}
	}
	rate(b)
}

// BenchmarkMemory says what a call takes in memory and in a snapshot: one in the
// middle of its life, one that is over and remembered, one that is forgotten.
func BenchmarkMemory(b *testing.B) {
	for _, kind := range []string{"open", "closed", "forgotten"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				memory(b, kind)
			}
		})
	}
}

func memory(b *testing.B, kind string) {
	b.Helper()
	o, before := bustest.NewOffice(1, 10_000, 1), inUse()
	f := New(call.DefaultLimits())
	seq, at := uint64(0), start
	step := func(in Input) {
		seq++
		in.Seq, in.Stored = seq, at
		f.Step(in)
	}
	for n := range *benchCalls {
		life := whole(b, o.Call())
		if kind == "open" {
			life = middle(life, n)
		}
		for _, in := range life {
			step(in)
		}
	}
	if kind != "open" {
		at = at.Add(time.Minute) // all is settled
		step(Input{})
	}
	if kind == "forgotten" {
		at = at.Add(time.Hour)
		step(Input{})
	}
	want := map[string][2]int{"open": {*benchCalls, *benchCalls}, "closed": {0, *benchCalls}, "forgotten": {0, 0}}[kind]
	if got := [2]int{f.Open(), f.Known()}; got != want {
		b.Fatalf("%v calls are open and known, want %v", got, want)
	}
	begun := time.Now()
	step(Input{Feed: &event.Feed{Instance: "a", Type: event.Heartbeat, Live: true, At: at}})
	b.ReportMetric(float64(time.Since(begun).Microseconds())/1000, "ms-a-heartbeat")
	each := func(what string, bytes int) { b.ReportMetric(float64(bytes)/float64(*benchCalls), what) }
	each("B/call", inUse()-before)
	begun = time.Now()
	snapshot, err := f.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	saved := time.Now()
	if _, _, err := Restore(call.DefaultLimits(), snapshot); err != nil {
		b.Fatal(err)
	}
	each("snapshot-B/call", len(snapshot))
	b.ReportMetric(float64(saved.Sub(begun).Milliseconds()), "ms-to-save")
	b.ReportMetric(float64(time.Since(saved).Milliseconds()), "ms-to-restore")
	runtime.KeepAlive(f)
}

// whole are all messages of a call.
func whole(b *testing.B, c *bustest.OfficeCall) (life []Input) {
	b.Helper()
	for c.Left() > 0 {
		in, err := Decode(c.Next(start))
		if err != nil {
			b.Fatal(err)
		}
		life = append(life, in)
	}
	return life
}

// middle cuts the n-th call off somewhere before its end.
func middle(life []Input, n int) []Input {
	end := slices.IndexFunc(life, func(in Input) bool { return strings.HasSuffix(in.Raw.EventType, "Disconnected") })
	return life[:1+n%end]
}

// inUse is what is on the heap and still needed.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
