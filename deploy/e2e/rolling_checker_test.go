//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// shownTwice is two windows of the same calls as reapit-sim was shown them: three
// calls of two negotiators, answered by the first.
func shownTwice() (windows []playing, requests []request) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for w := range 2 {
		var p playing
		for c := range 3 {
			p.CallIDs = append(p.CallIDs, fmt.Sprintf("%08d-0000-4000-8000-%012d", w, c))
		}
		for _, kind := range []string{"incomingCall", "answeredCall", "endedCall"} {
			for c, id := range p.CallIDs {
				for n := range 2 {
					by := "N01"
					shown := payload{ID: id, Created: at.Format(time.RFC3339), CallerID: fmt.Sprintf("0770090000%d", c), AnsweredByID: &by}
					body, _ := json.Marshal(map[string]payload{"payload": shown})
					at = at.Add(50 * time.Millisecond)
					requests = append(requests, request{
						Time: at, CallID: id, SubType: kind, NegotiatorIDs: []string{negotiatorName(n)}, Body: body, Accepted: true, Status: 202, Done: true,
					})
				}
			}
		}
		windows = append(windows, p)
	}
	return windows, requests
}

// Each class of what a roll could spoil is found in what reapit-sim was shown, and
// nothing else is. What comes after a deadline is the checker of deliver's to find,
// and here if the hub's own time tells more.
func TestRollingFindsWhatIsPlanted(t *testing.T) {
	const at = 26 // the second window's answeredCall of the second call to the first negotiator
	for _, c := range []struct {
		name  string
		plant func([]request) []request
		want  map[string]int
	}{
		{"nothing", func(r []request) []request { return r }, map[string]int{}},
		{"lost", func(r []request) []request { return slices.Delete(r, at, at+1) }, map[string]int{missingEvent: 1}},
		{"refused", func(r []request) []request { r[at].Accepted = false; return r }, map[string]int{missingEvent: 1}},
		{"doubled", func(r []request) []request { return append(r, r[at]) }, map[string]int{doubledEvent: 1}},
		{"reordered", func(r []request) []request { r[at], r[at+6] = r[at+6], r[at]; return r }, map[string]int{misplaced: 1}},
		{"reordered with another call's", func(r []request) []request { r[at], r[at+2] = r[at+2], r[at]; return r }, map[string]int{}},
		{"changed", func(r []request) []request { r[at].Body = r[at+2].Body; return r }, map[string]int{changedEvent: 1}},
		{"to somebody else", func(r []request) []request {
			r[at].NegotiatorIDs = []string{"N07"}
			return r
		}, map[string]int{missingEvent: 1, extraEvent: 1}},
		{"of no call", func(r []request) []request { r[at].CallID = "another"; return r }, map[string]int{missingEvent: 1, extraEvent: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			windows, requests := shownTwice()
			seen, found := newSights(windows).sort(c.plant(requests), len(windows))
			found = append(found, unlike(seen)...)
			if got := kindsOf(found); !reflect.DeepEqual(got, c.want) {
				t.Errorf("found %v, want %v: %v", got, c.want, found)
			}
		})
	}
}

// What a busy host was too slow for is compared with nothing: neither a window in
// which something is missing or doubled, nor what is found of its calls.
func TestRollingBeginsWithAWholeWindow(t *testing.T) {
	for name, c := range map[string]struct {
		plant func([]request) []request
		want  int
	}{
		"whole":   {func(r []request) []request { return r }, 0},
		"missing": {func(r []request) []request { return slices.Delete(r, 3, 4) }, 1},
		"doubled": {func(r []request) []request { return append(r, r[3]) }, 1},
		"instead": {func(r []request) []request { r[3] = r[4]; return r }, 1},
		"in both": {func(r []request) []request { return slices.Delete(slices.Delete(r, 26, 27), 3, 4) }, -1},
	} {
		windows, requests := shownTwice()
		s := newSights(windows)
		seen, _ := s.sort(c.plant(requests), len(windows))
		if got := s.firstWhole(seen, 18); got != c.want {
			t.Errorf("%s: begins with %d, want %d", name, got, c.want)
		}
		of := func(w int) finding { return finding{id: laneKey{"SBOX", "N01", windows[w].CallIDs[0]}.String()} }
		all := []finding{of(0), of(1), {id: "of no call"}}
		if got := s.since(1, slices.Clone(all)); !reflect.DeepEqual(got, all[1:]) {
			t.Errorf("%v", got)
		}
	}
}

