// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// reportFolding prints the medians, and what they mean.
func reportFolding(b *testing.B, flooded, paced map[string][]folding, share float64) {
	b.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "\n%d raw events, %.2f call events for each, %d partitions, median of %d rounds, %d CPUs; every call event was stored\n\n",
		*foldEvents, share, foldPartitions, *foldRounds, runtime.NumCPU())
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "\tevents/s\tof bare relay\tof watermill\tCPU µs/event\tNATS's\tall busy\tallocations/event\tB/event\tpeak RSS MiB\t\n")
	events := float64(*foldEvents)
	for _, name := range foldRuns {
		m := middleFolding(flooded[name])
		fmt.Fprintf(out, "%s\t%.0f\t%.2f\t%.2f\t%.1f\t%.1f\t%.0f%%\t%s\t%s\t%.0f\t\n", name, events/m.took.Seconds(), m.ofRelay, m.ofMill,
			float64(m.cpu.Microseconds())/events, float64(m.server.Microseconds())/events, 100*(m.cpu+m.server).Seconds()/m.took.Seconds(),
			told(m.allocs/events), told(m.bytes/events), float64(m.peak)/(1<<20))
	}
	_ = out.Flush() // into memory
	fmt.Fprintf(&text, "\nfrom a raw event being stored to its call event being stored, at %d events/s\n\n", *foldPace)
	fmt.Fprint(out, "\tp50 ms\tp99 ms\tp50 of relay's\tp99 of relay's\t\n")
	for _, name := range []string{foldRelay, foldRun} {
		m := middleFolding(paced[name])
		fmt.Fprintf(out, "%s\t%.3f\t%.3f\t%.2f\t%.2f\t\n", name, 1000*m.p50.Seconds(), 1000*m.p99.Seconds(), m.overP50, m.overP99)
	}
	_ = out.Flush()
	transform, late := middleFolding(flooded[foldRun]), middleFolding(paced[foldRun])
	if transform.ofRelay < wantOfRelay {
		fmt.Fprintf(&text, "\nBELOW WHAT IS WANTED: transform sustains %.2f of what the bare relay does; wanted is %.2f.\n", transform.ofRelay, wantOfRelay)
	}
	if transform.ofMill < wantOfMill {
		fmt.Fprintf(&text, "\nBELOW WHAT IS WANTED: transform sustains %.2f times what watermill does; wanted is %.1f.\n", transform.ofMill, wantOfMill)
	}
	if late.overP50 > wantLatency {
		fmt.Fprintf(&text, "\nABOVE WHAT IS WANTED: half of the call events take %.2f times as long as the relay's; wanted is at most %.1f.\n", late.overP50, wantLatency)
	}
	fmt.Println(text.String())
	tellFolding(flooded, paced)
	b.ReportMetric(transform.ofRelay, "of-relay")
	b.ReportMetric(float64(transform.cpu.Microseconds())/events, "CPU-µs/event")
	b.ReportMetric(late.overP50, "p50-of-relay's")
	b.ReportMetric(0, "ns/op") // how long everything took says nothing
}

// tellFolding keeps what was measured.
func tellFolding(flooded, paced map[string][]folding) {
	events := float64(*foldEvents)
	each := func(of func(folding) time.Duration) func(folding) float64 {
		return func(c folding) float64 { return float64(of(c).Nanoseconds()) / 1000 / events }
	}
	for _, name := range foldRuns {
		rounds, run := flooded[name], strings.TrimSpace(name)
		tell("transform", run, "events", "/s", rounds, func(c folding) float64 { return events / c.took.Seconds() })
		tell("transform", run, "of bare relay", "ratio", rounds, func(c folding) float64 { return c.ofRelay })
		tell("transform", run, "of watermill", "ratio", rounds, func(c folding) float64 { return c.ofMill })
		tell("transform", run, "CPU", "µs/event", rounds, each(func(c folding) time.Duration { return c.cpu }))
		tell("transform", run, "CPU of NATS", "µs/event", rounds, each(func(c folding) time.Duration { return c.server }))
		tell("transform", run, "peak RSS", "MiB", rounds, func(c folding) float64 { return float64(c.peak) / (1 << 20) })
		if rounds[0].allocs > 0 {
			tell("transform", run, "allocations", "/event", rounds, func(c folding) float64 { return c.allocs / events })
		}
	}
	for _, name := range []string{foldRelay, foldRun} {
		rounds := paced[name]
		tell("latency of transform", name, "p50", "ms", rounds, func(c folding) float64 { return milliseconds(c.p50) })
		tell("latency of transform", name, "p99", "ms", rounds, func(c folding) float64 { return milliseconds(c.p99) })
		tell("latency of transform", name, "p50 of bare relay's", "ratio", rounds, func(c folding) float64 { return c.overP50 })
		tell("latency of transform", name, "p99 of bare relay's", "ratio", rounds, func(c folding) float64 { return c.overP99 })
	}
}

// reportKilled prints in what the logs differ from the reference. That transform's
// do is a failure.
func reportKilled(b *testing.B, differ map[string]divergence) {
	b.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "\ncall events after %d kill -9, compared with the reference fold\n\n", *foldKills)
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "\tlost\tadded\tchanged\tdoubled\treordered\t\n")
	for _, name := range []string{foldRun, foldMill, foldIDs} {
		d, made := differ[name]
		if !made {
			continue
		}
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%d\t\n", name, d.lost, d.added, d.changed, d.doubled, d.reordered)
		once, run := []divergence{d}, strings.TrimSpace(name)
		tell("after kill -9", run, "lost", "events", once, func(d divergence) float64 { return float64(d.lost) })
		tell("after kill -9", run, "added", "events", once, func(d divergence) float64 { return float64(d.added) })
		tell("after kill -9", run, "changed", "events", once, func(d divergence) float64 { return float64(d.changed) })
		tell("after kill -9", run, "doubled", "events", once, func(d divergence) float64 { return float64(d.doubled) })
		tell("after kill -9", run, "reordered", "events", once, func(d divergence) float64 { return float64(d.reordered) })
	}
	_ = out.Flush() // into memory
	fmt.Println(text.String())
	if differ[foldRun] != (divergence{}) {
		b.Errorf("after %d kill -9 the logs of transform differ from the reference: %+v", *foldKills, differ[foldRun])
	}
}

// told is a figure, and nothing where there is none.
func told(figure float64) string {
	if figure == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", figure)
}

// middleFolding is the median of each figure.
func middleFolding(rounds []folding) folding {
	span := func(of func(folding) time.Duration) time.Duration { return median(rounds, of) }
	ratio := func(of func(folding) float64) float64 { return median(rounds, of) }
	return folding{
		took: span(func(c folding) time.Duration { return c.took }), cpu: span(func(c folding) time.Duration { return c.cpu }),
		server: span(func(c folding) time.Duration { return c.server }), p50: span(func(c folding) time.Duration { return c.p50 }),
		p99: span(func(c folding) time.Duration { return c.p99 }), peak: median(rounds, func(c folding) int64 { return c.peak }),
		allocs: ratio(func(c folding) float64 { return c.allocs }), bytes: ratio(func(c folding) float64 { return c.bytes }),
		ofRelay: ratio(func(c folding) float64 { return c.ofRelay }),
		overP50: ratio(func(c folding) float64 { return c.overP50 }), overP99: ratio(func(c folding) float64 { return c.overP99 }),
		ofMill: ratio(func(c folding) float64 { return c.ofMill }),
	}
}
