package feed

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
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

func TestAuditFindsWhatOnlyOthersHeard(t *testing.T) {
	after := func(d time.Duration) time.Time { return noon.Add(d) }
	const minute = time.Minute
	sent := Copy{ID: "x", EntityID: "jane", EventType: "userstatus", Recorded: after(minute)}
	other := func(change func(*Copy)) Copy { c := sent; change(&c); return c }
	answer := func(subscribed bool) []event.Subscription {
		return []event.Subscription{{EntityID: "jane", EventName: "UserStatus", Subscribed: subscribed}}
	}
	for name, c := range map[string]struct {
		copy     Copy
		before   func(*Audit)
		after    func(*Audit)
		answered time.Duration // after it was seen
		want     bool
	}{
		"only another's":               {answered: Grace, want: true},
		"heard before":                 {before: func(a *Audit) { a.Heard("x", after(minute)) }, answered: Grace},
		"heard behind":                 {after: func(a *Audit) { a.Heard("x", after(minute)) }, answered: Grace},
		"no proof yet":                 {answered: Grace - 1},
		"another user's":               {copy: other(func(c *Copy) { c.EntityID = "tom" }), answered: Grace},
		"another event":                {copy: other(func(c *Copy) { c.EventType = "UserCallIn" }), answered: Grace},
		"of an older ingest":           {copy: other(func(c *Copy) { c.EntityID = "" }), answered: Grace},
		"of nobody knows when":         {copy: other(func(c *Copy) { c.Recorded = time.Time{} }), answered: Grace},
		"without an id of its own":     {copy: other(func(c *Copy) { c.ID = event.FallbackID(nil) }), answered: Grace},
		"before the subscription":      {copy: other(func(c *Copy) { c.Recorded = after(-1) }), answered: Grace},
		"too soon after it":            {copy: other(func(c *Copy) { c.Recorded = after(Grace - 1) }), answered: Grace},
		"by a clock ahead of ours":     {copy: other(func(c *Copy) { c.Recorded = after(time.Hour) }), answered: Grace, want: true},
		"given up since":               {after: func(a *Audit) { a.Answered(answer(false), after(minute+1)) }, answered: Grace},
		"given up and taken again":     {after: func(a *Audit) { a.Answered(append(answer(false), answer(true)...), after(minute+1)) }, answered: Grace},
		"asked for again":              {after: func(a *Audit) { a.Answered(answer(true), after(minute+1)) }, answered: Grace, want: true},
		"the connection ended since":   {after: func(a *Audit) { a.Ended(); a.Answered(answer(true), after(0)) }, answered: Grace},
		"there is no connection":       {before: (*Audit).Ended, answered: Grace},
		"stored twice, heard the once": {before: func(a *Audit) { a.Heard("x", after(minute)); a.Stored(sent, after(minute)) }, answered: Grace},
	} {
		t.Run(name, func(t *testing.T) {
			a := listening()
			if c.copy == (Copy{}) {
				c.copy = sent
			}
			if c.before != nil {
				c.before(a)
			}
			seen := after(minute + time.Second)
			a.Stored(c.copy, seen)
			a.Stored(c.copy, seen)
			if c.after != nil {
				c.after(a)
			}
			answered := seen.Add(c.answered)
			got := a.Due(answered, answered)
			if want := []string{c.copy.ID}; c.want != slices.Equal(got, want) || !c.want && len(got) > 0 {
				t.Errorf("unheard: %q", got)
			}
			a.Stored(c.copy, seen)
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
		a.Stored(Copy{ID: fmt.Sprint(i), EntityID: "jane", EventType: "UserStatus", Recorded: at}, at)
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
	a.Stored(Copy{ID: "0", EntityID: "jane", EventType: "UserStatus", Recorded: at.Add(doubt)}, late)
	a.Stored(Copy{ID: "x", EntityID: "jane", EventType: "UserStatus", Recorded: at.Add(doubt + 1)}, late)
	if got := a.Due(late.Add(Grace), late.Add(Grace)); !slices.Equal(got, []string{"x"}) {
		t.Errorf("unheard: %q", got)
	}
}

// naive is an audit that remembers everything and looks at all of it.
type naive struct {
	heard, told map[string]bool
	held        map[item]time.Time
	copies      []stored
}

func (n *naive) due(now, answered time.Time) (ids []string) {
	var left []stored
	for _, c := range n.copies {
		switch since, held := n.held[c.item]; {
		case answered.Before(c.seen.Add(Grace)) && now.Before(c.seen.Add(Grace+patience)):
			left = append(left, c)
		case answered.Before(c.seen.Add(Grace)) || n.heard[c.id] || n.told[c.id] || !held || c.arrived.Sub(since) < Grace:
		default:
			ids, n.told[c.id] = append(ids, c.id), true
		}
	}
	n.copies = left
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
		var sent []Copy
		told := map[string]bool{}
		entity := rapid.SampledFrom([]string{"jane", "tom"})
		store := func(c Copy) {
			a.Stored(c, now)
			s := stored{id: c.ID, item: itemOf(c.EntityID, c.EventType), arrived: c.Recorded, seen: now}
			if now.Before(s.arrived) {
				s.arrived = now
			}
			n.copies = append(n.copies, s)
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
					n.copies, answered = nil, time.Time{}
				}
			},
			"send": func(t *rapid.T) {
				skew := time.Duration(rapid.IntRange(-20, 20).Draw(t, "skew")) * time.Second
				c := Copy{ID: fmt.Sprint(len(sent)), EntityID: entity.Draw(t, "entity"), EventType: "E", Recorded: now.Add(skew)}
				sent = append(sent, c)
				switch rapid.IntRange(0, 4).Draw(t, "how") {
				case 0: // to the other alone
					store(c)
				case 1: // to both, and their backlog comes later
					hear(c.ID)
				case 2:
					hear(c.ID)
					store(c)
				case 3:
					store(c)
					hear(c.ID)
				}
			},
			"store": func(t *rapid.T) {
				if len(sent) > 0 {
					store(sent[rapid.IntRange(0, len(sent)-1).Draw(t, "which")])
				}
			},
			"due": func(t *rapid.T) {
				if rapid.IntRange(0, 2).Draw(t, "silent") < 2 && len(n.held) > 0 {
					answered = now
				}
				got, want := a.Due(now, answered), n.due(now, answered)
				found += len(got)
				for _, id := range got {
					if !n.told[id] || told[id] {
						t.Fatalf("false alarm: %s, told before: %v", id, told[id])
					}
					told[id] = true
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

// What a writer publishes is what the audit of another reads.
func TestWriterComparesWhatIsStored(t *testing.T) {
	one, first := recorder(t)
	two, second := recorder(t)
	answered := time.Now()
	for _, w := range []*Writer{one, two} {
		w.Opened("any", "rte.example", func() (at, pong time.Time) { return answered, answered })
		w.audit.Answered([]event.Subscription{{EntityID: call, EventName: "UserCallInComing", Subscribed: true}}, answered.Add(-time.Hour))
	}
	two.audit.Heard("something", answered)
	entity := `{"data":{"entityId":"` + call + `",` + body[len(`{"data":{`):]
	one.Message([]byte(entity))
	header := (*first)[len(*first)-1].Header
	one.Stored(header)
	two.Stored(header)
	if ids := two.Compare(); len(ids) > 0 {
		t.Errorf("unheard at once: %q", ids)
	}
	answered = time.Now().Add(time.Minute)
	if ids := one.Compare(); len(ids) > 0 {
		t.Errorf("what was heard: %q", ids)
	}
	if ids := two.Compare(); !slices.Equal(ids, []string{id}) {
		t.Errorf("unheard: %q", ids)
	}
	told := (*second)[len(*second)-1]
	if f := data(t, told); told.Subject != "feed.replica-1.audit" || f.Type != event.Audit || f.Unheard != 1 || !slices.Equal(f.UnheardIDs, []string{id}) {
		t.Errorf("%s tells %+v", told.Subject, f)
	}
	two.Heartbeat()
	if f := data(t, (*second)[len(*second)-1]); f.Unheard != 0 || f.UnheardIDs != nil {
		t.Errorf("the next heartbeat tells %+v", f)
	}
}

func BenchmarkAudit(b *testing.B) {
	a := listening()
	ids := make([]nats.Header, 1000)
	for i := range ids {
		id := fmt.Sprintf("aa90c608-7fd4-4c59-af60-%012d", i)
		ids[i] = event.EncodeRaw(event.Raw{ID: id, EventType: "UserStatus", EntityID: "jane", OrganizationID: org}, "rte.example", call, noon, "")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h := ids[i%len(ids)]
		a.Heard(h["ce-id"][0], noon)
		a.Stored(copyOf(h), noon)
	}
}
