package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// Entry is one line of a timeline.
type Entry struct {
	At     time.Time `json:"at"`
	Stream string    `json:"stream"`        // "" for a time limit
	Seq    uint64    `json:"seq,omitempty"` // in that stream
	What   string    `json:"what"`
	Moves  []Move    `json:"moves,omitempty"` // what it made of whom
}

// Timeline puts together what happened to a call, in the order in which it was
// stored; a cause stands before what came of it.
func Timeline(e Evidence, numbers Masking) []Entry {
	var all []Entry
	for _, h := range e.Raw {
		all = append(all, e.heardEntry(h, numbers))
	}
	for _, s := range e.Steps {
		if s.Seq == 0 && len(s.Moves)+len(s.Told) > 0 {
			all = append(all, Entry{At: s.At, What: s.Line(), Moves: s.Moves})
		}
	}
	for _, s := range e.Events {
		all = append(all, Entry{At: s.Stored, Stream: "CALLS", Seq: s.Seq, What: s.Line()})
	}
	for _, o := range e.Outcomes {
		all = append(all, Entry{At: o.Stored, Stream: "DELIVERIES", Seq: o.Seq, What: o.Line(numbers)})
	}
	for _, l := range e.Letters {
		all = append(all, Entry{At: l.At, Stream: "DEADLETTERS", Seq: l.Seq, What: l.Line()})
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return all
}

func (e Evidence) heardEntry(h Heard, numbers Masking) Entry {
	entry := Entry{At: h.Stored, Stream: "RTE", Seq: h.Seq, What: h.Line(numbers)}
	for _, s := range e.Steps {
		if s.Seq == h.Seq {
			entry.Moves = s.Moves
			if s.Verdict != call.Changed {
				entry.What += ", which changed nothing: " + s.Verdict.String()
			}
		}
	}
	return entry
}

// Line of a time limit.
func (s Step) Line() string {
	what := "a time limit is over"
	for _, c := range s.Told {
		what += fmt.Sprintf(", which makes it %s", c.Type)
	}
	return what
}

// How far apart two clocks must be for it to be told.
const notable = time.Second

// Line says it in a line.
func (h Heard) Line(numbers Masking) string {
	r := h.Raw
	var b strings.Builder
	b.WriteString(r.EventType)
	if u := (event.User{UserID: call.Participant(r), UserName: r.UserName}); u.UserID != "" {
		b.WriteString(" of " + NameOf(u))
	}
	if r.Reason != nil && *r.Reason != "" {
		fmt.Fprintf(&b, " (%s)", *r.Reason)
	}
	for _, w := range h.Words {
		fmt.Fprintf(&b, " (%s)", w)
	}
	if r.CallerNumber != "" {
		b.WriteString(", from " + numbers.number(r.CallerNumber))
	}
	if !h.Recorded.IsZero() {
		b.WriteString(", heard " + h.Recorded.UTC().Format(OccurredFormat))
	}
	if !r.Timestamp.IsZero() && r.Timestamp.Sub(h.Stored).Abs() >= notable {
		b.WriteString(", dated " + Occurred(r.Timestamp, h.Stored))
	}
	return b.String()
}

// Line says it in a line.
func (s Stored) Line() string {
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

// Line says it in a line.
func (o Ended) Line(numbers Masking) string {
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
	what += fmt.Sprintf(", %s, %s behind CALLS", tries(o), took(time.Duration(o.LatencyMS)*time.Millisecond))
	if o.RequestID != "" {
		what += ", request " + o.RequestID
	}
	if o.Redrive > 0 {
		what += fmt.Sprintf(", redrive %d", o.Redrive)
	}
	if o.Reason != "" {
		what += ": " + numbers.text(o.Reason)
	}
	return what
}

// Line says it in a line.
func (l Letter) Line() string {
	return fmt.Sprintf("%s for %s: kept for a person (%s)", l.EventID, cmp.Or(l.NegotiatorID, "nobody"), l.Reason)
}
