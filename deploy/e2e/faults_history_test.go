//go:build linux

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// The checker of what ingest did: by the hub's own book of what it sent to whom and
// of who was subscribed, what ought to be in RTE, in which order, and which gaps ought to be stated.

// history is what the hub has sent and what RTE holds of it.
type history struct {
	sent   []sentEntry
	ended  map[string]time.Time // connections
	stored []string             // ids, in the order of RTE
	stills []span               // within which a replica stood still, and read nothing
	doubt  int                  // not stored, and sent only where nobody may have heard it

	calls  map[string]string        // of an event: the last token of its subject
	bytes  map[string]string        // their SHA-256, in hexadecimal
	at     map[string]time.Time     // when it was stored
	behind map[string]time.Duration // events that RTE has behind later ones of other calls, by how much
}

func (w *world) heard() *history {
	w.t.Helper()
	h := &history{sent: w.ledger(), ended: map[string]time.Time{}, calls: map[string]string{}, bytes: map[string]string{}, at: map[string]time.Time{}}
	w.read("rte.>", func(m bus.Message) {
		id := m.Header.Get("ce-id")
		h.stored = append(h.stored, id)
		h.calls[id], h.at[id] = m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], m.Stored
		sum := sha256.Sum256(m.Data)
		h.bytes[id] = hex.EncodeToString(sum[:])
	})
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

// check finds events that RTE lacks, has twice, has other bytes of, or has in
// another order than they were heard in.
func (h *history) check() (found []finding) {
	at := map[string]int{} // position in RTE, from 1
	for i, id := range h.stored {
		if at[id] > 0 {
			found = append(found, finding{where: topology.RTE, kind: doubledEvent, id: id, note: fmt.Sprintf("as message %d", i+1)})
			continue
		}
		at[id] = i + 1
	}
	hearers, owed, as := h.hearers(), map[string]bool{}, map[string]bool{} // each connection has its own envelope
	for _, s := range h.sent {
		end, over := h.ended[s.Connection]
		owed[s.ID] = owed[s.ID] || !s.Uncertain && (!over || s.Time.Before(h.heardUntil(end)))
		as[s.ID] = as[s.ID] || h.bytes[s.ID] == s.SHA256
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
		switch {
		case hearers[id] == nil:
			found = append(found, finding{where: topology.RTE, kind: extraEvent, id: id, note: "which the hub has sent to nobody"})
		case !as[id]:
			found = append(found, finding{where: topology.RTE, kind: changedEvent, id: id, note: fmt.Sprintf("as message %d: none of %v was sent these bytes", at[id], hearers[id])})
		}
	}
	return append(found, h.order(at, hearers)...)
}

// heardUntil is up to when whatever a connection was sent that ended then must have
// been read: what waits for a reader who stands still is lost with the connection.
func (h *history) heardUntil(end time.Time) time.Time {
	until := end.Add(-heartbeat)
	for _, s := range h.stills {
		if from := s.from.Add(-clocksWithin); from.Before(until) && !end.Before(s.from) && end.Before(s.until.Add(heartbeat)) {
			until = from
		}
	}
	return until
}

// order finds events that stand in RTE behind one of their call, or of their user, that
// exactly the same connections were sent later. What only one replica heard may come
// behind what both heard later. Across calls it is measured.
func (h *history) order(at map[string]int, hearers map[string][]string) (found []finding) {
	those := map[string]string{}
	for id, connections := range hearers {
		those[id] = strings.Join(slices.Compact(slices.Sorted(slices.Values(connections))), ",")
	}
	first, firstOfCall := map[string]int{}, map[string]int{}
	h.behind = map[string]time.Duration{}
	for _, s := range slices.Backward(h.sent) {
		n := at[s.ID]
		if n == 0 {
			continue
		}
		heard := s.Connection + "|" + those[s.ID]
		overtaken := before(first, heard, n)
		if before(firstOfCall, heard+"|"+h.calls[s.ID], n) {
			found = append(found, finding{where: topology.RTE, kind: misplaced, id: s.ID, note: fmt.Sprintf("sent %s, behind a later one of connection %s", s.Time.Format(clock), s.Connection)})
		} else if overtaken {
			h.behind[s.ID] = h.at[s.ID].Sub(h.at[h.stored[first[heard]-1]])
		}
	}
	return found
}

