package feed

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringstream/schemas/event"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// listening is an audit whose connection has held an item since noon.
func listening() *Audit {
	a := NewAudit(Grace)
	a.Answered([]event.Subscription{{EntityID: "JANE", EventName: "UserStatus", Subscribed: true}}, noon)
	return a
}

// one is what another replica tells of one event.
func one(id, entity, kind string, after time.Time) event.Heard {
	return event.Heard{Instance: "other", Epoch: "e", After: after, Items: []event.HeardItem{{EntityID: entity, EventType: kind, IDs: []string{id}}}}
}

func TestAuditFindsWhatOnlyOthersHeard(t *testing.T) {
	after := func(d time.Duration) time.Time { return noon.Add(d) }
	const minute = time.Minute
	sent := one("x", "jane", "userstatus", after(minute))
	answer := func(subscribed bool) []event.Subscription {
		return []event.Subscription{{EntityID: "jane", EventName: "UserStatus", Subscribed: subscribed}}
	}
	for name, c := range map[string]struct {
		heard    event.Heard
		before   func(*Audit)
		after    func(*Audit)
		answered time.Duration // after it was seen
		want     bool
	}{
		"only another's":             {answered: Grace, want: true},
		"heard before":               {before: func(a *Audit) { a.Heard("x", after(minute)) }, answered: Grace},
		"heard behind":               {after: func(a *Audit) { a.Heard("x", after(minute)) }, answered: Grace},
		"no proof yet":               {answered: Grace - 1},
		"another user's":             {heard: one("x", "tom", "UserStatus", after(minute)), answered: Grace},
		"another event":              {heard: one("x", "jane", "UserCallIn", after(minute)), answered: Grace},
		"of nobody":                  {heard: one("x", "", "UserStatus", after(minute)), answered: Grace},
		"of nobody knows when":       {heard: one("x", "jane", "UserStatus", time.Time{}), answered: Grace},
		"without an id of its own":   {heard: one(event.FallbackID(nil), "jane", "UserStatus", after(minute)), answered: Grace},
		"before the subscription":    {heard: one("x", "jane", "UserStatus", after(-1)), answered: Grace},
		"too soon after it":          {heard: one("x", "jane", "UserStatus", after(Grace-1)), answered: Grace},
		"by a clock ahead of ours":   {heard: one("x", "jane", "UserStatus", after(time.Hour)), answered: Grace, want: true},
		"given up since":             {after: func(a *Audit) { a.Answered(answer(false), after(minute+1)) }, answered: Grace},
		"given up and taken again":   {after: func(a *Audit) { a.Answered(append(answer(false), answer(true)...), after(minute+1)) }, answered: Grace},
		"asked for again":            {after: func(a *Audit) { a.Answered(answer(true), after(minute+1)) }, answered: Grace, want: true},
		"the connection ended since": {after: func(a *Audit) { a.Ended(); a.Answered(answer(true), after(0)) }, answered: Grace},
		"there is no connection":     {before: (*Audit).Ended, answered: Grace},
		"told twice, heard the once": {before: func(a *Audit) { a.Heard("x", after(minute)); a.Told(sent, after(minute)) }, answered: Grace},
		"with too long an id":        {heard: one(strings.Repeat("x", nameRoom+1), "jane", "UserStatus", after(minute)), answered: Grace},
		"without any id":             {heard: one("", "jane", "UserStatus", after(minute)), answered: Grace},
	} {
		t.Run(name, func(t *testing.T) {
			a := listening()
			if c.heard.Items == nil {
				c.heard = sent
			}
			if c.before != nil {
				c.before(a)
			}
			seen := after(minute + time.Second)
			a.Told(c.heard, seen)
			a.Told(c.heard, seen)
			if c.after != nil {
				c.after(a)
			}
			answered := seen.Add(c.answered)
			got := a.Due(answered, answered)
			if want := c.heard.Items[0].IDs; c.want != slices.Equal(got, want) || !c.want && len(got) > 0 {
				t.Errorf("unheard: %q", got)
			}
			a.Told(c.heard, seen)
			if again := a.Due(answered.Add(time.Hour), answered.Add(time.Hour)); c.want && len(again) > 0 {
				t.Errorf("told again: %q", again)
			}
		})
	}
}

// A hub that answers no pings proves nothing, however long it takes.
func TestAuditSaysNothingWithoutProof(t *testing.T) {
	a := listening()
	at := noon.Add(time.Minute)
	for i := range waitingRoom + 100 {
		a.Told(one(fmt.Sprint(i), "jane", "UserStatus", at), at)
	}
	if len(a.waiting) > waitingRoom {
		t.Errorf("%d wait", len(a.waiting))
	}
	if got := a.Due(at.Add(time.Hour), time.Time{}); len(got) > 0 || len(a.waiting) > 0 {
		t.Errorf("%d unheard, %d wait", len(got), len(a.waiting))
	}
}

