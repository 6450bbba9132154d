//go:build linux

package e2e

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// heardTwice is what a hub has sent on two connections, the second of which ended in
// the middle, and what RTE has of it: all.
func heardTwice() *history {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	h := &history{ended: map[string]time.Time{"b": at.Add(5 * time.Second)}, calls: map[string]string{}, bytes: map[string]string{}, at: map[string]time.Time{}}
	for n := range 20 {
		id := fmt.Sprintf("event-%02d", n)
		h.stored = append(h.stored, id)
		h.calls[id], h.at[id] = fmt.Sprint("call-", n%2), at.Add(time.Duration(n)*500*time.Millisecond)
		h.bytes[id] = "digest of " + id
		h.sent = append(h.sent, sentEntry{Connection: "a", ID: id, SHA256: h.bytes[id], Time: at.Add(time.Duration(n) * 500 * time.Millisecond)})
		if n < 10 {
			h.sent = append(h.sent, sentEntry{Connection: "b", ID: id, SHA256: h.bytes[id], Time: at.Add(time.Duration(n) * 500 * time.Millisecond)})
		}
	}
	return h
}

// Each class of what ingest could spoil is found, and nothing else is.
func TestHistoryFindsWhatIsPlanted(t *testing.T) {
	const at = 4
	onlyB := func(h *history) { // the first connection was not there yet
		h.sent = slices.DeleteFunc(h.sent, func(s sentEntry) bool { return s.Connection == "a" && s.ID < "event-10" })
	}
	for name, c := range map[string]struct {
		plant func(h *history)
		want  map[string]int
	}{
		"nothing":                               {func(*history) {}, map[string]int{}},
		"dropped":                               {func(h *history) { h.stored = slices.Delete(h.stored, at, at+1) }, map[string]int{missingEvent: 1}},
		"the last one":                          {func(h *history) { h.stored = h.stored[:19] }, map[string]int{missingEvent: 1}},
		"doubled":                               {func(h *history) { h.stored = slices.Insert(h.stored, 9, h.stored[at]) }, map[string]int{doubledEvent: 1}},
		"made up":                               {func(h *history) { h.stored = append(h.stored, "another") }, map[string]int{extraEvent: 1}},
		"changed":                               {func(h *history) { h.bytes[h.stored[15]] = "another digest" }, map[string]int{changedEvent: 1}},
		"reordered":                             {func(h *history) { h.stored[at], h.stored[at+2] = h.stored[at+2], h.stored[at] }, map[string]int{misplaced: 2}},
		"reordered, which were heard by others": {func(h *history) { h.stored[9], h.stored[11] = h.stored[11], h.stored[9] }, map[string]int{}},
		"dropped, which one alone heard": {func(h *history) {
			onlyB(h)
			h.stored = slices.Delete(h.stored, at, at+1)
		}, map[string]int{missingEvent: 1}},
		"dropped, which one alone had, who stood still": {func(h *history) {
			onlyB(h)
			h.stills = []span{{h.ended["b"].Add(-3600 * time.Millisecond), h.ended["b"].Add(time.Second)}}
			h.stored = slices.Delete(h.stored, at, at+1)
		}, map[string]int{}},
		"dropped, which one alone had heard before it stood still": {func(h *history) {
			onlyB(h)
			h.stills = []span{{h.ended["b"].Add(-2500 * time.Millisecond), h.ended["b"].Add(time.Second)}}
			h.stored = slices.Delete(h.stored, at, at+1)
		}, map[string]int{missingEvent: 1}},
		"dropped, which nobody may have heard": {func(h *history) {
			onlyB(h)
			h.stored = slices.Delete(h.stored, 9, 10)
		}, map[string]int{}},
	} {
		h := heardTwice()
		c.plant(h)
		if found := h.check(); !reflect.DeepEqual(kindsOf(found), c.want) {
			t.Errorf("%s: found %v, want %v", name, found, c.want)
		}
	}
}

// An event may stand behind later ones of other calls, and by how much is told; behind
// a later one of its call it may not.
func TestHistoryMeasuresTheOrderOfCalls(t *testing.T) {
	for name, c := range map[string]struct {
		from, to int
		want     map[string]int
		behind   map[string]time.Duration
	}{
		"in order":                      {4, 4, map[string]int{}, map[string]time.Duration{}},
		"behind one of another call":    {4, 5, map[string]int{}, map[string]time.Duration{"event-04": 2 * time.Second}},
		"behind one of its call":        {4, 6, map[string]int{misplaced: 2}, map[string]time.Duration{}},
		"only what one connection told": {14, 15, map[string]int{}, map[string]time.Duration{"event-14": 2 * time.Second}},
	} {
		h := heardTwice()
		id := h.stored[c.from]
		h.stored = slices.Insert(slices.Delete(h.stored, c.from, c.from+1), c.to, id)
		if c.from != c.to {
			h.at[id] = h.at[h.stored[c.from]].Add(2 * time.Second)
		}
		if found := h.check(); !reflect.DeepEqual(kindsOf(found), c.want) || !reflect.DeepEqual(h.behind, c.behind) {
			t.Errorf("%s: found %v, and %v behind", name, found, h.behind)
		}
	}
}

// A gap that is not stated, and one that was none, is found; what a heartbeat cannot
// tell is not.
func TestGapsThatAreMisstatedAreFound(t *testing.T) {
	at := func(s float64) time.Time {
		return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
	}
	gap := func(from, until float64) span { return span{at(from), at(until)} }
	book := []attendance{
		{at(1), "a", "subscribed", 2},
		{at(3), "a", "subscribed", 4},
		{at(10), "a", "ended", 0},
		{at(15), "b", "subscribed", 4},
		{at(20), "b", "ended", 0},
		{at(19), "c", "subscribed", 4},
	}
	whole, covered := attended(book, at(30), nil)
	hub := without(whole, covered)
	if len(hub) == 0 || hub[0] != gap(10, 15) {
		t.Fatalf("the hub's gaps are %v", hub)
	}
	for name, c := range map[string]struct {
		told  []span
		want  int
		still []span
	}{
		"as it was":      {[]span{gap(10, 15)}, 0, nil},
		"a little off":   {[]span{gap(9.5, 15.7)}, 0, nil},
		"not stated":     {nil, 1, nil},
		"half stated":    {[]span{gap(10, 12)}, 1, nil},
		"stated in vain": {[]span{gap(10, 15), gap(22, 25)}, 1, nil},
		"stated longer":  {[]span{gap(6, 19)}, 2, nil},

		"stated longer, since a replica stood still":             {[]span{gap(6, 15)}, 0, []span{gap(6, 12)}},
		"stated longer, since a replica had stood still":         {[]span{gap(6, 15)}, 1, []span{gap(6, 8)}},
		"stated even longer, since a replica stood still":        {[]span{gap(4, 15)}, 1, []span{gap(6, 12)}},
		"stated as by the hub, though a replica had stood still": {[]span{gap(10, 15)}, 0, []span{gap(6, 12)}},
	} {
		_, heard := attended(book, at(30), c.still)
		if g := compareGaps(hub, without(whole, heard), c.told, func(span) time.Duration { return heartbeat }); len(g.found) != c.want {
			t.Errorf("%s: %v", name, g.found)
		}
	}
}
