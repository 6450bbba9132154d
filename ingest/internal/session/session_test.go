package session

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"
)

var (
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	limits = Limits{
		Token: 20 * time.Second, Negotiate: 11 * time.Second, Handshake: 12 * time.Second, Answer: 13 * time.Second, Silence: 35 * time.Second,
		FirstWait: 500 * time.Millisecond, LastWait: 5 * time.Second, LongWait: 30 * time.Second,
	}
)

func TestTablesAreWhole(t *testing.T) {
	for _, s := range States() {
		if len(steps[s]) == 0 {
			t.Errorf("nothing leads out of %s", s)
		}
		if s != Idle && steps[s][Stop] != Idle {
			t.Errorf("a stop does not end %s", s)
		}
	}
	causes := slices.DeleteFunc(Causes(), func(c Cause) bool { return c == Stopped })
	for _, cause := range causes {
		if _, ok := endings[cause]; !ok {
			t.Errorf("no row for %s", cause)
		}
	}
	if len(endings) != len(causes) || len(steps) != len(States()) {
		t.Error("a row is for nothing")
	}
}

// at is a machine that has come to a state.
func at(t *testing.T, s State) Machine {
	t.Helper()
	way := []Event{{Kind: Begin}, {Kind: Granted}, {Kind: Connected}, {Kind: Agreed}, {Kind: Subscribed, At: noon}}
	m := New(limits)
	if s == BackOff {
		m, _ = m.Next(way[0])
		m, _ = m.Next(Event{Kind: Ended, Cause: Unreachable})
	}
	for _, e := range way {
		if m.State != s {
			m, _ = m.Next(e)
		}
	}
	if m.State != s {
		t.Fatalf("came to %s, not to %s", m.State, s)
	}
	return m
}

// Every state meets every kind of event: what the table lacks changes nothing,
// and whatever follows has a limit.
func TestEveryEventInEveryState(t *testing.T) {
	expected := 0
	for _, s := range States() {
		for _, k := range Kinds() {
			before := at(t, s)
			after, err := before.Next(Event{Kind: k, Cause: Lost, At: noon})
			if _, in := steps[s][k]; in != (err == nil) {
				t.Errorf("%s while %s: %v", k, s, err)
			}
			switch {
			case err == nil:
				expected++
			case !errors.Is(err, ErrUnexpected) || after.State != s || after.Limit != before.Limit || after.Failures != before.Failures:
				t.Errorf("%s while %s: %+v, %v", k, s, after, err)
			}
			if (after.Limit > 0) != (after.State != Idle) {
				t.Errorf("%s after %s while %s may last %s", after.State, k, s, after.Limit)
			}
		}
	}
	if expected != 17 {
		t.Errorf("%d expected events", expected)
	}
}

// Whatever the hub does, two attempts in a row are made at once at most, unless
// a connection settled between them.
func TestNothingIsDialledInATightLoop(t *testing.T) {
	causes := slices.Sorted(maps.Keys(endings))
	states := []State{Token, Negotiate, Handshake, Subscribe, Live}
	choices := len(causes) * len(states)
	for i := range choices * choices * choices {
		m := New(limits)
		hurried := 0
		for n := i; n > 0 && m.State != BackOff; n /= choices {
			m = reach(m, states[n%choices/len(causes)])
			m, _ = m.Next(Event{Kind: Ended, Cause: causes[n%choices%len(causes)], At: noon.Add(Settled - 1)})
			if m.State == Token {
				hurried++
			}
		}
		if hurried > 2 {
			t.Fatalf("story %d: %d attempts at once", i, hurried)
		}
	}
}

// reach leads an attempt to a state.
func reach(m Machine, s State) Machine {
	for _, k := range []Kind{Begin, Granted, Connected, Agreed, Subscribed} {
		if m.State != s {
			m, _ = m.Next(Event{Kind: k, At: noon})
		}
	}
	return m
}

// Back-offs grow, are spread by chance, have a longest and no last.
func TestBackOffIsExponentialJitteredAndWithoutEnd(t *testing.T) {
	for cause, longest := range map[Cause]time.Duration{Unreachable: limits.LastWait, Credentials: limits.LongWait} {
		m := reach(New(limits), Token)
		mean := limits.FirstWait
		for n := range 10_000 {
			var lengths []time.Duration
			for _, chance := range []float64{0, 0.5, 0.999999} {
				after, err := m.Next(Event{Kind: Ended, Cause: cause, Chance: chance})
				if err != nil || after.State != BackOff {
					t.Fatalf("%s, ending %d: %s, %v", cause, n, after.State, err)
				}
				lengths = append(lengths, after.Limit)
			}
			want := min(mean, longest*2/3)
			if lengths[1].Round(time.Millisecond) != want.Round(time.Millisecond) || lengths[0] != lengths[1]/2 || lengths[2] > longest || lengths[2] < lengths[1] {
				t.Fatalf("%s, wait %d: %v, want %s", cause, n, lengths, want)
			}
			m, _ = m.Next(Event{Kind: Ended, Cause: cause})
			m, _ = m.Next(Event{Kind: Waited})
			mean = min(2*mean, time.Hour)
		}
	}
}

func TestOneMachineIsNotChangedByTheNext(t *testing.T) {
	first := at(t, BackOff)
	for range 5 {
		m, _ := first.Next(Event{Kind: Waited})
		if again, _ := m.Next(Event{Kind: Ended, Cause: Unreachable, Chance: 0.5}); again.Limit != 2*limits.FirstWait {
			t.Fatalf("waits %s", again.Limit)
		}
	}
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	for _, c := range []struct{ life, after time.Duration }{
		{time.Hour, 50 * time.Minute},
		{24 * time.Hour, 24*time.Hour - 10*time.Minute},
		{20 * time.Minute, 15 * time.Minute},
		{time.Minute, 45 * time.Second},
	} {
		if got, ok := RenewAt(noon, noon.Add(c.life)); !ok || got.Sub(noon) != c.after {
			t.Errorf("of %s: after %s, want %s", c.life, got.Sub(noon), c.after)
		}
	}
	if _, ok := RenewAt(noon, time.Time{}); ok {
		t.Error("a token that expires at a time unknown is renewed")
	}
}
