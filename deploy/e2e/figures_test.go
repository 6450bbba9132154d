package e2e

import (
	"encoding/json"
	"flag"
	"os"
	"time"
)

var figuresFile = flag.String("figures", "", "where the benchmarks write what they measured, round by round, as JSON")

// figure is what was measured of one run, in each round. deploy/bench makes
// tables and plots of them.
type figure struct {
	Of     string    `json:"of"`  // what is measured
	Run    string    `json:"run"` // by whom
	At     float64   `json:"at"`  // of a curve: at which rate or size
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Rounds []float64 `json:"rounds"`
}

var gathered []figure

// tell keeps a figure of every round.
func tell[C any](of, run, name, unit string, rounds []C, value func(C) float64) {
	tellAt(of, run, 0, name, unit, rounds, value)
}

func tellAt[C any](of, run string, at float64, name, unit string, rounds []C, value func(C) float64) {
	f := figure{Of: of, Run: run, At: at, Name: name, Unit: unit}
	for _, r := range rounds {
		f.Rounds = append(f.Rounds, value(r))
	}
	gathered = append(gathered, f)
}

// writeFigures writes what was told, if somebody wants it.
func writeFigures() error {
	if *figuresFile == "" || len(gathered) == 0 {
		return nil
	}
	b, err := json.MarshalIndent(gathered, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(*figuresFile, append(b, '\n'), 0o600)
}

func milliseconds(d time.Duration) float64 { return 1000 * d.Seconds() }
