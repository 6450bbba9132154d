// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// reportRinging prints the medians, and what they mean.
func reportRinging(b *testing.B, atOnce, single map[string][]ringing) {
	b.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "\nfrom a ringing event being made at the hub to its POST having been received; median of %d rounds, %d CPUs; every ring was POSTed once\n",
		*ringRounds, runtime.NumCPU())
	fmt.Fprintf(&text, "\n%d calls ring at once every second, %d times; each is answered and ended in the seconds behind it\n\n", *ringCalls, *ringBursts)
	tellRinging(&text, atOnce, ringBare, ringRun)
	fmt.Fprintf(&text, "\none call rings every %v, %d times\n\n", singlePeriod, *ringSingle)
	tellRinging(&text, single, ringBare, ringRun, ringLimited)
	fmt.Fprintf(&text, "\nCPU of %d at once, ms for each call of three events\n\n", *ringCalls)
	for _, name := range []string{ringBare, ringRun} {
		tellCPU(&text, name, atOnce[name])
	}
	many := middleRinging(atOnce[ringRun])
	late := pooled(atOnce[ringRun]).at(0.99)
	if many.of > wantRingP50 {
		fmt.Fprintf(&text, "\nABOVE WHAT IS WANTED: of %d calls at once, half ring %.2f times as late as by the bare relay; wanted is at most %.0f times.\n", *ringCalls, many.of, wantRingP50)
	}
	if late > wantRingP99 {
		fmt.Fprintf(&text, "\nABOVE WHAT IS WANTED: 99 of 100 calls at once ring within %v; wanted is %v.\n", late.Round(time.Millisecond), wantRingP99)
	}
	if limited := middleRinging(single[ringLimited]); limited.of > wantRingP50 {
		fmt.Fprintf(&text, "\nABOVE WHAT IS WANTED: one at a time within Reapit's limits, half ring %.2f times as late as by the bare relay; wanted is at most %.0f times.\n", limited.of, wantRingP50)
	}
	fmt.Println(text.String())
	for _, name := range []string{ringBare, ringRun} {
		tellRings(fmt.Sprintf("ring to POST, %d at once", *ringCalls), name, 0, atOnce[name])
	}
	for _, name := range []string{ringBare, ringRun, ringLimited} {
		tellRings("ring to POST, one at a time", name, 0, single[name])
	}
	b.ReportMetric(many.of, "p50-of-relay's")
	b.ReportMetric(milliseconds(late), "p99-ms")
	b.ReportMetric(0, "ns/op") // how long everything took says nothing
}

func tellRinging(text *strings.Builder, runs map[string][]ringing, names ...string) {
	out := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "\tp50 ms\tfrom\tto\tp99 ms, all rounds\tp50 of relay's\tp99 of relay's\thub to RTE\tto log\tto CALLS\tto POST\t\n")
	for _, name := range names {
		m := middleRinging(runs[name])
		all := pooled(runs[name])
		fmt.Fprintf(out, "%s\t%s\t%s\t%.2f\t%.2f\t", name, spread(runs[name], func(r ringing) time.Duration { return r.at(0.5) }),
			inMS(all.at(0.99)), m.of, all.of(0.99))
		for _, hop := range m.hops {
			fmt.Fprintf(out, "%s\t", inMS(hop))
		}
		fmt.Fprintln(out)
	}
	_ = out.Flush() // into memory
}

// spread is the median, the least and the most.
func spread(rounds []ringing, of func(ringing) time.Duration) string {
	var all []time.Duration
	for _, r := range rounds {
		all = append(all, of(r))
	}
	return strings.Join([]string{inMS(median(rounds, of)), inMS(slices.Min(all)), inMS(slices.Max(all))}, "\t")
}

func inMS(d time.Duration) string { return fmt.Sprintf("%.2f", 1000*d.Seconds()) }

func tellCPU(text *strings.Builder, name string, rounds []ringing) {
	fmt.Fprintf(text, "%s:", name)
	all := 0.0
	for _, process := range slices.Sorted(maps.Keys(rounds[0].cpu)) {
		used := 1000 * median(rounds, func(r ringing) time.Duration { return r.cpu[process] }).Seconds()
		all += used
		fmt.Fprintf(text, " %s %.2f,", process, used)
	}
	fmt.Fprintf(text, " together %.2f\n", all)
}

// middling is the median of each figure.
type middling struct {
	p50      time.Duration
	of, rung float64
	hops     [4]time.Duration
}

func middleRinging(rounds []ringing) middling {
	m := middling{
		p50:  median(rounds, func(r ringing) time.Duration { return r.at(0.5) }),
		of:   median(rounds, func(r ringing) float64 { return r.of(0.5) }),
		rung: median(rounds, func(r ringing) float64 { return r.rung }),
	}
	for i := range m.hops {
		m.hops[i] = median(rounds, func(r ringing) time.Duration { return r.hops[i] })
	}
	return m
}

// pooled are the calls of all rounds.
func pooled(rounds []ringing) (all ringing) {
	for _, r := range rounds {
		all.took, all.bare = append(all.took, r.took...), append(all.bare, r.bare...)
	}
	slices.Sort(all.took)
	slices.Sort(all.bare)
	return all
}

// beyond is how many calls a quantile must leave behind it: that of fewer is the
// accident of one call.
const beyond = 3

// tellRings keeps what was measured: round by round, or, of a quantile that the
// calls of a round are too few for, of all rounds together.
func tellRings(of, run string, at float64, rounds []ringing) {
	for _, told := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}} {
		tellAt(of, run, at, told.name, "ms", enough(rounds, told.q), func(r ringing) float64 { return milliseconds(r.at(told.q)) })
	}
	tellAt(of, run, at, "p50 of bare relay's", "ratio", enough(rounds, 0.5), func(r ringing) float64 { return r.of(0.5) })
	tellAt(of, run, at, "p99 of bare relay's", "ratio", enough(rounds, 0.99), func(r ringing) float64 { return r.of(0.99) })
}

func enough(rounds []ringing, q float64) []ringing {
	for _, r := range rounds {
		if calls := min(len(r.took), len(r.bare)); calls-int(q*float64(calls)) < beyond {
			return []ringing{pooled(rounds)}
		}
	}
	return rounds
}
