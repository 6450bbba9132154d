package call

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// A story is a call written down, by people for the tests of this package or by
// replay from what RTE recorded. It has one event a line,
//
//	+offset EventType user [key=value ...]
//
// stored at the offset, with "-" for no user, or "+offset gap" and, if it
// was none after all, "+offset filled". Keys: at (its
// Timestamp, where it is not the stored time; "none"), id, reason, caller,
// called, number (of the user), queue; "-" empties.

// Line is one line of a story; one whose event has no type is a gap,
// or its filling.
type Line struct {
	Text   string
	Stored time.Time
	Raw    event.Raw
	Filled bool
}

// What goes without saying in a story: who rings, and whom.
const (
	StoryCaller = "+447700900123"
	StoryCalled = "+441134960000"
)

// StoryStart is when every story begins.
func StoryStart() time.Time { return time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC) }

// ReadStory reads the lines of a story.
func ReadStory(text string) ([]Line, error) {
	var lines []Line
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		if len(f) == 0 {
			continue
		}
		x, err := readLine(f)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", strings.TrimSpace(l), err)
		}
		x.Text = strings.TrimSpace(l)
		if x.Raw.EventType != "" {
			x.Raw.ID = cmp.Or(x.Raw.ID, fmt.Sprintf("e%d", len(lines)+1))
		}
		lines = append(lines, x)
	}
	return lines, nil
}

func readLine(f []string) (Line, error) {
	offset, err := time.ParseDuration(f[0])
	l := Line{Stored: StoryStart().Add(offset)}
	switch {
	case err != nil:
		return l, err
	case len(f) == 2 && (f[1] == "gap" || f[1] == "filled"):
		l.Filled = f[1] == "filled"
		return l, nil
	case len(f) < 3:
		return l, fmt.Errorf("no user")
	}
	l.Raw = event.Raw{
		EventType: f[1], EntityType: "Queue", CallID: "c1", OrganizationID: "org",
		Timestamp: l.Stored, CallerNumber: StoryCaller, TargetNumber: StoryCalled,
	}
	if user := f[2]; user != "-" {
		l.Raw.EntityType, l.Raw.UserID, l.Raw.UserName = "User", user, user+"@agency.example"
	}
	for _, kv := range f[3:] {
		if err := readKey(&l.Raw, kv); err != nil {
			return l, err
		}
	}
	return l, nil
}

func readKey(r *event.Raw, kv string) error {
	k, v, _ := strings.Cut(kv, "=")
	v = strings.TrimPrefix(v, "-")
	switch k {
	case "at":
		if v == "none" {
			r.Timestamp = time.Time{}
			return nil
		}
		d, err := time.ParseDuration(v)
		r.Timestamp = StoryStart().Add(d)
		return err
	case "id":
		r.ID = v
	case "reason":
		r.Reason = &v
	case "caller":
		r.CallerNumber = v
	case "called":
		r.TargetNumber = v
	case "number":
		r.UserNumber = v
	case "queue":
		r.TechQueueID = v
	default:
		return fmt.Errorf("unknown key %q", k)
	}
	return nil
}

// TellStory writes what becomes of a story within the usual limits: what
// becomes of whom, and what is told to whom. Timers fire by themselves. renew
// is given the call before every event, and what it returns goes on.
func TellStory(lines []Line, renew func(*Call) *Call) string {
	t := &teller{c: New("c1")}
	for _, l := range lines {
		t.timersUntil(l.Stored)
		if l.Raw.EventType == "" {
			t.say("%s", l.Text)
			t.c.MarkGap()
			if l.Filled {
				t.c.FillGap()
			}
			continue
		}
		t.c = renew(t.c)
		t.remember()
		told, verdict := t.c.Apply(l.Raw, l.Stored, DefaultLimits())
		if verdict == Changed {
			t.say("%s", l.Text)
		} else {
			t.say("%s: %s", l.Text, verdict)
		}
		t.tell(told, l.Stored, l.Raw.ID)
	}
	t.timersUntil(StoryStart().Add(1000 * time.Hour))
	return t.out.String()
}

// teller tells a story.
type teller struct {
	out strings.Builder
	c   *Call
	was Call
}

func (t *teller) say(format string, args ...any) { fmt.Fprintf(&t.out, format+"\n", args...) }

func (t *teller) remember() {
	t.was = *t.c
	t.was.Users, t.was.Legs = slices.Clone(t.c.Users), slices.Clone(t.c.Legs)
}

func (t *teller) timersUntil(end time.Time) {
	limits := DefaultLimits()
	for due := t.c.Due(limits); !due.IsZero() && !due.After(end); due = t.c.Due(limits) {
		if t.c.Forgotten(due, limits) {
			t.say("+%v forgotten", due.Sub(StoryStart()))
			t.c = New("c1")
			return
		}
		t.remember()
		t.say("+%v timer", due.Sub(StoryStart()))
		t.tell(t.c.Tick(due, limits), due, "")
	}
}

func (t *teller) tell(told []event.Call, stored time.Time, id string) {
	for i, p := range t.c.Users {
		before := none
		if i < len(t.was.Users) {
			before = t.was.Users[i].State
		}
		if before != p.State {
			t.say("\t%s: %s -> %s", p.ID, before, p.State)
		}
	}
	for i, l := range t.c.Legs {
		before := legNone
		if i < len(t.was.Legs) {
			before = t.was.Legs[i].State
		}
		if before != l.State {
			t.say("\t%s (outbound): %s -> %s", l.ID, before, l.State)
		}
	}
	for _, e := range told {
		t.say("\t%s", describe(e, stored, id))
	}
	if was, is := t.was.Phase, t.c.Phase; was != is {
		t.say("\tthe call is %s", [...]string{"idle", "open", "closed"}[is])
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
	note(!e.CallerWithheld && e.Caller != StoryCaller, "caller %s", e.Caller)
	note(e.Called != StoryCalled, "called %s", e.Called)
	note(e.Inferred, "inferred")
	note(e.Coverage == event.Gap, "coverage gap")
	note(!e.OccurredAt.Equal(stored), "at +%v", e.OccurredAt.Sub(StoryStart()))
	note(e.Cause.EventID != id, "cause %s %s", e.Cause.EventID, e.Cause.EventType)
	return b.String()
}
