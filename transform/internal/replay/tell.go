package replay

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ringstream/transform/internal/replay/explain"
)

// tellCall prints what is said of one call.
func (c *command) tellCall(a explain.Answered, format string) error {
	return c.tell(format, a, func(w io.Writer) {
		fmt.Fprintln(w, a.Answer)
		c.colour.answered(w, a, a.Answer)
	})
}

// tellUser prints what is said of a user.
func (c *command) tellUser(s explain.Searched, format string) error {
	return c.tell(format, s, func(w io.Writer) {
		fmt.Fprintln(w, s.Answer)
		if s.None != nil {
			checks(w, s.None.Check)
		}
		for _, a := range s.Calls {
			c.colour.answered(w, a, s.Answer)
		}
	})
}

func (c *command) tell(format string, v any, text func(io.Writer)) error {
	out := bufio.NewWriter(c.out)
	if format == "json" {
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		if err := lines.Encode(v); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	} else {
		text(out)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// answered prints a call: for whom what, then what happened when. What was said
// already is not repeated.
func (c palette) answered(w io.Writer, a explain.Answered, said string) {
	fmt.Fprintf(w, "\ncall %s", explain.Plain(a.Call))
	if !a.When.IsZero() {
		fmt.Fprintf(w, " of %s (times are UTC)", a.When.UTC().Format(time.DateOnly))
	}
	if a.Caller != "" {
		fmt.Fprintf(w, ", caller %s", a.Caller)
	}
	fmt.Fprintln(w)
	known := map[string]bool{}
	for _, v := range a.Users {
		mark := c.paint(red, "not told") + fmt.Sprintf(" (%s)", v.Cause)
		if v.Told {
			mark = c.paint(green, "told")
		}
		fmt.Fprintf(w, "  %s, %s: %s\n", explain.NameOf(v.User), cmp.Or(v.Negotiator, "no negotiator"), mark)
		if v.Sentence != said {
			fmt.Fprintf(w, "    %s\n", v.Sentence)
		}
		checks(w, slices.DeleteFunc(slices.Clone(v.Check), func(s string) bool { return known[s] }))
		for _, s := range v.Check {
			known[s] = true
		}
	}
	fmt.Fprintln(w)
	for _, e := range a.Timeline {
		_ = c.entry(w, e) // w keeps an error until it is flushed
	}
}

func checks(w io.Writer, all []string) {
	for _, check := range all {
		fmt.Fprintf(w, "    check: %s\n", explain.Plain(check))
	}
}

// entry is one line of a timeline, and one for each transition.
func (c palette) entry(w io.Writer, e explain.Entry) error {
	var b strings.Builder
	from := e.Stream
	if e.Seq > 0 {
		from = fmt.Sprintf("%s %d", e.Stream, e.Seq)
	}
	fmt.Fprintf(&b, "%s  %-16s %s\n", e.At.UTC().Format(explain.OccurredFormat), from, e.What)
	for _, m := range e.Moves {
		side := ""
		if m.Outbound {
			side = " (outbound)"
		}
		fmt.Fprintln(&b, strings.Repeat(" ", 31)+c.faint(fmt.Sprintf("%s%s: %s -> %s", explain.NameOf(m.User), side, m.From, m.To)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
