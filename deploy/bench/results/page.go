package main

import (
	"fmt"
	"slices"
	"strings"
)

// explanations say of a table what its reader must know.
var explanations = map[string]string{
	"ingest":                  "One ingest is flooded by a hub. The bare reader throws away what it reads of the same hub, bare JetStream is a publisher of the same messages, the bare relay both.",
	"transform":               "All of a filled `RTE` is folded. The bare relay reads the same by an ordered consumer with the two filters of a partition and appends as much, and knows nothing of it; once more it reads as transform does, each filter by itself until it is near the end. watermill runs the same fold in a handler a partition, acknowledges asynchronously and publishes as watermill does: one message, one answer. When it starts it folds again what was acknowledged.",
	"after kill -9":           "Call events that differ from those of an undisturbed transform, after each was killed with kill -9 at even distances. \"with ids\" has call events carry their ids as `Nats-Msg-Id`, so that the server refuses what it has.",
	"latency of transform":    "From a raw event being stored to its call event being stored, at a steady pace.",
	foldOnly:                  "`transform/internal/fold` in one process, without NATS.",
	"replay":                  "Whole processes that go through all of `RTE`.",
	"ring to POST by rate":    "From the hub making a ringing event to its POST having been read, at so many raw events a second, without the CRM's limits. A call lasts 160 ms. Where half ring later, the machine cannot carry the rate, and the figure is that of a queue that grows and of the calls that were shown before they had ended; \"rung\" is their share.",
	"cost by users":           sizes,
	"cost by calls under way": sizes,
	"cost by partitions":      sizes,
}

const sizes = "What an event costs transform and NATS as one size grows and the others stay."

// page is RESULTS.md.
func page(r results, plots map[string]string) string {
	var out strings.Builder
	m := r.Machine
	fmt.Fprint(&out, "# Results\n\nWritten by `make bench`; do not edit. Medians of the rounds, with the least and the most of them; a quantile that the calls of one round are too few for is of all rounds together. Ratios are of runs a minute apart on one machine; rates and times are that machine's. [results.json](results.json) has every round.\n\n")
	fmt.Fprintf(&out, "| | |\n|---|---|\n| measured | %s |\n| ringstream | %s |\n| Go | %s |\n| NATS | %s |\n| watermill | %s |\n| CPU | %d × %s |\n| memory | %s |\n| kernel | %s |\n| waiting for the CPUs | %s |\n",
		m.Measured, m.Ringstream, m.Go, m.NATS, m.Watermill, m.CPUs, m.CPU, m.Memory, m.Kernel, m.Load)
	for _, of := range distinct(r.Figures, func(f figure) string { return f.Of }) {
		fmt.Fprintf(&out, "\n## %s\n\n", strings.ToUpper(of[:1])+of[1:])
		if text := explanations[of]; text != "" {
			fmt.Fprintf(&out, "%s\n\n", text)
		}
		table(&out, of, r.Figures)
		if plot := plots[of]; plot != "" {
			fmt.Fprintf(&out, "\n![%s](%s)\n", of, plot)
		}
	}
	return out.String()
}

// table has a line for each run, and each size of a curve, and a column for each figure.
func table(out *strings.Builder, of string, all []figure) {
	all = slices.DeleteFunc(slices.Clone(all), func(f figure) bool { return f.Of != of })
	columns := distinct(all, column)
	if n := len(all[0].Rounds); n == 1 {
		fmt.Fprint(out, "One round, which says nothing of a spread.\n\n")
	} else {
		fmt.Fprintf(out, "%d rounds.\n\n", n)
	}
	fmt.Fprintf(out, "| | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)))
	for _, line := range distinct(all, line) {
		fmt.Fprintf(out, "| %s |", line)
		for _, c := range columns {
			fmt.Fprintf(out, " %s |", cell(all, line, c))
		}
		fmt.Fprintln(out)
	}
}

func cell(all []figure, in, under string) string {
	for _, f := range all {
		if line(f) == in && column(f) == under {
			return f.String()
		}
	}
	return ""
}

func column(f figure) string {
	switch f.Unit {
	case "", "ratio":
		return f.Name
	}
	return f.Name + ", " + f.Unit
}

func line(f figure) string {
	if f.At == 0 {
		return f.Run
	}
	return fmt.Sprintf("%s, %s", f.Run, short(f.At))
}

// distinct are the different values, in the order in which they come.
func distinct(all []figure, of func(figure) string) (values []string) {
	for _, f := range all {
		if v := of(f); !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}
