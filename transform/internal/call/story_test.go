package call

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"ringstream/schemas/event"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata/*.txtar and STATES.md")

// TestStories replays every testdata/*.txtar. The comment tells the story.
// "events" has one event a line,
//
//	+offset EventType user [key=value ...]
//
// stored at the offset, with "-" for no user, or "+offset gap". Keys: at (its
// Timestamp, where it is not the stored time; "none"), id, reason, caller,
// called, number (of the user), queue; "-" empties. Timers fire by themselves
// when they are due. "want" is the trace: what became of whom, and what was
// told to whom.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d stories (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil || len(ar.Files) != 2 || len(ar.Comment) == 0 {
				t.Fatalf("not a story: %v", err)
			}
			got := play(t, script(t, ar.Files[0].Data))
			if *update {
				ar.Files[1].Data = got
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := ar.Files[1].Data; !bytes.Equal(got, want) {
				t.Errorf("trace differs\ngot:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

var start = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

const (
	customer = "+447700900123"
	agency   = "+441134960000"
)

// line is one line of a script; one without an event type is a gap.
type line struct {
	text   string
	stored time.Time
	raw    event.Raw
}

func script(t *testing.T, text []byte) []line {
	t.Helper()
	var out []line
	for l := range strings.Lines(string(text)) {
		f := strings.Fields(l)
		if len(f) == 0 {
			continue
		}
		d, err := time.ParseDuration(f[0])
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		x := line{text: strings.TrimSpace(l), stored: start.Add(d)}
		if f[1] != "gap" {
			x.raw = rawEvent(t, f[1], f[2], x.stored, f[3:])
			x.raw.ID = cmp.Or(x.raw.ID, fmt.Sprintf("e%d", len(out)+1))
		}
		out = append(out, x)
	}
	return out
}

func rawEvent(t *testing.T, name, user string, stored time.Time, keys []string) event.Raw {
	t.Helper()
	r := event.Raw{
		EventType: name, EntityType: "Queue", CallID: "c1", OrganizationID: "org",
		Timestamp: stored, CallerNumber: customer, TargetNumber: agency,
	}
	if user != "-" {
		r.EntityType, r.UserID, r.UserName = "User", user, user+"@agency.example"
	}
	for _, kv := range keys {
		k, v, _ := strings.Cut(kv, "=")
		v = strings.TrimPrefix(v, "-")
		switch k {
		case "at":
			d, err := time.ParseDuration(v)
			r.Timestamp = start.Add(d)
			if v == "none" {
				r.Timestamp, err = time.Time{}, nil
			}
			if err != nil {
				t.Fatalf("%s: %v", kv, err)
			}
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
			t.Fatalf("unknown key %q", k)
		}
	}
	return r
}

// teller replays a script and writes down what happens.
type teller struct {
	out bytes.Buffer
	c   *Call
	was Call
}

func play(t *testing.T, lines []line) []byte {
	t.Helper()
	tl := &teller{c: New("c1")}
	for _, l := range lines {
		tl.timersUntil(l.stored)
		if l.raw.EventType == "" {
			fmt.Fprintln(&tl.out, l.text)
			tl.c.MarkGap()
			continue
		}
		tl.c = restored(t, tl.c)
		tl.was = *restored(t, tl.c)
		told, verdict := tl.c.Apply(l.raw, l.stored, DefaultLimits())
		fmt.Fprint(&tl.out, l.text)
		if verdict != Changed {
			fmt.Fprintf(&tl.out, ": %s", verdict)
		}
		fmt.Fprintln(&tl.out)
		tl.tell(told, l.stored, l.raw.ID)
	}
	tl.timersUntil(start.Add(1000 * time.Hour))
	return tl.out.Bytes()
}

// restored puts the call through its snapshot format.
func restored(t interface{ Fatal(...any) }, c *Call) *Call {
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Call)
	if err := json.Unmarshal(b, back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, c) {
		t.Fatal("the snapshot lost something:", string(b))
	}
	return back
}

func (tl *teller) timersUntil(end time.Time) {
	for due := tl.c.Due(DefaultLimits()); !due.IsZero() && !due.After(end); due = tl.c.Due(DefaultLimits()) {
		if tl.c.Forgotten(due, DefaultLimits()) {
			fmt.Fprintf(&tl.out, "+%v forgotten\n", due.Sub(start))
			tl.c = New("c1")
			return
		}
		tl.was = *tl.c
		tl.was.Users = append([]participant(nil), tl.c.Users...)
		tl.was.Legs = append([]leg(nil), tl.c.Legs...)
		fmt.Fprintf(&tl.out, "+%v timer\n", due.Sub(start))
		tl.tell(tl.c.Tick(due, DefaultLimits()), due, "")
	}
}

func (tl *teller) tell(told []event.Call, stored time.Time, id string) {
	for i, p := range tl.c.Users {
		before := none
		if i < len(tl.was.Users) {
			before = tl.was.Users[i].State
		}
		if before != p.State {
			fmt.Fprintf(&tl.out, "\t%s: %s -> %s\n", p.ID, before, p.State)
		}
	}
	for i, l := range tl.c.Legs {
		before := legNone
		if i < len(tl.was.Legs) {
			before = tl.was.Legs[i].State
		}
		if before != l.State {
			fmt.Fprintf(&tl.out, "\t%s (outbound): %s -> %s\n", l.ID, before, l.State)
		}
	}
	for _, e := range told {
		fmt.Fprintf(&tl.out, "\t%s\n", describe(e, stored, id))
	}
	if was, is := tl.was.Phase, tl.c.Phase; was != is {
		fmt.Fprintf(&tl.out, "\tthe call is %s\n", [...]string{"idle", "open", "closed"}[is])
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
