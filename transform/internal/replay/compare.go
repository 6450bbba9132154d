package replay

import (
	"cmp"
	"maps"
	"slices"

	"ringstream/schemas/bus"
)

// Scope says how far fold and CALLS can be compared.
type Scope struct {
	Sure    uint64            // a call heard of before this position of RTE may have begun before RTE's first message
	Heard   map[string]uint64 // where, by the call's key, of those heard of early
	Last    uint64            // position of RTE up to which was folded
	Reached []bus.Position    // by partition, how far transform has come; nil: all the way
}

// Kind says how two runs part.
type Kind string

// The kinds of a difference.
const (
	Missing   Kind = "missing"   // the other side lacks an event
	Extra     Kind = "extra"     // it has an event too many
	Doubled   Kind = "doubled"   // it has an event twice
	Changed   Kind = "different" // it has an event with other content
	Misplaced Kind = "misplaced" // it has an event later than the fold
)

// Difference is one event on which the fold and the other side disagree.
type Difference struct {
	Kind   Kind
	Nth    int // of the call, from 1, as the fold counts, or the other side where it is extra
	Want   *Told
	Have   *Held
	Fields []Field // of a changed event
}

// Parted is a call that differs. There is at least one difference; the first
// is where the two part.
type Parted struct {
	Key         string
	Differences []Difference
}

// Report is what a comparison found.
type Report struct {
	Calls, Events int      // compared; events are those of the fold
	Parted        []Parted // in the order in which they part in RTE
	Cut           []string // calls left out, because their beginning is gone
	Behind        []Told   // not in CALLS yet, because transform has not come so far
}

// First counts the calls by the kind of the difference at which they part.
func (r Report) First() map[Kind]int {
	kinds := map[Kind]int{}
	for _, p := range r.Parted {
		kinds[p.Differences[0].Kind]++
	}
	return kinds
}

// Differences counts all differences by kind.
func (r Report) Differences() map[Kind]int {
	kinds := map[Kind]int{}
	for _, p := range r.Parted {
		for kind, n := range p.kinds() {
			kinds[kind] += n
		}
	}
	return kinds
}

func (p Parted) kinds() map[Kind]int {
	kinds := map[Kind]int{}
	for _, d := range p.Differences {
		kinds[d.Kind]++
	}
	return kinds
}

// Compare compares, call by call, what was told with what the other side holds.
// Both come in the order of their streams.
func Compare(want []Told, have []Held, scope Scope) Report {
	var r Report
	wanted, holding := map[string][]*Told{}, map[string][]Held{}
	known, cut := map[string]bool{}, map[string]bool{}
	for key, at := range scope.Heard {
		cut[key] = at < scope.Sure
	}
	for _, h := range have {
		switch {
		case h.Early || h.Stated && h.At.In < scope.Sure:
			cut[h.key()] = true
			holding[h.key()] = nil
		case h.Stated && h.At.In > scope.Last:
		default:
			known[h.ID] = true
			holding[h.key()] = append(holding[h.key()], h)
		}
	}
	for i := range want {
		t := &want[i]
		if scope.Reached != nil && t.At.After(scope.Reached[t.Partition]) && !known[t.id()] {
			r.Behind = append(r.Behind, *t)
			continue
		}
		wanted[t.key()] = append(wanted[t.key()], t)
	}
	for _, key := range slices.Sorted(maps.Keys(union(wanted, holding))) {
		if cut[key] {
			r.Cut = append(r.Cut, key)
			continue
		}
		r.Calls++
		r.Events += len(wanted[key])
		if found := part(wanted[key], holding[key]); len(found) > 0 {
			r.Parted = append(r.Parted, Parted{key, found})
		}
	}
	slices.SortStableFunc(r.Parted, func(a, b Parted) int { return cmp.Compare(a.at().In, b.at().In) })
	return r
}

// at is where in RTE the call parts.
func (p Parted) at() bus.Position {
	d := p.Differences[0]
	if d.Want != nil {
		return d.Want.At
	}
	return d.Have.At
}

func union(a map[string][]*Told, b map[string][]Held) map[string]bool {
	all := make(map[string]bool, len(a))
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

// part walks along both sides of one call. Where they disagree on the next
// event, the one that comes later on the other side is out of place, and one
// that never comes is missing or extra.
func part(want []*Told, have []Held) []Difference {
	var found []Difference
	var late []string // out of place, and taken out
	i, j := 0, 0
	have = slices.Clone(have)
	for i < len(want) || j < len(have) {
		again := j < len(have) && (slices.Contains(late, have[j].ID) || slices.ContainsFunc(have[:j], func(h Held) bool { return h.ID == have[j].ID }))
		switch wantAt, haveAt := next(want, have, i, j); {
		case again:
			found = append(found, Difference{Kind: Doubled, Nth: j + 1, Have: &have[j]})
			j++
		case i == len(want) || j < len(have) && haveAt < 0 && wantAt >= 0:
			found = append(found, Difference{Kind: Extra, Nth: j + 1, Have: &have[j]})
			j++
		case j == len(have) || wantAt < 0 && haveAt >= 0:
			found = append(found, Difference{Kind: Missing, Nth: i + 1, Want: want[i]})
			i++
		case wantAt > j:
			moved := have[wantAt]
			late = append(late, moved.ID)
			found = append(found, Difference{Kind: Misplaced, Nth: i + 1, Want: want[i], Have: &moved})
			have = slices.Delete(have, wantAt, wantAt+1)
			i++
		default: // the same event, or two that each side has alone
			if fields := unlike(want[i], have[j]); len(fields) > 0 {
				found = append(found, Difference{Kind: Changed, Nth: i + 1, Want: want[i], Have: &have[j], Fields: fields})
			}
			i++
			j++
		}
	}
	return found
}

// unlike lists in what two events differ.
func unlike(told *Told, have Held) []Field {
	if have.Same == told {
		return nil
	}
	want, err := told.Encoded()
	if err != nil {
		return []Field{{"data", err.Error(), "an event"}}
	}
	return fieldsThatDiffer(want, have)
}

// next tells where have still holds want[i], and where want still tells
// have[j]; -1 if nowhere.
func next(want []*Told, have []Held, i, j int) (wantAt, haveAt int) {
	wantAt, haveAt = -1, -1
	if i < len(want) {
		wantAt = offset(j, slices.IndexFunc(have[j:], func(h Held) bool { return h.ID == want[i].id() }))
	}
	if j < len(have) {
		haveAt = offset(i, slices.IndexFunc(want[i:], func(t *Told) bool { return t.id() == have[j].ID }))
	}
	return wantAt, haveAt
}

func offset(from, n int) int {
	if n < 0 {
		return n
	}
	return from + n
}
