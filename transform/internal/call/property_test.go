package call

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringstream/schemas/event"
)

// anyNames are all names of the model, the queue's mirrors, and strangers.
func anyNames() []string {
	var out []string
	for k := coming; k < numSteps; k++ {
		rest := stepNames[k]
		if k == coming {
			rest = "Coming"
		}
		// The steps of a user are likelier than the rest.
		out = append(out, "UserCallIn"+rest, "UserCallIn"+rest, "UserCallIn"+rest, "QueueCallIn"+rest)
	}
	for _, name := range legStepNames[outGoing:] {
		out = append(out, "UserCall"+name)
	}
	return append(out, "UserCallInUserOverflow", "UserCallInCallbackCreated", "UserCallInRecordingConverted",
		"UserCallOutRecordingConverted", "UserCallInConnected", "QueueCallInAllocated")
}

// history is a generated life of a call: any events in any order at all.
type history struct{ lines []Line }

func anyHistory() *rapid.Generator[history] {
	names := anyNames()
	return rapid.Custom(func(t *rapid.T) history {
		var h history
		now := start
		for i := range rapid.IntRange(1, 40).Draw(t, "events") {
			now = now.Add(rapid.SampledFrom([]time.Duration{
				0, 10 * time.Millisecond, time.Second, time.Second, 3 * time.Second, 30 * time.Second, 3 * time.Minute, 11 * time.Minute, 5 * time.Hour,
			}).Draw(t, "wait"))
			r := event.Raw{
				ID: fmt.Sprintf("e%d", i), CallID: "c1", EntityType: "Queue",
				EventType: rapid.SampledFrom(names).Draw(t, "type"),
				UserID:    rapid.SampledFrom([]string{"jane", "jane", "tom", "tom", "ann", ""}).Draw(t, "user"),
				Timestamp: now.Add(-rapid.SampledFrom([]time.Duration{
					0, 0, 0, time.Millisecond, time.Second, 5 * time.Second, time.Minute, -3 * time.Second,
				}).Draw(t, "late")),
			}
			if rapid.IntRange(0, 9).Draw(t, "repeat") == 0 {
				r.ID = "e0"
			}
			if rapid.Bool().Draw(t, "remote") {
				reason := "remote"
				r.Reason = &reason
			}
			h.lines = append(h.lines, Line{Stored: now, Raw: r})
		}
		return h
	})
}

// watch checks what must hold of everything that is told.
type watch struct {
	t     *rapid.T
	seq   int
	shown map[string]bool             // incoming without a terminal since, this life
	ends  map[string][]event.CallType // terminals of this life
	done  map[string]bool             // a terminal without incoming since, this life
	legs  map[string]bool             // outbound ended
}

func newWatch(t *rapid.T) *watch {
	w := &watch{t: t, legs: map[string]bool{}}
	w.newLife()
	return w
}

func (w *watch) newLife() {
	w.shown, w.done, w.ends = map[string]bool{}, map[string]bool{}, map[string][]event.CallType{}
}

func (w *watch) heard(told []event.Call) {
	for _, e := range told {
		w.seq++
		if e.Sequence != w.seq || e.CallID != "c1" || len(e.Audience) == 0 || e.OccurredAt.IsZero() || e.Cause.EventID == "" {
			w.t.Fatalf("incomplete event %+v, want sequence %d", e, w.seq)
		}
		if e.AnsweredBy == nil && (e.Type == event.Answered || e.Type == event.Ended && e.Direction == event.Inbound) ||
			e.AnsweredBy != nil && e.Type == event.Missed {
			w.t.Fatalf("%s with answeredBy %v", e.Type, e.AnsweredBy)
		}
		var ids []string
		for _, u := range e.Audience {
			ids = append(ids, u.UserID)
			w.one(e, u.UserID)
		}
		slices.Sort(ids)
		if len(slices.Compact(ids)) != len(e.Audience) {
			w.t.Fatalf("somebody is told twice: %+v", e)
		}
	}
}

