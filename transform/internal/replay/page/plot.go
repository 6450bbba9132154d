package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// Span is the time that a drawing is of.
type Span struct{ From, Until time.Time }

// Tick is a moment, or a duration, on an axis.
type Tick struct {
	At   int
	Text string
}

// The size of the plot and of the strip, in SVG's units.
const (
	plotLeft, plotRight = 52, 620
	plotTop, plotBottom = 10, 138
)

// X is the place of a moment.
func (s Span) X(at time.Time) int {
	part := float64(at.Sub(s.From)) / float64(s.Until.Sub(s.From))
	return plotLeft + int(math.Round(min(max(part, 0), 1)*(plotRight-plotLeft)))
}

// steps are distances between ticks that people count in.
var steps = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// Ticks of the time axis, at round times.
func (s Span) Ticks() (all []Tick) {
	const most = 7
	step := steps[len(steps)-1]
	for _, d := range slices.Backward(steps) {
		if s.Until.Sub(s.From) <= most*d {
			step = d
		}
	}
	format := "15:04"
	if step == steps[len(steps)-1] {
		step *= max(1, s.Until.Sub(s.From)/(most*step))
		format = "2 Jan"
	}
	for at := s.From.Truncate(step).Add(step); !at.After(s.Until); at = at.Add(step) {
		all = append(all, Tick{s.X(at), at.UTC().Format(format)})
	}
	return all
}

// Plot shows when deliveries ended, and how long they took.
type Plot struct {
	Span
	Levels []Tick
	Series []Series
	Marks  []Mark // the slowest, and what was not delivered
	More   int    // of what was not delivered, that has no mark
}

// Series are the deliveries of a type: one shape for each place where there is any.
type Series struct {
	Type event.CallType
	N    int
	Path string
}

// Mark is a delivery that is a link to its call.
type Mark struct {
	X, Y int
	Delivery
}

// Failed reports whether it was not delivered.
func (m Mark) Failed() bool { return m.Outcome != event.Delivered }

// The scale goes from a millisecond to 100 s, by powers of ten.
const (
	fastest = -3.0
	slowest = 2.0
)

func y(d time.Duration) int {
	power := math.Log10(max(d.Seconds(), 1e-9))
	part := (min(max(power, fastest), slowest) - fastest) / (slowest - fastest)
	return plotBottom - int(math.Round(part*(plotBottom-plotTop)))
}

const (
	slowMarks   = 20
	failedMarks = 60
)

// failures are outcomes that a user may have waited for.
var failures = []event.OutcomeType{event.Expired, event.Rejected, event.Dead, event.Unmapped}

func plot(all []*Summary, s Span) Plot {
	p := Plot{Span: s}
	for _, d := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second} {
		p.Levels = append(p.Levels, Tick{y(d), axisText(d)})
	}
	by := map[event.CallType]*ink{}
	slow := top{most: slowMarks, before: func(a, b *Delivery) bool { return a.Took > b.Took }}
	failed := top{most: failedMarks, before: func(a, b *Delivery) bool { return a.At.After(b.At) }}
	for _, c := range all {
		for i := range c.Deliveries {
			switch d := &c.Deliveries[i]; {
			case d.At.Before(s.From) || d.At.After(s.Until):
			case d.Outcome == event.Delivered:
				draw(by, s, d)
				slow.add(d)
			case slices.Contains(failures, d.Outcome):
				failed.add(d)
			}
		}
	}
	for _, t := range event.CallTypes() {
		if k := by[t]; k != nil {
			p.Series = append(p.Series, Series{Type: t, N: k.n, Path: k.path.String()})
		}
	}
	p.More = failed.more
	p.Marks = slices.Concat(s.marks(slow.all), s.marks(failed.all))
	return p
}

// top keeps the first few of many.
type top struct {
	most   int
	before func(a, b *Delivery) bool
	all    []*Delivery
	more   int // that were left out
}

func (t *top) add(d *Delivery) {
	if len(t.all) == t.most {
		t.more++
		if !t.before(d, t.all[t.most-1]) {
			return
		}
		t.all = t.all[:t.most-1]
	}
	place := len(t.all)
	for place > 0 && t.before(d, t.all[place-1]) {
		place--
	}
	t.all = slices.Insert(t.all, place, d)
}

func (s Span) marks(all []*Delivery) []Mark {
	marks := make([]Mark, len(all))
	for i, d := range all {
		marks[i] = Mark{X: s.X(d.At), Y: y(d.Took), Delivery: *d}
	}
	return marks
}

// ink is what is drawn of one type.
type ink struct {
	n    int
	seen map[[2]int]bool
	path strings.Builder
}

// draw draws what is at the same place once.
func draw(by map[event.CallType]*ink, s Span, d *Delivery) {
	k := by[d.Type]
	if k == nil {
		k = &ink{seen: map[[2]int]bool{}}
		by[d.Type] = k
	}
	k.n++
	at := [2]int{s.X(d.At) &^ 1, y(d.Took) &^ 1}
	if !k.seen[at] {
		k.seen[at] = true
		fmt.Fprintf(&k.path, "M%d %d%s", at[0], at[1], Shape(d.Type))
	}
}

// shapes tell the types apart for those who see no colours, each about a point.
var shapes = map[event.CallType]string{
	event.Incoming: "m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0", // a disc
	event.Answered: "m0-3l3 5.5h-6z",                              // a triangle
	event.Ended:    "m-2.3-2.3h4.6v4.6h-4.6z",                     // a square
	event.Missed:   "m0-3.4l3.4 3.4-3.4 3.4-3.4-3.4z",             // a diamond
}

// Shape of a type, as a path about a point.
func Shape(t event.CallType) string { return shapes[t] }

// axisText is a duration on an axis: 10 ms, 1 s.
func axisText(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}
