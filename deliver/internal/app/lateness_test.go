package app

import (
	"testing"
	"time"
)

// Who hears late of much waits until there is no more, but not for ever.
func TestWhatComesLateIsTakenInBeforeAnythingIsSent(t *testing.T) {
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	type event struct{ stored, taken time.Duration }
	burst := func(n int, every time.Duration) (all []event) {
		all = append(all, event{0, 3 * time.Millisecond})
		for i := range n {
			all = append(all, event{time.Second, 4*time.Second + time.Duration(i)*every})
		}
		return all
	}
	for name, c := range map[string]struct {
		all   []event
		after time.Duration // the last was taken
		want  time.Duration
	}{
		"nothing yet":               {nil, 0, 0},
		"in time":                   {[]event{{0, 3 * time.Millisecond}, {time.Second, 1200 * time.Millisecond}}, 0, 0},
		"late":                      {burst(1, 0), 0, silence},
		"late, and no more came":    {burst(1, 0), silence, 0},
		"late, and more":            {burst(10, 5*time.Millisecond), 5 * time.Millisecond, silence - 5*time.Millisecond},
		"late, for too long":        {burst(200, 10*time.Millisecond), 0, 0},
		"late, nearly for too long": {burst(100, 10*time.Millisecond), 0, 10 * time.Millisecond},
		"late, then in time":        {append(burst(10, time.Millisecond), event{4020 * time.Millisecond, 4025 * time.Millisecond}), 0, 0},
		"by a clock that is ahead":  {[]event{{0, 2 * time.Second}, {time.Second, 3100 * time.Millisecond}}, 0, 0},
		"by a clock that is behind": {[]event{{2 * time.Second, 0}, {3 * time.Second, 1400 * time.Millisecond}}, 0, silence},
	} {
		var l lateness
		now := start
		for _, e := range c.all {
			now = start.Add(e.taken)
			l.took(start.Add(e.stored), now)
		}
		if got := l.wait(now.Add(c.after)); got != c.want {
			t.Errorf("%s: waits %v, want %v", name, got, c.want)
		}
	}
}
