package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

// running is one run: RTE is folded, and what is selected printed.
type running struct {
	rte     stream.Span
	sel     Selection
	refold  *Refold
	story   *witness // nil unless the format is story
	show    printer  // nil if it is
	out     *bufio.Writer
	bar     progress
	printed int
	heard   bool // some raw event is of what was asked for
}

func (c *command) run(ctx context.Context, s tape, sel Selection, format string) error {
	rte := s.rte
	r := running{
		rte: rte, sel: sel, refold: NewRefold(rte.Partitions, s.limits), show: printers(c.colour)[format],
		out: bufio.NewWriter(c.out), bar: progress{w: c.bar, what: "folding"},
	}
	if format == "story" {
		r.story = newWitness(sel.Call, s.limits)
	}
	err := ahead(ctx, s.read, r.take)
	r.bar.done()
	if err == nil && r.story != nil {
		err = r.tell(s.limits)
	}
	if err := errors.Join(err, r.out.Flush()); err != nil {
		return err
	}
	if n := r.refold.Unreadable; n > 0 {
		fmt.Fprintf(c.err, "%s of RTE could not be read and changed nothing\n", explain.Count(n, "message"))
	}
	if r.sel.Narrow() && !r.heard {
		return fmt.Errorf("%w: RTE holds no event %s", stream.ErrNothing, sel)
	}
	if r.printed == 0 {
		fmt.Fprintf(c.err, "no call event selected; RTE holds %s to %s\n", rte.From.Format(explain.StoredFormat), rte.To.Format(explain.StoredFormat))
	}
	return nil
}

func (r *running) take(m decoded) error {
	if r.sel.Past(m.Stored) {
		return stream.ErrEnd
	}
	r.heard = r.heard || m.in.Raw != nil && r.sel.Asks(*m.in.Raw)
	for _, t := range r.refold.step(m) {
		if !r.sel.Has(t) {
			continue
		}
		r.printed++
		if err := r.print(t); err != nil {
			return err
		}
	}
	r.bar.at(r.rte, m.Seq)
	if r.story == nil || !r.refold.reads(partitionOf(r.sel.Call, r.rte.Partitions), m.Subject) {
		return nil
	}
	r.story.see(m.in)
	return nil
}

func (r *running) print(t Told) error {
	if r.show == nil {
		return nil
	}
	r.bar.done()
	if err := r.show(r.out, t); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if r.bar.w == nil {
		return nil
	}
	return r.out.Flush() // before the bar writes over it
}

// tell prints the story of a call.
func (r *running) tell(limits call.Limits) error {
	w := r.story
	if len(w.Moments) == 0 {
		return fmt.Errorf("%w: RTE holds no event %s", stream.ErrNothing, r.sel)
	}
	comment := fmt.Sprintf("A call as RTE recorded it: %d moments, %d call events. Names and numbers are aliases.", len(w.Moments), r.printed)
	if limits != call.DefaultLimits() {
		comment += "\nIt was folded with other limits than those that this story is told by."
	}
	_, err := r.out.Write(Story(comment, w.Moments))
	return err
}