// gaps is how what is stated of gaps differs from what they were.
type gaps struct {
	told  string
	found []finding
	of    []span        // what was found
	worst time.Duration // for how long at a time
	all   []span        // the gaps, by the hub's book and as they are stated
}

// gapsAre compares the spans in which no connection had all subscriptions, by the
// hub's book, with those that the coverage events leave open for some user, from the
// first that had them to the end. Where a replica's clock was wrong they may differ by
// as much more as it was wrong; and of one that stood still until its connection ended
// nothing was heard from then on, though the hub did not know.
func (w *world) gapsAre(wrong time.Duration, when, stills []span) gaps {
	w.t.Helper()
	book := w.attendances()
	whole, covered := attended(book, w.healed, nil)
	_, heard := attended(book, w.healed, stills)
	told, feed := w.uncovered(whole)
	hub := without(whole, covered)
	g := compareGaps(hub, without(whole, heard), told, func(s span) time.Duration {
		if slices.ContainsFunc(when, func(x span) bool { return s.near(x, heartbeat+wrong) }) {
			return statedWithin + wrong
		}
		return statedWithin
	})
	g.all = slices.Concat(hub, told)
	for i, f := range g.found {
		w.t.Logf("%s, %s; what was said of it:\n%s", f.kind, f.note, around(g.of[i], book, feed))
	}
	return g
}

// around is what hub and replicas have said of the time about a span, in order.
func around(s span, book []attendance, feed []event.Feed) string {
	const before = 5 * time.Second // what was known then counts until it is known better
	said := map[time.Time][]string{}
	say := func(at time.Time, format string, a ...any) {
		if at.After(s.from.Add(-before)) && at.Before(s.until.Add(before)) {
			said[at] = append(said[at], at.Format(clock)+" "+fmt.Sprintf(format, a...))
		}
	}
	for _, a := range book {
		say(a.Time, "hub: %s %s, %d items", a.Connection, a.What, a.Items)
	}
	for _, f := range feed {
		say(f.At, "%s: %s of %s, live %t, heard %s %s", f.Instance, f.Type, f.Epoch, f.Live, f.HeardAt.Format(clock), f.Reason)
	}
	var lines []string
	for _, at := range slices.SortedFunc(maps.Keys(said), time.Time.Compare) {
		lines = append(lines, said[at]...)
	}
	return strings.Join(lines, "\n")
}

// compareGaps compares what is told with the hub's gaps, which must be told, and with
// those that may be.
func compareGaps(hub, may, told []span, within func(s span) time.Duration) (g gaps) {
	differ := func(spans []span, how string) {
		for _, s := range spans {
			if d := s.until.Sub(s.from); d > within(s) {
				g.found = append(g.found, finding{where: topology.RTE, kind: misstated, note: fmt.Sprintf("%s to %s: %s", s.from.Format(clock), s.until.Format(clock), how)})
				g.of = append(g.of, s)
			}
			g.worst = max(g.worst, s.until.Sub(s.from).Round(time.Millisecond))
		}
	}
	differ(minus(hub, told), "a subscription was missing, and nothing says so")
	differ(minus(told, may), "all were subscribed")
	g.told = fmt.Sprintf("a subscription was missing: %d spans, %v by the hub's book; %d spans, %v by the coverage events; they differ by %v at most",
		len(hub), total(hub), len(told), total(told), g.worst)
	return g
}

// statedWithin is how exactly a gap is stated: to a heartbeat, which may be late.
const statedWithin = heartbeat + heartbeat/4

const misstated = "a gap that is not as it is stated"

// attended is when a connection had all subscriptions, by the hub's book, and what it
// was sent could be read: not since a replica stood still when it ended.
func attended(book []attendance, end time.Time, stills []span) (whole span, covered []span) {
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
			covered = append(covered, span{from, readUntil(a.Time, from, stills)})
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

// readUntil is up to when a connection that began and ended then was read, at least.
func readUntil(end, begin time.Time, stills []span) time.Time {
	until := end
	for _, s := range stills {
		if s.from.Before(until) && end.Before(s.until.Add(heartbeat)) {
			until = s.from
		}
	}
	if until.Before(begin) {
		return begin
	}
	return until
}
