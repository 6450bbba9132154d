package coverage

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Gaps returns all gaps that reach into a window, cut to it, by their
// beginning and entity.
func (l *Ledger) Gaps(w Window) []Gap {
	q := l.ask(w)
	var all []Gap
	for id := range l.entities {
		all = append(all, q.gaps(id)...)
	}
	all = append(all, q.start()...)
	slices.SortFunc(all, func(a, b Gap) int { return cmp.Or(a.From.Compare(b.From), strings.Compare(a.Entity, b.Entity)) })
	return all
}

// GapsOf returns those of one entity, in order.
func (l *Ledger) GapsOf(entity string, w Window) []Gap {
	q := l.ask(w)
	if entity == Everything {
		return append(q.start(), q.gaps(entity)...)
	}
	return q.gaps(strings.ToLower(entity))
}

// Covered reports whether no gap of an entity reaches into a span. Of an
// entity that nobody ever subscribed none is known.
func (l *Ledger) Covered(entity string, from, until time.Time) bool {
	return l.Checker()(entity, from, until)
}

// Checker returns Covered for many questions, until the ledger changes.
func (l *Ledger) Checker() func(entity string, from, until time.Time) bool {
	q := l.ask(Window{})
	return func(entity string, from, until time.Time) bool {
		f, u := momentOf(from), momentOf(until)
		return !slices.ContainsFunc(q.uncovered(strings.ToLower(entity)), func(i interval) bool { return i.from <= u && i.until > f })
	}
}

// Knows reports whether an entity was ever subscribed, or refused.
func (l *Ledger) Knows(entity string) bool {
	_, ok := l.entities[strings.ToLower(entity)]
	return ok
}

// Wants reports whether an entity is to be covered, by what is known last.
func (l *Ledger) Wants(entity string) bool {
	return slices.ContainsFunc(l.entities[strings.ToLower(entity)], func(p part) bool { return p.story.wanted() })
}

// Wanted is how many entities are to be covered.
func (l *Ledger) Wanted() (n int) {
	for id, all := range l.entities {
		if id != Everything && slices.ContainsFunc(all, func(p part) bool { return p.story.wanted() }) {
			n++
		}
	}
	return n
}

// Refused lists the items that the hub refuses to everybody, in order.
func (l *Ledger) Refused() []Refusal {
	var all []Refusal
	for id, parts := range l.entities {
		for _, p := range parts {
			why, yes := p.story.never()
			for _, name := range p.events {
				if yes {
					all = append(all, Refusal{Entity: id, Event: name, Why: why})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b Refusal) int {
		return cmp.Or(strings.Compare(a.Entity, b.Entity), strings.Compare(a.Event, b.Event))
	})
	return all
}

// question is a window with what was found out so far.
type question struct {
	of               *Ledger
	from, until, now moment
	blind            []interval // in which some connection holds nobody knows what
	known            map[*story][]interval
}

func (l *Ledger) ask(w Window) *question {
	q := &question{of: l, from: momentOf(w.From), until: momentOf(w.Until), now: max(l.newest, momentOf(w.Now)), known: map[*story][]interval{}}
	if q.until == 0 || q.until > q.now {
		q.until = q.now
	}
	for _, p := range l.entities[Everything] {
		p.story.follow(q.now, func(a *answer, _, covered interval) {
			if a.on.All {
				q.blind = append(q.blind, covered)
			}
		})
	}
	return q
}

// missing returns the spans in which an item was wanted and not held.
func (q *question) missing(s *story) []interval {
	if found, ok := q.known[s]; ok {
		return found
	}
	var wanted []interval
	covered := slices.Clone(q.blind)
	s.follow(q.now, func(_ *answer, w, c interval) {
		wanted = append(wanted, w)
		covered = append(covered, c)
	})
	q.known[s] = without(union(wanted), union(covered))
	return q.known[s]
}

func (q *question) uncovered(entity string) []interval {
	var all []interval
	for _, p := range q.of.entities[entity] {
		all = append(all, q.missing(p.story)...)
	}
	return union(all)
}

func (q *question) gaps(entity string) []Gap {
	return q.cut(entity, q.uncovered(entity), func(at moment) []string { return q.why(entity, at) })
}

func (q *question) cut(entity string, all []interval, why func(at moment) []string) (gaps []Gap) {
	for _, i := range all {
		from, until := max(i.from, q.from), min(i.until, q.until)
		if from < until {
			gaps = append(gaps, Gap{Entity: entity, From: timeOf(from), Until: timeOf(until), Open: i.until > q.now, Why: why(i.from)})
		}
	}
	return gaps
}

// start is the gap before anything was ever subscribed, unless that was at once.
// Nothing of it was ever heard, so it is in the life of no call.
func (q *question) start() []Gap {
	l := q.of
	if end := min(l.began, l.newest); l.first == 0 || end-l.first <= int64(heartbeat) {
		return nil
	}
	return q.cut(Everything, []interval{{l.first, l.began}}, q.idle)
}

// why tells, for every replica that had held the entity, why it did not any more.
func (q *question) why(entity string, at moment) []string {
	reasons := map[string]bool{}
	for _, p := range q.of.entities[entity] {
		if !slices.ContainsFunc(q.missing(p.story), func(i interval) bool { return i.from <= at && at < i.until }) {
			continue
		}
		for _, a := range p.story.newest {
			if reason := lost(a, at); reason != "" {
				reasons[a.on.Replica+": "+reason] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(reasons))
}

// lost tells how a replica lost an item that it had been given before a time.
func lost(a *answer, at moment) string {
	var next *answer
	for ; a != nil && (a.at > at || a.kind != held); a = a.before {
		next = a
	}
	switch {
	case a == nil:
		return ""
	case next == nil || next.kind == held || next.at > at:
		return a.on.why()
	case next.kind == refused:
		return "refused: " + next.message
	default:
		return ""
	}
}

// idle tells why there is nothing at all.
func (q *question) idle(moment) (why []string) {
	for name, r := range q.of.replicas {
		switch {
		case q.of.began < forever:
			why = append(why, name+": nothing subscribed yet")
		case r.on != nil:
			why = append(why, name+": nothing subscribed")
		default:
			why = append(why, name+": not connected")
		}
	}
	slices.Sort(why)
	return why
}
