package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// Entry is one line of a timeline. Of what it says in words, one member has the
// parts.
type Entry struct {
	At      time.Time      `json:"at"`
	Stream  string         `json:"stream"`        // "" for a time limit
	Seq     uint64         `json:"seq,omitempty"` // in that stream
	What    string         `json:"what"`
	Raw     *RawDetail     `json:"raw,omitempty"`
	Event   *EventDetail   `json:"event,omitempty"`
	Outcome *OutcomeDetail `json:"outcome,omitempty"`
	Letter  *LetterDetail  `json:"deadLetter,omitempty"`
	Moves   []Move         `json:"moves,omitempty"` // what it made of whom
}

// Timeline puts together what happened to a call, in the order in which it was
// stored; a cause stands before what came of it.
func Timeline(e Evidence, numbers Masking) []Entry {
	var all []Entry
	for _, h := range e.Raw {
		all = append(all, e.heardEntry(h, numbers))
	}
	for _, s := range e.Steps {
		if s.Seq == 0 && s.told() {
			all = append(all, s.Entry())
		}
	}
	for _, s := range e.Events {
		all = append(all, s.Entry())
	}
	for _, o := range e.Outcomes {
		all = append(all, o.Entry(numbers))
	}
	for _, l := range e.Letters {
		all = append(all, l.Entry())
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return all
}

func (e Evidence) heardEntry(h Heard, numbers Masking) Entry {
	entry := h.Entry(numbers)
	for _, s := range e.Steps {
		if s.Seq == h.Seq {
			entry = entry.After(s)
		}
	}
	return entry
}

// line of a time limit.
func (s Step) line() string {
	what := "a time limit is over"
	for _, c := range s.Told {
		what += fmt.Sprintf(", which makes it %s", c.Type)
	}
	return what
}

func (h Heard) line(numbers Masking) string {
	r := h.Raw
	var b strings.Builder
	b.WriteString(r.EventType)
	if u := h.User(); u.UserID != "" {
		b.WriteString(" of " + NameOf(u))
	}
	if r.Reason != nil && *r.Reason != "" {
		fmt.Fprintf(&b, " (%s)", numbers.Text(*r.Reason))
	}
	for _, w := range h.Words {
		fmt.Fprintf(&b, " (%s)", numbers.Text(w))
	}
	if r.CallerNumber != "" {
		b.WriteString(", from " + numbers.Number(r.CallerNumber))
	}
	if !r.Timestamp.IsZero() {
		b.WriteString(", dated " + Occurred(r.Timestamp, h.Stored))
	}
	if !h.Recorded.IsZero() {
		b.WriteString(", heard " + Occurred(h.Recorded, h.Stored))
	}
	if h.By != "" { // another may have heard it too, and before
		b.WriteString(" (" + h.By + "'s copy)")
	}
	return b.String()
}

func (s Stored) line() string {
	c := s.Call
	what := fmt.Sprintf("%s %s (%s", c.Type, ToldTo(c), c.EventID())
	if s.In > 0 {
		what += fmt.Sprintf(", of RTE %d", s.In)
	}
	for _, note := range []struct {
		on   bool
		text string
	}{{c.Direction == event.Outbound, "outbound"}, {c.Inferred, "inferred"}, {c.Coverage == event.Gap, "coverage gap"}} {
		if note.on {
			what += ", " + note.text
		}
	}
	return what + ")"
}

func (o Ended) line(numbers Masking) string {
	names := make([]string, len(o.Users))
	for i, u := range o.Users {
		names[i] = NameOf(u)
	}
	who := strings.Join(names, ", ")
	if o.NegotiatorID != "" {
		who = o.NegotiatorID + ", " + who
	}
	what := fmt.Sprintf("%s for %s: %s", o.SubType, who, o.Outcome.Outcome)
	if o.Cause != "" && o.Cause != string(o.Outcome.Outcome) {
		what += " (" + o.Cause + ")"
	}
	what += fmt.Sprintf(", %s, %s behind CALLS", tries(o), Took(time.Duration(o.LatencyMS)*time.Millisecond))
	if o.RequestID != "" {
		what += ", request " + o.RequestID
	}
	if o.Redrive > 0 {
		what += fmt.Sprintf(", redrive %d", o.Redrive)
	}
	if o.Reason != "" {
		what += ": " + numbers.Text(o.Reason)
	}
	return what
}

func (l Letter) line() string {
	return fmt.Sprintf("%s for %s: kept for a person (%s)", l.EventID, cmp.Or(l.NegotiatorID, "nobody"), l.Reason)
}
