package session

import (
	"testing"
	"time"
)

func TestTableIsWhole(t *testing.T) {
	for _, cause := range Causes() {
		if _, ok := table[cause]; !ok {
			t.Errorf("no row for %s", cause)
		}
	}
	if len(table) != len(Causes()) {
		t.Error("a row is for no cause")
	}
}

func TestNext(t *testing.T) {
	const settled = Settled
	for _, story := range []struct {
		name    string
		endings []Ending
		moves   []Move
	}{
		{
			"an expired token is replaced at once, a refused one is not tried in a loop",
			[]Ending{{Unauthorized, 0}, {Unauthorized, 0}, {Unauthorized, 0}},
			[]Move{AtOnce, BackOff, BackOff},
		},
		{
			"wrong credentials are never hurried",
			[]Ending{{Credentials, 0}, {Credentials, 0}},
			[]Move{BackWell, BackWell},
		},
		{
			"one refused token after other failures is replaced at once",
			[]Ending{{Unreachable, 0}, {Unreachable, 0}, {Unauthorized, 0}, {Unauthorized, 0}, {Unreachable, 0}},
			[]Move{BackOff, BackOff, AtOnce, BackOff, BackOff},
		},
		{
			"a connection that was live for some seconds was a good one",
			[]Ending{{Unreachable, 0}, {Lost, 7600 * time.Millisecond}},
			[]Move{BackOff, AtOnce},
		},
		{
			"each loss of a settled connection is made good at once",
			[]Ending{{Lost, settled}, {Closed, settled}, {Silent, time.Hour}},
			[]Move{AtOnce, AtOnce, AtOnce},
		},
		{
			"a hub that accepts and hangs up is given time",
			[]Ending{{Closed, settled}, {Closed, settled - 1}, {Closed, time.Second}},
			[]Move{AtOnce, BackOff, BackOff},
		},
		{
			"a restarted hub is waited for",
			[]Ending{{Lost, settled}, {Unreachable, 0}, {Refused, 0}, {Malformed, 0}},
			[]Move{AtOnce, BackOff, BackOff, BackOff},
		},
		{"a stop is a stop", []Ending{{Unreachable, 0}, {Stopped, settled}}, []Move{BackOff, Stop}},
		{"what is not known is given time", []Ending{{"new", settled}}, []Move{BackOff}},
	} {
		t.Run(story.name, func(t *testing.T) {
			var s State
			for i, e := range story.endings {
				var move Move
				if s, move = s.Next(e); move != story.moves[i] {
					t.Errorf("after ending %d (%s): %s, want %s", i+1, e.Cause, move, story.moves[i])
				}
			}
		})
	}
}

// Whatever the hub does, two attempts in a row are made at once at most, unless
// a connection settled between them.
func TestNothingIsDialledInATightLoop(t *testing.T) {
	causes := Causes()
	for i := range len(causes) * len(causes) * len(causes) {
		var s State
		hurried := 0
		for _, cause := range []Cause{causes[i%len(causes)], causes[i/len(causes)%len(causes)], causes[i/len(causes)/len(causes)]} {
			var move Move
			if s, move = s.Next(Ending{Cause: cause, Live: Settled - 1}); move == AtOnce {
				hurried++
			}
		}
		if hurried > 2 {
			t.Errorf("story %d: %d attempts at once", i, hurried)
		}
	}
}

func TestFailuresCountFromTheLastSettledConnection(t *testing.T) {
	var s State
	for i, c := range []struct {
		live time.Duration
		want int
	}{{0, 1}, {0, 2}, {time.Second, 3}, {Settled, 1}, {0, 2}} {
		if s, _ = s.Next(Ending{Lost, c.live}); s.Failures != c.want {
			t.Errorf("ending %d: %d failures, want %d", i+1, s.Failures, c.want)
		}
	}
}
