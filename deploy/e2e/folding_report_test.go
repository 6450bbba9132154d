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
	fmt.Fprint(out, "\tevents/s\tof bare relay\tCPU µs/event\tNATS's\tall busy\tallocations/event\tB/event\tpeak RSS MiB\t\n")
	events := float64(*foldEvents)
	for _, name := range foldRuns {
		m := middleFolding(flooded[name])
		fmt.Fprintf(out, "%s\t%.0f\t%.2f\t%.1f\t%.1f\t%.0f%%\t%s\t%s\t%.0f\t\n", name, events/m.took.Seconds(), m.ofRelay,
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
	if late.overP50 > wantLatency {
		fmt.Fprintf(&text, "\nABOVE WHAT IS WANTED: half of the call events take %.2f times as long as the relay's; wanted is at most %.1f.\n", late.overP50, wantLatency)
	}
	fmt.Println(text.String())
	b.ReportMetric(transform.ofRelay, "of-relay")
	b.ReportMetric(float64(transform.cpu.Microseconds())/events, "CPU-µs/event")
	b.ReportMetric(late.overP50, "p50-of-relay's")
	b.ReportMetric(0, "ns/op") // how long everything took says nothing
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
	}
}
