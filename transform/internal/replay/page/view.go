package page

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
)

// View is what the list shows at one moment.
type View struct {
	Query   Query
	Now     time.Time
	Window  time.Duration
	Rows    []*Summary // of the page
	Found   int        // that match
	Pages   int
	Dropped int // calls that were too many to be kept
	Figures Figures
	Plot    Plot
	Strip   Strip
}

// Figures count what is in the window, whatever is asked for.
type Figures struct {
	Calls, Ringing, Told, NotTold int
	Wait                          Percentiles   // from hearing of a ring to its first POST
	ByType                        []Percentiles // of deliveries, in the order of a call's life
}

// Percentiles of the time from hearing of something to the first POST of it.
type Percentiles struct {
	Type          event.CallType
	N             int
	P50, P99, Max time.Duration
}

// overview is what is the same whatever is asked for.
type overview struct {
	at      time.Time
	all     []*Summary
	figures Figures
	plot    Plot
	strip   Strip
}

// A reader may be shown what was worked out so long ago, for another one. While
// the book is filled it is not to be worked out all the time.
const (
	overviewFor = 400 * time.Millisecond
	whileFilled = 2 * time.Second
)

// Refresh works out what all readers are shown. It takes a while when there are many calls.
func (b *Book) Refresh(now time.Time) {
	span := Span{From: now.Add(-b.window), Until: now}
	all := b.summaries(now)
	b.seen = overview{at: now, all: all, figures: figures(all), plot: plot(all, span), strip: b.strip(span)}
}

// View answers a query. The rows belong to the book: they are to be used before it changes.
func (b *Book) View(q Query, now time.Time) View {
	keep := overviewFor
	if b.filling {
		keep = whileFilled
	}
	if age := now.Sub(b.seen.at); age < 0 || age >= keep {
		b.Refresh(now)
	}
	v := View{Query: q, Now: now, Window: b.window, Dropped: b.dropped, Figures: b.seen.figures, Plot: b.seen.plot, Strip: b.seen.strip}
	all := b.seen.all
	found := all
	if q.Narrow() {
		found = slices.DeleteFunc(slices.Clone(all), func(s *Summary) bool { return !q.matches(s) })
	}
	v.Found, v.Pages = len(found), max(1, (len(found)+rowsAPage-1)/rowsAPage)
	v.Query.Page = max(1, min(q.Page, v.Pages))
	from := (v.Query.Page - 1) * rowsAPage
	v.Rows = found[from:min(len(found), from+rowsAPage)]
	return v
}

func figures(all []*Summary) Figures {
	f := Figures{Calls: len(all)}
	took := map[event.CallType][]time.Duration{}
	for _, s := range all {
		if s.State == Ringing {
			f.Ringing++
		}
		for _, one := range s.Screens {
			switch {
			case one.Told:
				f.Told++
			case one.missing():
				f.NotTold++
			}
		}
		for _, d := range s.Deliveries {
			if d.Tried {
				took[d.Type] = append(took[d.Type], d.Took)
			}
		}
	}
	f.Wait = percentiles(event.Incoming, took[event.Incoming])
	for _, t := range event.CallTypes() {
		if len(took[t]) > 0 {
			f.ByType = append(f.ByType, percentiles(t, took[t]))
		}
	}
	return f
}

// percentiles are by the nearest rank.
func percentiles(t event.CallType, all []time.Duration) Percentiles {
	p := Percentiles{Type: t, N: len(all)}
	if p.N == 0 {
		return p
	}
	slices.Sort(all)
	rank := func(percent int) time.Duration { return all[(percent*p.N+99)/100-1] }
	p.P50, p.P99, p.Max = rank(50), rank(99), all[p.N-1]
	return p
}

// Strip says when nobody listened, to whom.
type Strip struct {
	Span
	Known   bool // some coverage event was read
	Listens bool // somebody does now, as far as is known
	Lines   []StripLine
	More    int // entities with gaps that have no line
	Blind   []string
	Refused int
	Began   int // where in the drawing something is known from
}

// StripLine is what is known of one entity.
type StripLine struct {
	Name string
	Gaps []coverage.Gap
}

// Width of a gap in the drawing; of any something is seen.
func (s Strip) Width(g coverage.Gap) int { return max(2, s.X(g.Until)-s.X(g.From)) }

// Gaps counts those of all lines.
func (s Strip) Gaps() (n int) {
	for _, l := range s.Lines {
		n += len(l.Gaps)
	}
	return n
}

// Uncovered is how long the gaps of a line are.
func (l StripLine) Uncovered() (sum time.Duration) {
	for _, g := range l.Gaps {
		sum += g.Until.Sub(g.From)
	}
	return sum
}

const stripLines = 8 // beside that of everything

// strip is of the window; of the time before the first coverage event nothing is known.
func (b *Book) strip(s Span) Strip {
	l := &b.ledger
	strip := Strip{Span: s, Known: !l.Newest().IsZero(), Listens: true, Blind: l.Blind(), Refused: len(l.Refused())}
	if !strip.Known {
		return strip
	}
	by := map[string][]coverage.Gap{coverage.Everything: nil}
	for _, g := range l.Gaps(coverage.Window{From: s.From, Until: s.Until, Now: b.present(s.Until)}) {
		by[g.Entity] = append(by[g.Entity], g)
	}
	whole := by[coverage.Everything]
	strip.Listens = !slices.ContainsFunc(whole, func(g coverage.Gap) bool { return g.Open })
	strip.Lines = []StripLine{{Name: "everything", Gaps: whole}}
	strip.Began = s.X(later(l.First(), l.Floor()))
	var rest []StripLine
	for id, gaps := range by {
		if id != coverage.Everything && !within(gaps, whole) {
			rest = append(rest, StripLine{Name: cmp.Or(b.names[id], id), Gaps: gaps})
		}
	}
	slices.SortFunc(rest, func(x, y StripLine) int {
		return cmp.Or(cmp.Compare(y.Uncovered(), x.Uncovered()), strings.Compare(x.Name, y.Name))
	})
	strip.More = max(0, len(rest)-stripLines)
	strip.Lines = append(strip.Lines, rest[:len(rest)-strip.More]...)
	return strip
}

// present is the newest word of a replica, unless that is long ago: clocks may differ.
func (b *Book) present(now time.Time) time.Time {
	if now.Sub(b.ledger.Newest()) > coverage.Silence {
		return now
	}
	return b.ledger.Newest()
}

// within reports whether gaps are, but for a heartbeat at their ends, those of
// everything, which then go without saying.
func within(gaps, whole []coverage.Gap) bool {
	return !slices.ContainsFunc(gaps, func(g coverage.Gap) bool {
		return !slices.ContainsFunc(whole, func(w coverage.Gap) bool {
			return !g.From.Before(w.From.Add(-time.Second)) && !g.Until.After(w.Until.Add(time.Second))
		})
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// gapsOf are the gaps of some users, and those of everything, while a call lived.
func (b *Book) gapsOf(users []event.User, from, until time.Time) (all []coverage.Gap) {
	w := coverage.Window{From: from, Until: until, Now: b.present(until)}
	all = b.ledger.GapsOf(coverage.Everything, w)
	for _, u := range users {
		for _, g := range b.ledger.GapsOf(u.UserID, w) {
			if !within([]coverage.Gap{g}, all) {
				g.Entity = cmp.Or(u.UserName, u.UserID)
				all = append(all, g)
			}
		}
	}
	slices.SortStableFunc(all, func(x, y coverage.Gap) int { return x.From.Compare(y.From) })
	return all
}
