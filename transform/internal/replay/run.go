package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/transform/internal/call"
)

// run folds RTE and prints the call events selected.
func (c *command) run(ctx context.Context, js jetstream.JetStream, s Settings, sel Selection, format string) error {
	rte, err := lookRTE(ctx, js, s)
	if err != nil {
		return err
	}
	refold := NewRefold(rte.partitions, s.Limits)
	var story *witness
	if format == "story" {
		story = newWitness(sel.Call, s.Limits)
	}
	out := bufio.NewWriter(c.out)
	show := printers(c.colour)[format]
	bar := progress{w: c.bar, what: "folding"}
	printed := 0
	err = read(ctx, js, rte, rte.first, func(m bus.Message) error {
		if sel.Past(m.Stored) {
			return errEnd
		}
		in, told := refold.Take(m)
		for _, t := range told {
			if !sel.Has(t) {
				continue
			}
			printed++
			if story != nil {
				continue
			}
			bar.done()
			if err := show(out, t); err != nil {
				return fmt.Errorf("print: %w", err)
			}
			if c.bar != nil {
				_ = out.Flush() // before the bar writes over it
			}
		}
		if story != nil && refold.reads(partitionOf(sel.Call, rte.partitions), m.Subject) {
			if err := story.see(in); err != nil {
				return err
			}
		}
		bar.at(rte, m.Seq)
		return nil
	})
	bar.done()
	if err == nil && story != nil {
		err = c.tell(out, story, s.Limits, printed)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if refold.Unreadable > 0 {
		fmt.Fprintf(c.err, "%s of RTE could not be read and changed nothing\n", count(refold.Unreadable, "message"))
	}
	if printed == 0 {
		fmt.Fprintf(c.err, "no call event selected; RTE holds %s to %s\n", rte.from.Format(storedFormat), rte.to.Format(storedFormat))
	}
	return nil
}

// tell prints the story of a call.
func (c *command) tell(out *bufio.Writer, w *witness, limits call.Limits, events int) error {
	if len(w.Moments) == 0 {
		return fmt.Errorf("%w: RTE holds no event of call %s; ids are those of telephony, in lower case", ErrNothing, w.call)
	}
	comment := fmt.Sprintf("A call as RTE recorded it: %d moments, %d call events. Names and numbers are aliases.", len(w.Moments), events)
	if limits != call.DefaultLimits() {
		comment += "\nIt was folded with other limits than those that this story is told by."
	}
	_, err := out.Write(Story(comment, w.Moments))
	return err
}
