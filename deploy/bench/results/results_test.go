package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrintedBenchmarksAreFigures(t *testing.T) {
	got := printed("goos: linux\nBenchmarkStep-2   \t  100\t  6000 ns/op\t 167000 events/s\nBenchmarkStep-2   \t  100\t  6200 ns/op\t 160000 events/s\nPASS\n")
	if len(got) != 2 || got[0].Run != "Step" || got[0].Name != "ns/op" || len(got[0].Rounds) != 2 || got[1].Rounds[1] != 160000 {
		t.Errorf("%+v", got)
	}
}

func TestFigureSaysItsSpread(t *testing.T) {
	for want, rounds := range map[string][]float64{"0.82 (0.75–0.90)": {0.9, 0.75, 0.8234}, "7100": {7100.4}, "0": {0}, "45.2 (45.2–119)": {119.3, 45.2, 45.2}} {
		if got := (figure{Rounds: rounds}).String(); got != want {
			t.Errorf("%v: %s, want %s", rounds, got, want)
		}
	}
}

func TestResultsAreWritten(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	b, err := json.Marshal([]figure{
		{Of: "cost by users", Run: "transform", At: 40, Name: "CPU", Unit: "µs/event", Rounds: []float64{100, 110, 90}},
		{Of: "cost by users", Run: "transform", At: 400, Name: "CPU", Unit: "µs/event", Rounds: []float64{100}},
		{Of: "transform", Run: "bare relay", Name: "events", Unit: "/s", Rounds: []float64{9000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "fold.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(from, to, "v1"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(to, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| ringstream | v1 |", "| transform, 40 | 100 (90–110) |", "![cost by users](cost-by-users.svg)", "| bare relay | 9000 |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Index(string(text), "## Transform") > strings.Index(string(text), "## Cost") {
		t.Error("the cost curves come before transform")
	}
	if svg, err := os.ReadFile(filepath.Join(to, "cost-by-users.svg")); err != nil || !strings.Contains(string(svg), "<svg") {
		t.Errorf("no plot: %v", err)
	}
	var r results
	if b, err = os.ReadFile(filepath.Join(to, "results.json")); err != nil || json.Unmarshal(b, &r) != nil || len(r.Figures) != 3 {
		t.Errorf("results.json: %v %s", err, b)
	}
	if err := run(t.TempDir(), to, "v1"); err == nil {
		t.Error("results of nothing")
	}
}

// What was measured again is compared round for round, and nothing else is.
func TestRepeatedRatiosAreCompared(t *testing.T) {
	ratio := func(run string, rounds ...float64) figure {
		return figure{Of: "transform", Run: run, Name: "of bare relay", Unit: "ratio", Rounds: rounds}
	}
	before := []figure{
		ratio("bare relay", 1, 1), ratio("transform", 0.7, 0.8), ratio("watermill", 0.3, 0.4), ratio("once", 0.5),
		{Of: "transform", Run: "transform", Name: "events", Unit: "/s", Rounds: []float64{1, 2}},
	}
	now := []figure{
		ratio("bare relay", 1, 1), ratio("transform", 0.9, 0.8), ratio("watermill", 0.5, 0.41), ratio("once", 0.9, 0.8), ratio("another", 0.1, 0.2),
		{Of: "transform", Run: "transform", Name: "events", Unit: "/s", Rounds: []float64{3, 4}},
	}
	want := "1 of 2 ratios lie within the spread of the earlier results\ntransform, watermill, of bare relay: 0.50 (0.41–0.50), was 0.40 (0.30–0.40)\n"
	if got := repeated(before, now); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := repeated(nil, now); got != "" {
		t.Errorf("compared with nothing: %s", got)
	}
}

func TestEarlierResultsThatCannotBeReadAreKept(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	earlier := filepath.Join(to, "results.json")
	for name, text := range map[string]string{filepath.Join(from, "a.json"): `[{"of":"transform","run":"transform","name":"events","rounds":[1]}]`, earlier: "not JSON"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(from, to, "v1"); err == nil || !strings.Contains(err.Error(), "earlier results") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(earlier); string(b) != "not JSON" {
		t.Errorf("overwritten with %s", b)
	}
}
