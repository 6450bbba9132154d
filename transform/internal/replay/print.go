package replay

import (
	"fmt"
	"io"

	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/transform/internal/replay/explain"
)

// printer writes call events as they are told.
type printer func(w io.Writer, t Told) error

// printers are the formats of run that tell one event at a time.
func printers(c palette) map[string]printer {
	return map[string]printer{"text": c.textLine, "json": jsonLine}
}

// jsonLine is the data as they are encoded, without what CALLS has in the header.
func jsonLine(w io.Writer, t Told) error {
	return printLine(w, t.Call)
}

// textLine is one event a line, in columns: when the fold told it, when it
// happened, the call, what, who called, who is told, and why.
func (c palette) textLine(w io.Writer, t Told) error {
	e := t.Call
	_, err := fmt.Fprintf(w, "%s  %s  %s  %s  %-10s  %s  %s\n",
		t.Stored.UTC().Format(explain.StoredFormat), explain.Occurred(e.OccurredAt, t.Stored), c.faint(fmt.Sprintf("%-39s", explain.Plain(e.EventID()))),
		c.kind(e.Type, fmt.Sprintf("%-19s", e.Type)), caller(e), explain.ToldTo(e), c.faint(because(t)))
	return err
}

func caller(e event.Call) string {
	if e.CallerWithheld || e.Caller == "" {
		return "withheld"
	}
	if masked := telemetry.Mask(e.Caller); masked != "" {
		return masked
	}
	return "-"
}

// because names the raw event, and what else is to be known.
func because(t Told) string {
	e := t.Call
	why := fmt.Sprintf("after %s", e.Cause.EventType)
	if e.Cause.Reason != nil && *e.Cause.Reason != "" {
		why += " (" + explain.Masking(true).Text(*e.Cause.Reason) + ")"
	}
	why += fmt.Sprintf(" %s, RTE %d", e.Cause.EventID, t.At.In)
	for _, note := range []struct {
		on   bool
		text string
	}{
		{e.Direction == event.Outbound, "outbound"},
		{e.HuntGroup, "group"},
		{e.Inferred, "inferred"},
		{e.Coverage == event.Gap, "coverage gap"},
	} {
		if note.on {
			why += ", " + note.text
		}
	}
	return explain.Plain(why)
}

// palette colours for a terminal, and leaves alone what goes elsewhere.
type palette bool

const (
	red   = "31"
	green = "32"
	amber = "33"
	blue  = "36"
	faint = "2"
)

func (c palette) paint(code, s string) string {
	if !c {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c palette) faint(s string) string { return c.paint(faint, s) }

func (c palette) kind(t event.CallType, s string) string {
	switch t {
	case event.Incoming, event.Outgoing:
		return c.paint(blue, s)
	case event.Answered, event.Connected:
		return c.paint(green, s)
	case event.Missed:
		return c.paint(red, s)
	case event.CallbackRequested:
		return c.paint(amber, s)
	default:
		return s
	}
}
