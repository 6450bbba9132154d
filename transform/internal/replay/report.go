package replay

import (
	"fmt"
	"io"
	"strings"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/explain"
)

// report prints what diff found: each call that differs, then a summary.
func (c palette) report(w io.Writer, r Report, want *wanted, last uint64, limits call.Limits) {
	for _, p := range r.Parted {
		c.parted(w, p)
	}
	fmt.Fprintf(w, "RTE %d to %d (%s to %s), CALLS up to %d: %s of %s compared\n",
		want.rte.First, want.rte.Last, want.rte.From.Format(explain.StoredFormat), want.rte.To.Format(explain.StoredFormat), last,
		explain.Count(r.Events, "event"), explain.Count(r.Calls, "call"))
	if n := len(r.Cut); n > 0 {
		fmt.Fprintf(w, "left out: %s that may have begun before RTE's first message\n", explain.Count(n, "call"))
	}
	if n := len(r.Behind); n > 0 {
		fmt.Fprintf(w, "%s: %s that RTE implies, from %s (RTE %d) on\n",
			c.paint(amber, "not told yet"), explain.Count(n, "event"), r.Behind[0].Call.EventID(), r.Behind[0].At.In)
	}
	if len(r.Parted) == 0 {
		verdict := "equal"
		if len(r.Behind) > 0 {
			verdict = "equal so far"
		}
		fmt.Fprintln(w, c.paint(green, verdict))
		return
	}
	kinds := map[Kind]int{}
	for _, p := range r.Parted {
		for _, d := range p.Differences {
			kinds[d.Kind]++
		}
	}
	var parts []string
	for _, k := range []Kind{Missing, Extra, Doubled, Changed, Misplaced} {
		if kinds[k] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", kinds[k], k))
		}
	}
	fmt.Fprintf(w, "%s: %s, %s\n", c.paint(red, "different"), explain.Count(len(r.Parted), "call"), strings.Join(parts, ", "))
	fmt.Fprintf(w, "folded with RING_TIMEOUT=%s TALK_TIMEOUT=%s SETTLE_TIMEOUT=%s CLOSED_MEMORY=%s; are these transform's?\n",
		limits.Ring, limits.Talk, limits.Settle, limits.Memory)
}

// parted prints where a call parts and why.
func (c palette) parted(w io.Writer, p Parted) {
	d := p.Differences[0]
	fmt.Fprintf(w, "call %s parts at its event %d: %s\n", p.Key, d.Nth, c.paint(red, string(d.Kind)))
	line := func(side, text string) { fmt.Fprintf(w, "  %-6s %s\n", side, text) }
	if d.Want != nil {
		line("RTE", wantLine(*d.Want))
	}
	if d.Have != nil {
		line("CALLS", haveLine(*d.Have))
	}
	line("why", d.why())
	for _, f := range d.Fields {
		fmt.Fprintf(w, "         %s: RTE gives %s, CALLS holds %s\n", f.Name, f.Want, f.Have)
	}
	if more := len(p.Differences) - 1; more > 0 {
		fmt.Fprintf(w, "         and %s further on\n", explain.Count(more, "difference"))
	}
}

func wantLine(t Told) string {
	return fmt.Sprintf("%s %s %s, %s %s", t.Call.EventID(), t.Call.Type, explain.ToldTo(t.Call), caller(t.Call), because(t))
}

func haveLine(h Held) string {
	e, err := event.Decode(h.Header, h.Body)
	if err != nil {
		return fmt.Sprintf("message %d under %s: %v", h.Seq, h.Subject, err)
	}
	kind := strings.TrimSuffix(strings.TrimPrefix(e.Type(), event.CallTypePrefix), ".v1")
	from := "of no position in RTE"
	if h.Stated {
		from = fmt.Sprintf("RTE %d", h.At.In)
	}
	return fmt.Sprintf("%s %s, message %d of CALLS, %s", e.ID(), kind, h.Seq, from)
}

func (d Difference) why() string {
	switch {
	case d.Kind == Missing:
		return "transform has folded past it, but CALLS does not hold it"
	case d.Kind == Misplaced:
		return "CALLS holds it behind a later event of the same call"
	case d.Kind == Doubled:
		return "CALLS holds it twice"
	case d.Kind == Changed:
		names := make([]string, len(d.Fields))
		for i, f := range d.Fields {
			names[i] = f.Name
		}
		return "the same event with other content: " + strings.Join(names, ", ")
	case !d.Have.Stated:
		return "it states no position in RTE (X-In), so transform did not write it"
	default:
		return fmt.Sprintf("nothing in RTE up to %d makes the fold tell it", d.Have.At.In)
	}
}
