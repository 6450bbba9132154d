package replay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// trace replays a script and writes down what happens, as the tests of package
// call do.
type trace struct {
	out    bytes.Buffer
	c, was *call.Call
}

// play returns what becomes of a script within the usual limits.
func play(lines []line) []byte {
	t := &trace{c: call.New("c1")}
	for _, l := range lines {
		t.timersUntil(l.stored)
		if l.raw.EventType == "" {
			fmt.Fprintln(&t.out, l.text)
			t.c.MarkGap()
			continue
		}
		t.remember()
		told, verdict := t.c.Apply(l.raw, l.stored, call.DefaultLimits())
		fmt.Fprint(&t.out, l.text)
		if verdict != call.Changed {
			fmt.Fprintf(&t.out, ": %s", verdict)
		}
		fmt.Fprintln(&t.out)
		t.tell(told, l.stored, l.raw.ID)
	}
	t.timersUntil(start.Add(1000 * time.Hour))
	return t.out.Bytes()
}

func (t *trace) remember() {
	was := *t.c
	was.Users, was.Legs = slices.Clone(was.Users), slices.Clone(was.Legs)
	t.was = &was
}

func (t *trace) timersUntil(end time.Time) {
	limits := call.DefaultLimits()
	for due := t.c.Due(limits); !due.IsZero() && !due.After(end); due = t.c.Due(limits) {
		if t.c.Forgotten(due, limits) {
			fmt.Fprintf(&t.out, "+%v forgotten\n", due.Sub(start))
			t.c = call.New("c1")
			return
		}
		t.remember()
		fmt.Fprintf(&t.out, "+%v timer\n", due.Sub(start))
		t.tell(t.c.Tick(due, limits), due, "")
	}
}

func (t *trace) tell(told []event.Call, stored time.Time, id string) {
	for i, p := range t.c.Users {
		before := "none"
		if i < len(t.was.Users) {
			before = t.was.Users[i].State.String()
		}
		t.moved(p.ID, before, p.State.String())
	}
	for i, l := range t.c.Legs {
		before := "none"
		if i < len(t.was.Legs) {
			before = t.was.Legs[i].State.String()
		}
		t.moved(l.ID+" (outbound)", before, l.State.String())
	}
	for _, e := range told {
		fmt.Fprintf(&t.out, "\t%s\n", describe(e, stored, id))
	}
	if was, is := t.was.Phase, t.c.Phase; was != is {
		fmt.Fprintf(&t.out, "\tthe call is %s\n", [...]string{"idle", "open", "closed"}[is])
	}
}

func (t *trace) moved(who, before, after string) {
	if before != after {
		fmt.Fprintf(&t.out, "\t%s: %s -> %s\n", who, before, after)
	}
}

// describe leaves out what goes without saying.
func describe(e event.Call, stored time.Time, id string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s to", e.Sequence, strings.ToUpper(string(e.Type)))
	for _, u := range e.Audience {
		fmt.Fprintf(&b, " %s", u.UserID)
	}
	if e.AnsweredBy != nil {
		fmt.Fprintf(&b, ", answered by %s", e.AnsweredBy.UserID)
	}
	note := func(on bool, format string, args ...any) {
		if on {
			fmt.Fprintf(&b, ", "+format, args...)
		}
	}
	note(e.Direction == event.Outbound, "outbound")
	note(e.HuntGroup, "group")
	note(e.CallerWithheld, "withheld")
	note(!e.CallerWithheld && e.Caller != customer, "caller %s", e.Caller)
	note(e.Called != agency, "called %s", e.Called)
	note(e.Inferred, "inferred")
	note(e.Coverage == event.Gap, "coverage gap")
	note(!e.OccurredAt.Equal(stored), "at +%v", e.OccurredAt.Sub(start))
	note(e.Cause.EventID != id, "cause %s %s", e.Cause.EventID, e.Cause.EventType)
	return b.String()
}
