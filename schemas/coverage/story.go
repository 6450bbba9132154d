package coverage

import (
	"cmp"
	"slices"
	"strings"
)

// kind is what an answer says.
type kind uint8

const (
	held     kind = iota
	refused       // the hub does not allow it
	unwanted      // the replica has no use for it any more
	kinds
)

// answer is what one replica was told of an item. It holds until the replica's
// next answer. Answers are never changed.
type answer struct {
	before  *answer // of the same replica
	on      *connection
	at      moment
	kind    kind
	message string
}

// story is all answers to an item: the newest of each replica, in the order of
// their names. Items with one story share it, and it is never changed.
type story struct{ newest []*answer }

func (s *story) of(replica string) (*answer, int) {
	if s == nil {
		return nil, 0
	}
	i, found := slices.BinarySearchFunc(s.newest, replica, func(a *answer, name string) int { return cmp.Compare(a.on.Replica, name) })
	if !found {
		return nil, i
	}
	return s.newest[i], i
}

// with returns the story that goes on with an answer.
func (s *story) with(c *connection, at moment, k kind, message string) *story {
	before, i := s.of(c.Replica)
	next := &answer{before: before, on: c, at: at, kind: k, message: message}
	if s == nil {
		return &story{newest: []*answer{next}}
	}
	if before == nil {
		return &story{newest: slices.Insert(slices.Clone(s.newest), i, next)}
	}
	newest := slices.Clone(s.newest)
	newest[i] = next
	return &story{newest: newest}
}

// wanted reports whether some replica holds the item as far as it knows.
func (s *story) wanted() bool {
	return slices.ContainsFunc(s.newest, func(a *answer) bool { return a.kind == held })
}

// never returns the hub's reasons when it refuses the item to everybody.
func (s *story) never() (why []string, yes bool) {
	for _, a := range s.newest {
		switch a.kind {
		case held:
			return nil, false
		case refused:
			yes = true
			why = append(why, a.message)
		}
	}
	slices.Sort(why)
	return slices.Compact(why), yes
}

// interval is the time from one moment until before another.
type interval struct{ from, until moment }

// follow adds the spans in which a story's item was wanted and held.
func (s *story) follow(now moment, add func(a *answer, wanted, covered interval)) {
	for _, a := range s.newest {
		until := forever
		for ; a != nil; a = a.before {
			if a.kind == held {
				add(a, interval{a.at, until}, interval{a.at, min(until, a.on.reach(now))})
			}
			until = a.at
		}
	}
}

// union sorts intervals and joins those that touch.
func union(all []interval) []interval {
	all = slices.DeleteFunc(all, func(i interval) bool { return i.from >= i.until })
	slices.SortFunc(all, func(a, b interval) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.until, b.until)) })
	out := all[:0]
	for _, i := range all {
		if n := len(out); n > 0 && i.from <= out[n-1].until {
			out[n-1].until = max(out[n-1].until, i.until)
			continue
		}
		out = append(out, i)
	}
	return out
}

// without returns what of one union is not in another.
func without(all, gone []interval) (out []interval) {
	for _, i := range all {
		for _, g := range gone {
			if g.until <= i.from {
				continue
			}
			if g.from >= i.until {
				break
			}
			if g.from > i.from {
				out = append(out, interval{i.from, g.from})
			}
			i.from = g.until
		}
		if i.from < i.until {
			out = append(out, i)
		}
	}
	return out
}

// part is events of an entity that have one story.
type part struct {
	events []string // sorted
	story  *story
}

// parts are all events of an entity that were ever asked for.
type parts []part

// each lists the events with their stories.
func (p parts) each() map[string]*story {
	all := map[string]*story{}
	for _, part := range p {
		for _, name := range part.events {
			all[name] = part.story
		}
	}
	return all
}

// partsOf groups events by their stories. Events with equal names share the
// memory of their list by way of keep.
func partsOf(all map[string]*story, keep func([]string) []string) parts {
	by := map[*story][]string{}
	for name, s := range all {
		by[s] = append(by[s], name)
	}
	out := make(parts, 0, len(by))
	for s, names := range by {
		slices.Sort(names)
		out = append(out, part{keep(names), s})
	}
	slices.SortFunc(out, func(a, b part) int { return strings.Compare(a.events[0], b.events[0]) })
	return out
}
