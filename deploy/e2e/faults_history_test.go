//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/topology"
)

// The checker of what ingest did: by the hub's own book of what it sent to whom and
// of who was subscribed, what ought to be in RTE, in which order, and which gaps ought to be stated.

// history is what the hub has sent and what RTE holds of it.
type history struct {
	sent   []sentEntry
	ended  map[string]time.Time // connections
	stored []string             // ids, in the order of RTE
	doubt  int                  // not stored, and sent only where nobody may have heard it
}

func (w *world) heard() *history {
	w.t.Helper()
	h := &history{sent: w.ledger(), ended: map[string]time.Time{}, stored: w.stored()}
	for _, a := range w.attendances() {
		if a.What == "ended" {
			h.ended[a.Connection] = a.Time
		}
	}
	return h
}

func (h *history) String() string {
	return fmt.Sprintf("%d sent to somebody, %d times in all; %d stored; %d not, which were sent within a heartbeat of the end of every connection that had them",
		len(h.hearers()), len(h.sent), len(h.stored), h.doubt)
}

// hearers are the connections that were sent an event.
func (h *history) hearers() map[string][]string {
	all := map[string][]string{}
	for _, s := range h.sent {
		all[s.ID] = append(all[s.ID], s.Connection)
	}
	return all
}

// check finds events that RTE lacks, has twice, or has in another order than they
// were heard in.
func (h *history) check() (found []finding) {
	at := map[string]int{} // position in RTE, from 1
	for i, id := range h.stored {
		if at[id] > 0 {
			found = append(found, finding{where: topology.RTE, kind: doubledEvent, id: id, note: fmt.Sprintf("as message %d", i+1)})
			continue
		}
		at[id] = i + 1
	}
	hearers, owed := h.hearers(), map[string]bool{}
	for _, s := range h.sent {
		end, over := h.ended[s.Connection]
		owed[s.ID] = owed[s.ID] || !s.Uncertain && (!over || end.Sub(s.Time) > heartbeat)
	}
	h.doubt = 0
	for _, id := range slices.Sorted(maps.Keys(hearers)) {
		switch {
		case at[id] > 0:
		case owed[id]:
			found = append(found, finding{where: topology.RTE, kind: missingEvent, id: id, note: fmt.Sprintf("which was sent to %v", hearers[id])})
		default:
			h.doubt++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(at)) {
		if hearers[id] == nil {
			found = append(found, finding{where: topology.RTE, kind: extraEvent, id: id, note: "which the hub has sent to nobody"})
		}
	}
	return append(found, h.order(at, hearers)...)
}

// order finds events that stand in RTE behind one that exactly the same connections
// were sent later. What only one replica heard may come behind what both heard later.
func (h *history) order(at map[string]int, hearers map[string][]string) (found []finding) {
	those := map[string]string{}
	for id, connections := range hearers {
		those[id] = strings.Join(slices.Compact(slices.Sorted(slices.Values(connections))), ",")
	}
	first := map[string]int{}
	for _, s := range slices.Backward(h.sent) {
		if n := at[s.ID]; n > 0 && before(first, s.Connection+"|"+those[s.ID], n) {
			found = append(found, finding{where: topology.RTE, kind: misplaced, id: s.ID, note: fmt.Sprintf("sent %s, behind a later one of connection %s", s.Time.Format(clock), s.Connection)})
		}
	}
	return found
}

// gaps is how what is stated of gaps differs from what they were.
type gaps struct {
	told  string
	found []finding
	worst time.Duration // for how long at a time
}

// gapsAre compares the spans in which the hub had nobody subscribed with those that
// the coverage events leave open, from the first subscription to the end.
func (w *world) gapsAre(within time.Duration) gaps {
	w.t.Helper()
	whole, covered := attended(w.attendances(), w.healed)
	return compareGaps(without(whole, covered), w.uncovered(whole), within)
}

func compareGaps(hub, told []span, within time.Duration) (g gaps) {
	for _, s := range slices.Concat(minus(hub, told), minus(told, hub)) {
		if d := s.until.Sub(s.from); d > within {
			g.found = append(g.found, finding{where: topology.RTE, kind: misstated, note: fmt.Sprintf("%s to %s", s.from.Format(clock), s.until.Format(clock))})
		}
		g.worst = max(g.worst, s.until.Sub(s.from).Round(time.Millisecond))
	}
	g.told = fmt.Sprintf("nobody subscribed: %d spans, %v by the hub's book; %d spans, %v by the coverage events; they differ by %v at most",
		len(hub), total(hub), len(told), total(told), g.worst)
	return g
}

const misstated = "a gap that is not as it is stated"

// attended is when a connection had all subscriptions, by the hub's book.
func attended(book []attendance, end time.Time) (whole span, covered []span) {
	wanted := 0
	for _, a := range book {
		wanted = max(wanted, a.Items)
	}
	since := map[string]time.Time{}
	for _, a := range book {
		from, is := since[a.Connection]
		switch {
		case a.Items == wanted && !is:
			since[a.Connection] = a.Time
		case a.Items < wanted && is:
			covered = append(covered, span{from, a.Time})
			delete(since, a.Connection)
		}
	}
	for _, from := range since {
		covered = append(covered, span{from, end})
	}
	whole = span{end, end}
	for _, c := range covered {
		if c.from.Before(whole.from) {
			whole.from = c.from
		}
	}
	return whole, covered
}