func (w *watch) one(e event.Call, user string) {
	if e.Type == event.RecordingAvailable || e.Type == event.CallbackRequested {
		return
	}
	if e.Direction == event.Outbound {
		if w.legs[user] {
			w.t.Fatalf("%s after the end of %s's outbound call", e.Type, user)
		}
		w.legs[user] = e.Type == event.Ended
		return
	}
	if w.done[user] && e.Type != event.Incoming {
		w.t.Fatalf("%s to %s after a terminal event", e.Type, user)
	}
	switch e.Type {
	case event.Incoming:
		if w.shown[user] {
			w.t.Fatalf("a second incoming to %s, who is open", user)
		}
		w.shown[user], w.done[user] = true, false
	case event.Answered:
		if !w.shown[user] {
			w.t.Fatalf("answered to %s, who was not rung", user)
		}
	case event.Ended, event.Missed:
		if e.Type == event.Ended && !w.shown[user] {
			w.t.Fatalf("ended to %s, who was not rung", user)
		}
		w.shown[user], w.done[user] = false, true
		w.ends[user] = append(w.ends[user], e.Type)
		if slices.Contains(w.ends[user], event.Ended) && slices.Contains(w.ends[user], event.Missed) {
			w.t.Fatalf("%s is told both of an end and of a miss", user)
		}
	}
}

// TestInvariants checks what must hold of every history.
func TestInvariants(t *testing.T) { rapid.Check(t, invariants) }

// FuzzInvariants does so for histories that the fuzzer finds.
func FuzzInvariants(f *testing.F) { f.Fuzz(rapid.MakeFuzz(invariants)) }

func invariants(t *rapid.T) {
	h := anyHistory().Draw(t, "history")
	p := &pair{t: t, lim: DefaultLimits()}
	p.forget()
	for _, l := range h.lines {
		p.until(l.Stored)
		p.apply(l)
	}
	p.until(h.lines[len(h.lines)-1].Stored.Add(p.lim.Talk))
	if p.c.Open() {
		t.Fatal("still open after every limit")
	}
	for user, still := range p.w.shown {
		if still {
			t.Fatalf("%s was rung and never told the end", user)
		}
	}
}

// pair is one history in two memories: one that is checked, and a twin that
// goes through its snapshot before every step.
type pair struct {
	t       *rapid.T
	lim     Limits
	c, twin *Call
	w       *watch
}

func (p *pair) forget() { p.c, p.twin, p.w = New("c1"), New("c1"), newWatch(p.t) }

func (p *pair) until(end time.Time) {
	for due := p.c.Due(p.lim); !due.IsZero() && !due.After(end); due = p.c.Due(p.lim) {
		if p.c.Forgotten(due, p.lim) {
			p.forget()
			return
		}
		p.twin = restored(p.t, p.twin)
		told := p.c.Tick(due, p.lim)
		same(p.t, told, p.twin.Tick(due, p.lim))
		p.w.heard(told)
		if next := p.c.Due(p.lim); !next.After(due) {
			p.t.Fatalf("due again at %v after a tick at %v", next, due)
		}
	}
}

func (p *pair) apply(l Line) {
	was := restored(p.t, p.c)
	told, verdict := p.c.Apply(l.Raw, l.Stored, p.lim)
	if was.Phase == closed && p.c.Phase != closed {
		p.w.newLife()
	}
	p.w.heard(told)
	p.twin = restored(p.t, p.twin)
	again, verdict2 := p.twin.Apply(l.Raw, l.Stored, p.lim)
	same(p.t, told, again)
	if verdict != verdict2 || verdict != Changed && len(told) > 0 {
		p.t.Fatalf("%s and %s, %d told", verdict, verdict2, len(told))
	}
	if verdict == Duplicate && !reflect.DeepEqual(p.c, was) {
		p.t.Fatal("a duplicate changed the call")
	}
	if due := p.c.Due(p.lim); !due.After(l.Stored) {
		p.t.Fatalf("due at %v after an event at %v", due, l.Stored)
	}
}

func same(t *rapid.T, a, b []event.Call) {
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("not deterministic: %+v and %+v", a, b)
	}
}

// TestPruningDoesNotMatter: what a call becomes does not depend on whether it
// was ever ticked after its memory ran out, or pruned then.
func TestPruningDoesNotMatter(t *testing.T) {
	lim := DefaultLimits()
	rapid.Check(t, func(t *rapid.T) {
		kept, pruned := New("c1"), New("c1")
		for _, l := range anyHistory().Draw(t, "history").lines {
			pruned.Tick(l.Stored, lim)
			kept.Tick(l.Stored, lim)
			if pruned.Forgotten(l.Stored, lim) {
				pruned = Again("c1", pruned.Emitted())
			}
			a, va := kept.Apply(l.Raw, l.Stored, lim)
			b, vb := pruned.Apply(l.Raw, l.Stored, lim)
			same(t, a, b)
			if va != vb {
				t.Fatalf("%s and %s", va, vb)
			}
		}
	})
}
