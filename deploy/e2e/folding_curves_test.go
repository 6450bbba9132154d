// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"testing"
)

var foldHundred = flag.Bool("fold.hundred", false, "measure the cost with 100 partitions too: as many streams take a small machine minutes")

func curvePartitions() []int {
	if *foldHundred {
		return []int{1, 10, 100}
	}
	return []int{1, 10}
}

// BenchmarkCurves says what an event costs transform and NATS as what it is of
// grows: users and calls under way a hundredfold, partitions tenfold. Flat is good; slow is no failure.
func BenchmarkCurves(b *testing.B) {
	curves := []struct {
		of    string
		at    func(c *workload) *int
		sizes []int
	}{
		{"users", func(c *workload) *int { return &c.users }, []int{40, 400, 4000}},
		{"calls under way", func(c *workload) *int { return &c.underWay }, []int{50, 500, 5000}},
		{"partitions", func(c *workload) *int { return &c.partitions }, curvePartitions()},
	}
	for _, curve := range curves {
		for _, n := range curve.sizes {
			c := foldLoad
			size := curve.at(&c)
			*size = n
			b.Run(fmt.Sprintf("%s/%d", curve.of, *size), func(b *testing.B) { costs(b, curve.of, *size, c) })
		}
	}
}

// costs lets transform fold what such a workload leaves in RTE.
func costs(b *testing.B, of string, size int, c workload) {
	b.Helper()
	f := newFolder(b, c)
	defer f.nats.kill()
	f.publish(*foldEvents, 0)
	want := f.learn()
	var rounds []folding
	for range *foldRounds {
		rounds = append(rounds, f.floods(f.folds()))
		f.complete(want)
	}
	events := float64(*foldEvents)
	curve := "cost by " + of
	tellAt(curve, foldRun, float64(size), "CPU", "µs/event", rounds, func(c folding) float64 { return float64(c.cpu.Nanoseconds()) / 1000 / events })
	tellAt(curve, foldRun, float64(size), "CPU of NATS", "µs/event", rounds, func(c folding) float64 { return float64(c.server.Nanoseconds()) / 1000 / events })
	tellAt(curve, foldRun, float64(size), "events", "/s", rounds, func(c folding) float64 { return events / c.took.Seconds() })
	tellAt(curve, foldRun, float64(size), "peak RSS", "MiB", rounds, func(c folding) float64 { return float64(c.peak) / (1 << 20) })
	m := middleFolding(rounds)
	b.ReportMetric(float64(m.cpu.Microseconds())/events, "CPU-µs/event")
	b.ReportMetric(float64(m.server.Microseconds())/events, "NATS-µs/event")
	b.ReportMetric(events/m.took.Seconds(), "events/s")
	b.ReportMetric(0, "ns/op") // how long everything took says nothing
}
