package replay

import (
	"fmt"
	"io"
	"strings"

	"ringstream/transform/internal/replay/explain"
)

// report prints what diff found: each call that differs, then a summary.
func (c palette) report(w io.Writer, f findings, limit int) {
	listed := f.listed(limit)
	for _, p := range listed {
		c.parted(w, p, f.side)
	}
	if more := len(f.Parted) - len(listed); more > 0 {
		fmt.Fprintf(w, "and %s\n", explain.Count(more, "more call"))
	}
	fmt.Fprintf(w, "RTE %d to %d (%s to %s), %s: %s of %s compared\n",
		f.rte.First, f.rte.Last, f.rte.From.Format(explain.StoredFormat), f.rte.To.Format(explain.StoredFormat), f.upTo,
		explain.Count(f.Events, "event"), explain.Count(f.Calls, "call"))
	if n := len(f.Cut); n > 0 {
		fmt.Fprintf(w, "left out: %s that may have begun before RTE's first message\n", explain.Count(n, "call"))
	}
	if n := len(f.Behind); n > 0 {
		fmt.Fprintf(w, "%s: %s that RTE implies, from %s (RTE %d) on\n",
			c.paint(amber, "not told yet"), explain.Count(n, "event"), f.Behind[0].Call.EventID(), f.Behind[0].At.In)
	}
	if len(f.Parted) == 0 {
		fmt.Fprintln(w, c.paint(green, f.verdict()))
		return
	}
	c.summary(w, f)
}

// summary counts the differences by kind, and the calls by how they part.
func (c palette) summary(w io.Writer, f findings) {
	kinds := f.Differences()
	var parts []string
	for _, k := range []Kind{Missing, Extra, Doubled, Changed, Misplaced} {
		if kinds[k] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", kinds[k], k))
		}
	}
	fmt.Fprintf(w, "%s: %s, %s\n", c.paint(red, f.verdict()), explain.Count(len(f.Parted), "call"), strings.Join(parts, ", "))
	if len(f.Parted) > 1 {
		for _, g := range f.groups() {
			fmt.Fprintf(w, "  %s: %s\n", explain.Count(g.Calls, "call"), g.Where)
		}
	}
	if f.short {
		fmt.Fprintln(w, "FILE agrees as far as it goes: if RTE has gone on since, give run and diff the same --until")
	}
	whose := "transform's"
	if f.side == sideFile {
		whose = "the other binary's"
	}
	fmt.Fprintf(w, "folded with RING_TIMEOUT=%s TALK_TIMEOUT=%s SETTLE_TIMEOUT=%s CLOSED_MEMORY=%s; are these %s?\n",
		f.limits.Ring, f.limits.Talk, f.limits.Settle, f.limits.Memory, whose)
}

// parted prints where a call parts and why.
func (c palette) parted(w io.Writer, p Parted, other side) {
	d := p.Differences[0]
	fmt.Fprintf(w, "call %s parts at its event %d: %s\n", p.Key, d.Nth, c.paint(red, string(d.Kind)))
	line := func(side, text string) { fmt.Fprintf(w, "  %-6s %s\n", side, explain.Plain(text)) }
	if d.Want != nil {
		line("RTE", wantLine(*d.Want))
	}
	if d.Have != nil {
		line(string(other), d.haveLine())
	}
	line("why", d.why(other))
	for _, f := range d.Fields {
		fmt.Fprintf(w, "         %s: RTE gives %s, %s holds %s\n", explain.Plain(f.Name), explain.Plain(f.Want), other, explain.Plain(f.Have))
	}
	if more := len(p.Differences) - 1; more > 0 {
		fmt.Fprintf(w, "         and %s further on\n", explain.Count(more, "difference"))
	}
}

func wantLine(t Told) string {
	return fmt.Sprintf("%s %s %s, %s %s", t.Call.EventID(), t.Call.Type, explain.ToldTo(t.Call), caller(t.Call), because(t))
}

// haveLine says of an event that the fold does not tell also whom it tells, and
// after what.
func (d Difference) haveLine() string {
	h := d.Have
	e, err := h.call()
	if err != nil {
		return fmt.Sprintf("message %d under %s: %v", h.Seq, h.Subject, err)
	}
	text := h.ID + " " + string(e.Type)
	if d.Want == nil {
		text += fmt.Sprintf(" %s, after %s %s", explain.ToldTo(e), e.Cause.EventType, e.Cause.EventID)
	}
	switch {
	case h.Printed:
		return fmt.Sprintf("%s, line %d of FILE", text, h.Seq)
	case h.Stated:
		return fmt.Sprintf("%s, message %d of CALLS, RTE %d", text, h.Seq, h.At.In)
	default:
		return fmt.Sprintf("%s, message %d of CALLS, of no position in RTE", text, h.Seq)
	}
}
