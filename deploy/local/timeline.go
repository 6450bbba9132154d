package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// timeline makes lines of entries. It has no clock: entries wait in it until
// they are due, because the streams are read side by side and an effect may be
// read before its cause.
type timeline struct {
	paint   paint
	pending []entry
	calls   map[string]*shown
	order   []string // ids of the calls, oldest first
	labels  int
	took    []time.Duration // of every notification that did not wait for a call to settle
}

// shown is what is remembered of a call.
type shown struct {
	label  string
	first  time.Time
	stored map[string]time.Time // when each raw event was, by id
	causes map[string]string    // newest cause of each notification, by subType
}

// remembered bounds the calls of a timeline that runs for days.
const remembered = 200

func newTimeline(p paint) *timeline { return &timeline{paint: p, calls: map[string]*shown{}} }

func (t *timeline) add(e entry) { t.pending = append(t.pending, e) }

// due takes out what happened before a time, as lines in the order in which it happened.
func (t *timeline) due(before time.Time) []string {
	slices.SortStableFunc(t.pending, func(a, b entry) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.stage, b.stage))
	})
	n := slices.IndexFunc(t.pending, func(e entry) bool { return !e.at.Before(before) })
	if n < 0 {
		n = len(t.pending)
	}
	var lines []string
	for _, e := range t.pending[:n] {
		lines = append(lines, t.lines(e)...)
	}
	t.pending = slices.Delete(t.pending, 0, n)
	return lines
}

func (t *timeline) lines(e entry) []string {
	if e.stage == stageNote {
		return strings.Split(e.about, "\n")
	}
	var lines []string
	c, known := t.calls[e.callID]
	if !known {
		c = t.meet(e)
		lines = []string{"", t.paint.dim("    " + c.label + " is call " + e.callID)}
	}
	c.learn(e)
	return append(lines, t.line(c, e))
}

func (t *timeline) meet(e entry) *shown {
	c := &shown{label: label(t.labels), first: e.at, stored: map[string]time.Time{}, causes: map[string]string{}}
	t.labels++
	t.calls[e.callID] = c
	t.order = append(t.order, e.callID)
	if len(t.order) > remembered {
		delete(t.calls, t.order[0])
		t.order = t.order[1:]
	}
	return c
}

// label counts A to Z, AA, AB and so on.
func label(n int) string {
	text := ""
	for n++; n > 0; n = (n - 1) / 26 {
		text = string(rune('A'+(n-1)%26)) + text
	}
	return text
}

func (c *shown) learn(e entry) {
	switch e.stage {
	case stageRaw:
		c.stored[e.cause] = e.at
	case stageCall:
		c.causes[e.kind+"Call"] = e.cause
	}
}

// took is how long after its cause was stored a notification arrived.
func (c *shown) took(e entry) (time.Duration, bool) {
	stored, known := c.stored[c.causes[e.kind]]
	return e.at.Sub(stored), known && e.stage == stagePost
}

const aboutWidth = 40

// header names the columns of line.
func header(p paint) string {
	return p.dim(fmt.Sprintf("%-3s %7s  %-4s  %-28s %s %-4s %8s", "", "ms", "", "what", pad("who", aboutWidth), "to", "took ms"))
}

func (t *timeline) line(c *shown, e entry) string {
	what, took := e.kind, ""
	if e.stage >= stagePost {
		what = fmt.Sprintf("%-14s %s", e.kind, e.result)
	}
	if d, known := c.took(e); known {
		took = fmt.Sprint(d.Milliseconds())
		if e.kind != missed {
			t.took = append(t.took, d)
		}
	}
	offset := e.at.Sub(c.first).Milliseconds()
	text := fmt.Sprintf("%7d  %-4s  %-28s %s %-4s %8s", offset, names[e.stage], what, pad(e.about, aboutWidth), e.negotiator, took)
	return t.paint.bold(fmt.Sprintf("%-3s", c.label)) + " " + t.paint.stage(e, strings.TrimRight(text, " "))
}

var names = map[stage]string{stageRaw: "rte", stageCall: "call", stagePost: "POST", stageSkip: "none"}

// pad fills a column; what is too long for it pushes the rest to the right, so
// that nothing is hidden.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