func TestRollingFindsWhatIsLateAndUncovered(t *testing.T) {
	e := honest()
	for i := range e.said {
		e.said[i].Coverage = event.Complete
	}
	if found := slices.Concat(e.lateForTheHub(), e.uncovered()); len(found) > 0 {
		t.Error(found)
	}
	e.said[0].OccurredAt = e.said[0].OccurredAt.Add(-e.deadlines[event.Incoming]) // ingest heard it late
	e.said[1].Coverage = event.Gap
	found := slices.Concat(e.lateForTheHub(), e.uncovered())
	if got := slices.Sorted(maps.Keys(kindsOf(found))); !slices.Equal(got, []string{late, "in a gap"}) {
		t.Errorf("%v", found)
	}
	if all := e.rings(span{time.Time{}, time.Now().AddDate(100, 0, 0)}); len(all) == 0 || all[len(all)-1] < e.deadlines[event.Incoming] {
		t.Errorf("rings took %v", all)
	}
}

// A lease that is given back late, not at all, or not taken again is found.
func TestRollingFindsWhatIsNotHandedOver(t *testing.T) {
	at := func(ms int) time.Time { return time.Date(2026, 11, 22, 10, 0, 0, ms*int(time.Millisecond), time.UTC) }
	ended := ending{name: "transform-1", signalled: at(100), gone: at(160)}
	const key = "transform.partition.0"
	held := []letting{{at(0), "transform.member.a", "transform-1.x", false}, {at(0), key, "transform-1.x", false}, {at(50), key, "transform-1.x", false}}
	for name, c := range map[string]struct {
		book []letting
		want map[string]int
		took int
	}{
		"handed over":            {[]letting{{at(120), key, "", true}, {at(130), key, "transform-10.y", false}}, map[string]int{}, 1},
		"renewed meanwhile":      {[]letting{{at(110), key, "transform-1.x", false}, {at(120), key, "", true}, {at(130), key, "transform-2.y", false}}, map[string]int{}, 1},
		"given back by the dead": {[]letting{{at(190), key, "", true}, {at(200), key, "transform-2.y", false}}, map[string]int{"not given back before the end": 1}, 1},
		"expired":                {[]letting{{at(300), key, "", false}, {at(301), key, "transform-2.y", false}}, map[string]int{"not given back before the end": 1}, 1},
		"not seen, but taken":    {[]letting{{at(110), key, "transform-1.x", false}, {at(130), key, "transform-2.y", false}}, map[string]int{}, 1},
		"taken by expiry":        {[]letting{{at(3150), key, "transform-2.y", false}}, map[string]int{"not given back before the end": 1, "taken again late": 1}, 1},
		"nobody takes it":        {[]letting{{at(120), key, "", true}}, map[string]int{"not taken again": 1}, 0},
		"taken late":             {[]letting{{at(120), key, "", true}, {at(900), key, "transform-2.y", false}}, map[string]int{"taken again late": 1}, 1},
		"another's":              {[]letting{{at(60), key, "transform-2.y", false}}, map[string]int{}, 0},
	} {
		b := &leaseBook{book: slices.Concat(held, c.book)}
		took, found := b.handovers(ended, 500*time.Millisecond)
		if got := kindsOf(found); !reflect.DeepEqual(got, c.want) || len(took) != c.took {
			t.Errorf("%s: found %v after %v, want %v", name, found, took, c.want)
		}
	}
}