func TestAuditForgets(t *testing.T) {
	a := listening()
	a.room = 1000
	at := noon.Add(time.Minute)
	for i := range 5 * a.room {
		a.Heard(fmt.Sprint(i), at)
	}
	if n := len(a.young) + len(a.old); n > 2*a.room || n <= a.room {
		t.Errorf("%d ids are kept", n)
	}
	late := at.Add(time.Hour)
	a.Told(one("0", "jane", "UserStatus", at.Add(doubt)), late)
	a.Told(one("x", "jane", "UserStatus", at.Add(doubt+1)), late)
	if got := a.Due(late.Add(Grace), late.Add(Grace)); !slices.Equal(got, []string{"x"}) {
		t.Errorf("unheard: %q", got)
	}
}

// naive is an audit that remembers everything and looks at all of it.
type naive struct {
	heard, told map[string]bool
	held        map[item]time.Time
	others      []told
}

func (n *naive) due(now, answered time.Time) (ids []string) {
	var left []told
	for _, c := range n.others {
		switch since, held := n.held[c.item]; {
		case answered.Before(c.seen.Add(Grace)) && now.Before(c.seen.Add(Grace+patience)):
			left = append(left, c)
		case answered.Before(c.seen.Add(Grace)) || n.heard[c.id] || n.told[c.id] || !held || c.after.Sub(since) < Grace:
		default:
			ids, n.told[c.id] = append(ids, c.id), true
		}
	}
	n.others = left
	return ids
}

// An audit finds what one that forgets nothing finds, and with little memory
// nothing else, whatever the order in which things come, with other clocks that
// are off, backlogs and repeats.
func TestAuditIsAsTheNaiveOne(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Bool().Draw(t, "small")
		a := NewAudit(Grace)
		if small {
			a.room = rapid.IntRange(1, 4).Draw(t, "room")
		}
		n := &naive{heard: map[string]bool{}, told: map[string]bool{}, held: map[item]time.Time{{"jane", "e"}: noon}}
		a.Answered([]event.Subscription{{EntityID: "jane", EventName: "E", Subscribed: true}}, noon)
		now, answered := noon.Add(time.Minute), time.Time{}
		var sent []event.Heard
		known := map[string]bool{}
		entity := rapid.SampledFrom([]string{"jane", "tom"})
		tell := func(h event.Heard) {
			a.Told(h, now)
			i := h.Items[0]
			s := told{id: i.IDs[0], item: itemOf(i.EntityID, i.EventType), after: h.After, seen: now}
			if now.Before(s.after) {
				s.after = now
			}
			n.others = append(n.others, s)
		}
		hear := func(id string) { a.Heard(id, now); n.heard[id] = true }
		steps := map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			},
			"answer": func(t *rapid.T) {
				s := event.Subscription{EntityID: entity.Draw(t, "entity"), EventName: "E", Subscribed: rapid.IntRange(0, 4).Draw(t, "no") < 4}
				i := itemOf(s.EntityID, s.EventName)
				if _, held := n.held[i]; !s.Subscribed {
					delete(n.held, i)
				} else if !held {
					n.held[i] = now
				}
				a.Answered([]event.Subscription{s}, now)
			},
			"end": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "really") == 9 {
					a.Ended()
					clear(n.held)
					n.others, answered = nil, time.Time{}
				}
			},
			"send": func(t *rapid.T) {
				skew := time.Duration(rapid.IntRange(-20, 20).Draw(t, "skew")) * time.Second
				name := fmt.Sprint(len(sent))
				h := one(name, entity.Draw(t, "entity"), "E", now.Add(skew))
				sent = append(sent, h)
				switch rapid.IntRange(0, 4).Draw(t, "how") {
				case 0: // to the other alone
					tell(h)
				case 1: // to both, and they tell later
					hear(name)
				case 2:
					hear(name)
					tell(h)
				case 3:
					tell(h)
					hear(name)
				}
			},
			"tell": func(t *rapid.T) {
				if len(sent) > 0 {
					tell(sent[rapid.IntRange(0, len(sent)-1).Draw(t, "which")])
				}
			},
			"due": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "silent") < 2 && len(n.held) > 0 {
					answered = now
				}
				got, want := a.Due(now, answered), n.due(now, answered)
				found += len(got)
				for _, id := range got {
					if !n.told[id] || known[id] {
						t.Fatalf("false alarm: %s, told before: %v", id, known[id])
					}
					known[id] = true
				}
				if !small && len(got) != len(want) {
					t.Fatalf("found %q, want %q", got, want)
				}
			},
		}
		for range 100 {
			steps[rapid.SampledFrom(slices.Sorted(maps.Keys(steps))).Draw(t, "step")](t)
		}
	})
	if found == 0 {
		t.Error("nothing was ever unheard")
	}
}

func BenchmarkAudit(b *testing.B) {
	a := listening()
	const n = 1000
	h := one("", "jane", "UserStatus", noon.Add(time.Minute))
	h.Items[0].IDs = nil
	for i := range n {
		h.Items[0].IDs = append(h.Items[0].IDs, fmt.Sprintf("aa90c608-7fd4-4c59-af60-%012d", i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if a.Heard(h.Items[0].IDs[i%n], noon); i%n == n-1 {
			a.Told(h, noon.Add(time.Minute))
		}
	}
}
