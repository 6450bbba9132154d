package app

import (
	"slices"
	"testing"
	"time"
)

// That something is late is seen whatever the clocks differ by, and once.
func TestLatenessIsNoticedOnce(t *testing.T) {
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ahead time.Duration   // the clock
		by    []time.Duration // how late each is
		want  []bool
	}{
		"in time":             {0, []time.Duration{3 * time.Millisecond, 200 * time.Millisecond}, []bool{false, false}},
		"late":                {0, []time.Duration{3 * time.Millisecond, time.Second}, []bool{false, true}},
		"still late":          {0, []time.Duration{3 * time.Millisecond, time.Second, time.Second}, []bool{false, true, false}},
		"late again":          {0, []time.Duration{3 * time.Millisecond, time.Second, 0, time.Second}, []bool{false, true, false, true}},
		"by a clock ahead":    {2 * time.Second, []time.Duration{0, 100 * time.Millisecond, time.Second}, []bool{false, false, true}},
		"by a clock behind":   {-2 * time.Second, []time.Duration{0, 100 * time.Millisecond, time.Second}, []bool{false, false, true}},
		"late from the first": {0, []time.Duration{time.Second, 3 * time.Millisecond, time.Second}, []bool{false, false, true}},
	} {
		var l lateness
		var got []bool
		for i, by := range c.by {
			stored := start.Add(time.Duration(i) * time.Second)
			got = append(got, l.took(stored, stored.Add(by+c.ahead)))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Who comes nearer goes on until it is near, and who does not stops.
func TestApproachEnds(t *testing.T) {
	for name, c := range map[string]struct {
		took []time.Duration
		want []bool
	}{
		"soon near":        {[]time.Duration{19 * time.Millisecond}, []bool{true}},
		"nearer and near":  {[]time.Duration{2 * time.Second, 300 * time.Millisecond, 40 * time.Millisecond, 5 * time.Millisecond}, []bool{false, false, false, true}},
		"disturbed once":   {[]time.Duration{2 * time.Second, 300 * time.Millisecond, time.Second, 500 * time.Millisecond, 200 * time.Millisecond}, []bool{false, false, false, false, false}},
		"no nearer":        {[]time.Duration{200 * time.Millisecond, 200 * time.Millisecond, 210 * time.Millisecond, 230 * time.Millisecond}, []bool{false, false, false, true}},
		"farther and back": {[]time.Duration{200 * time.Millisecond, time.Second, time.Second, 100 * time.Millisecond, time.Second, 20 * time.Millisecond}, []bool{false, false, false, false, false, false}},
	} {
		now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		var a approach
		if a.enough(now) {
			t.Errorf("%s: near without a look", name)
		}
		var got []bool
		for _, took := range c.took {
			a.look(now)
			now = now.Add(took)
			got = append(got, a.enough(now))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
