package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// figure is what was measured of one run, in each round.
type figure struct {
	Of     string    `json:"of"`
	Run    string    `json:"run"`
	At     float64   `json:"at,omitempty"` // of a curve: at which rate or size
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Rounds []float64 `json:"rounds"`
}

// The subjects in the order of the page; what is not here comes at its end.
var subjects = []string{"ingest", "transform", "after kill -9", "latency of transform", foldOnly, "replay", "ring to POST"}

func rank(of string) int {
	for i, s := range subjects {
		if strings.HasPrefix(of, s) {
			return i
		}
	}
	return len(subjects)
}

func (f figure) median() float64 {
	if len(f.Rounds) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(f.Rounds))[len(f.Rounds)/2]
}

// String is the median, and from where to where the rounds went.
func (f figure) String() string {
	if len(f.Rounds) < 2 {
		return short(f.median())
	}
	return fmt.Sprintf("%s (%s–%s)", short(f.median()), short(slices.Min(f.Rounds)), short(slices.Max(f.Rounds)))
}

// short has three digits that say something.
func short(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// foldOnly is what is measured without any process: package fold.
const foldOnly = "the fold alone"

// printed reads what go test -bench prints. Lines of the same benchmark are its rounds.
func printed(text string) (all []figure) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		run := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndex(run, "-"); i > 0 {
			run = run[:i] // without the number of processors
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			all = join(all, figure{Of: foldOnly, Run: run, Name: fields[i+1], Rounds: []float64{value}})
		}
	}
	return all
}

func join(all []figure, f figure) []figure {
	for i, other := range all {
		if other.Of == f.Of && other.Run == f.Run && other.Name == f.Name {
			all[i].Rounds = append(other.Rounds, f.Rounds...)
			return all
		}
	}
	return append(all, f)
}
