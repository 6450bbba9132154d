package replay

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/tools/txtar"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/bundle"
)

// Moment is what a call lived through at one time: a raw event, or, with none,
// a gap in the coverage, or that it was filled.
type Moment struct {
	Stored time.Time
	Raw    *event.Raw
	Filled bool
}

// witness picks out of the raw stream what one call lived through.
type witness struct {
	call    string
	lone    *fold.Fold // knows this call alone: whether a gap marked it shows in its snapshot
	marked  bool
	Moments []Moment
}

func newWitness(callID string, limits call.Limits) *witness {
	return &witness{call: callID, lone: fold.New(limits)}
}

// see takes what a message of the call's partition was read as.
func (w *witness) see(in fold.Input) {
	if in.Raw != nil && (in.Raw.CallID != w.call || !call.Concerns(*in.Raw)) {
		in.Raw = nil // it carries the clock on
	}
	w.lone.Step(in)
	w.mark(in)
	if in.Raw != nil {
		w.Moments = append(w.Moments, Moment{Stored: in.Stored, Raw: in.Raw})
	}
}

// mark notes a gap that marked the call, or that it did not any more. It may be
// known only by somebody who takes part from now on.
func (w *witness) mark(in fold.Input) {
	if w.lone.Known() == 0 {
		w.marked = false
		return
	}
	if in.Feed == nil && in.Raw == nil {
		return
	}
	if gap := w.lone.Gap(w.call); gap != w.marked {
		w.marked = gap
		w.Moments = append(w.Moments, Moment{Stored: in.Stored, Filled: !gap})
	}
}

// partitionOf is where the raw events of a call are.
func partitionOf(callID string, partitions int) int { return topology.Partition(callID, partitions) }

// Story writes what a call lived through as a story of package call:
// the comment, the script, and what becomes of it within the usual limits.
func Story(comment string, moments []Moment) []byte {
	script := retell(moments)
	return txtar.Format(&txtar.Archive{
		Comment: []byte(comment + "\n"),
		Files:   []txtar.File{{Name: "events", Data: scriptText(script)}, {Name: "want", Data: play(script)}},
	})
}

func scriptText(lines []call.Line) []byte {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text + "\n")
	}
	return []byte(b.String())
}

func play(lines []call.Line) []byte {
	return []byte(call.TellStory(lines, func(c *call.Call) *call.Call { return c }))
}

// retell moves a call to the tests' clock and gives everybody an alias.
func retell(moments []Moment) []call.Line {
	t := teller{ids: map[string]string{}, base: baseOf(moments)}
	lines := make([]call.Line, 0, len(moments))
	for _, m := range moments {
		lines = append(lines, t.line(m, len(lines)+1))
	}
	return lines
}

// baseOf is the earliest time in the story, since a script knows no times
// before its start.
func baseOf(moments []Moment) time.Time {
	var base time.Time
	earlier := func(t time.Time) {
		if base.IsZero() || t.Before(base) {
			base = t
		}
	}
	for _, m := range moments {
		earlier(m.Stored)
		if m.Raw != nil && trusted(*m.Raw, m.Stored) {
			earlier(m.Raw.Timestamp)
		}
	}
	return base
}

// trusted reports whether the model takes a Timestamp for true.
func trusted(r event.Raw, stored time.Time) bool {
	return call.Happened(r.Timestamp, stored).Equal(r.Timestamp)
}

type teller struct {
	bundle.Aliases
	base time.Time
	ids  map[string]string
}

func (t *teller) line(m Moment, n int) call.Line {
	offset := m.Stored.Sub(t.base)
	l := call.Line{Stored: call.StoryStart().Add(offset)}
	if m.Raw == nil {
		l.Text, l.Filled = fmt.Sprintf("+%v gap", offset), m.Filled
		if m.Filled {
			l.Text = fmt.Sprintf("+%v filled", offset)
		}
		return l
	}
	l.Raw = t.raw(*m.Raw, offset, m.Stored)
	id := fmt.Sprintf("e%d", n)
	var keys []string
	key := func(on bool, name, value string) {
		if value == "" {
			value = "-"
		}
		if on {
			keys = append(keys, name+"="+value)
		}
	}
	known, repeated := t.ids[m.Raw.ID]
	if !repeated {
		known = id
		t.ids[m.Raw.ID] = id
	}
	l.Raw.ID = known
	key(repeated, "id", known)
	at := l.Raw.Timestamp.Sub(call.StoryStart()).String()
	if l.Raw.Timestamp.IsZero() {
		at = "none"
	}
	key(!l.Raw.Timestamp.Equal(l.Stored), "at", at)
	if l.Raw.Reason != nil {
		key(true, "reason", *l.Raw.Reason)
	}
	key(l.Raw.CallerNumber != call.StoryCaller, "caller", l.Raw.CallerNumber)
	key(l.Raw.TargetNumber != call.StoryCalled, "called", l.Raw.TargetNumber)
	key(l.Raw.UserNumber != "", "number", l.Raw.UserNumber)
	key(l.Raw.TechQueueID != "", "queue", l.Raw.TechQueueID)
	user := l.Raw.UserID
	if user == "" {
		user = "-"
	}
	l.Text = strings.Join(append([]string{fmt.Sprintf("+%v", offset), l.Raw.EventType, user}, keys...), " ")
	return l
}

// raw is the event as the tests will read it from the line.
func (t *teller) raw(r event.Raw, offset time.Duration, stored time.Time) event.Raw {
	out := event.Raw{
		EventType: strings.Join(strings.Fields(r.EventType), ""), EntityType: "Queue", CallID: "c1", OrganizationID: "org",
		Timestamp: call.StoryStart().Add(r.Timestamp.Sub(t.base)),
		// Their order decides who gets which alias.
		CallerNumber: t.Number(r.CallerNumber, call.StoryCaller), TargetNumber: t.Number(r.TargetNumber, call.StoryCalled), UserNumber: t.Number(r.UserNumber, ""),
	}
	switch {
	case r.Timestamp.IsZero():
		out.Timestamp = time.Time{}
	case !trusted(r, stored):
		out.Timestamp = call.StoryStart().Add(offset + 2*call.Believable) // as little to be believed
	}
	if user := t.User(call.Participant(r)); user != "-" {
		out.EntityType, out.UserID, out.UserName = "User", user, user+"@agency.example"
	}
	if r.TechQueueID != "" {
		out.TechQueueID = t.Queue(r.TechQueueID)
	}
	if r.Reason != nil {
		reason := strings.Join(strings.Fields(*r.Reason), "_")
		out.Reason = &reason
	}
	return out
}
