package feed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/event"
)

// hearing is a writer whose connection has held the item of message for an hour.
// Its hub has answered a ping that left at answered.
func hearing(t *testing.T, epoch string, answered *time.Time) (*Writer, func() event.Feed) {
	t.Helper()
	w, out := recorder(t)
	w.Opened(epoch, "rte.example", func() (at, pong time.Time) { return time.Now(), *answered })
	w.audit.Answered([]event.Subscription{{EntityID: call, EventName: "UserCallInComing", Subscribed: true}}, time.Now().Add(-time.Hour))
	return w, func() event.Feed { return data(t, (*out)[len(*out)-1]) }
}

func message(id, entity, kind string) []byte {
	b, _ := json.Marshal(map[string]any{"data": map[string]any{"id": id, "entityId": entity, "eventType": kind}})
	return b
}

func said(t *testing.T, w *Writer, most int) []*nats.Msg {
	t.Helper()
	all, err := w.Unsaid(most)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func heardOf(t *testing.T, m *nats.Msg) event.Heard {
	t.Helper()
	e, err := event.Decode(m.Header, m.Data)
	if err != nil || e.Type() != event.HeardType {
		t.Fatalf("%s, %v", e.Type(), err)
	}
	var h event.Heard
	if err := json.Unmarshal(m.Data, &h); err != nil {
		t.Fatal(err)
	}
	return h
}

// What one writer tells is what the audit of another compares; its own it knows.
func TestWritersCompareWhatTheyTell(t *testing.T) {
	answered := time.Now()
	one, _ := hearing(t, "1", &answered)
	two, last := hearing(t, "2", &answered)
	one.Message(message(id, call, "UserCallInComing"))
	first := said(t, one, HeardRoom)
	for _, w := range []*Writer{one, two} {
		if len(first) != 1 || w.Told(first[0]) != nil {
			t.Fatalf("%d messages", len(first))
		}
	}
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
	if f := last(); f.Type != event.Audit || f.Unheard != 1 || !slices.Equal(f.UnheardIDs, []string{id}) {
		t.Errorf("published %+v", f)
	}
	two.Heartbeat()
	if f := last(); f.Unheard != 0 || f.UnheardIDs != nil {
		t.Errorf("the next heartbeat tells %+v", f)
	}
}

// An earlier start of the same name has heard what this one has not.
func TestOnlyOnesOwnIsPassedOver(t *testing.T) {
	answered := time.Now()
	earlier, _ := hearing(t, "1", &answered)
	w, _ := hearing(t, "2", &answered)
	own := &unsaid{epoch: "2", after: answered, events: []heardEvent{{call, "UserCallInComing", "own"}}}
	earlier.Message(message("earlier", call, "UserCallInComing"))
	mine, err := w.message(*own)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(said(t, earlier, HeardRoom), mine) {
		if err := w.Told(m); err != nil {
			t.Error(err)
		}
	}
	answered = time.Now().Add(time.Minute)
	if ids := w.Compare(); !slices.Equal(ids, []string{"earlier"}) {
		t.Errorf("unheard: %q", ids)
	}
}

func TestWhatIsToldIsWhatWasHeard(t *testing.T) {
	answered := noon
	w, _ := hearing(t, "1", &answered)
	w.Message(message("a", "jane", "UserStatus"))
	answered = noon.Add(time.Minute)
	for _, m := range [][3]string{
		{"b", "jane", "UserCallInComing"},
		{"c", "tom", "UserStatus"},
		{"d", "jane", "UserStatus"},
		{"", "jane", "UserStatus"},
		{"e", "", "UserStatus"},
		{"f", "jane", ""},
		{strings.Repeat("g", nameRoom+1), "jane", "UserStatus"},
	} {
		w.Message(message(m[0], m[1], m[2]))
	}
	w.Message([]byte("no JSON"))
	first := said(t, w, HeardRoom)
	if len(first) != 1 || first[0].Subject != "heard.replica-1" {
		t.Fatalf("%d messages", len(first))
	}
	h := heardOf(t, first[0])
	if got, want := fmt.Sprint(h.Items), "[{jane UserStatus [a d]} {jane UserCallInComing [b]} {tom UserStatus [c]}]"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if h.Instance != "replica-1" || h.Epoch != "1" || !h.After.Equal(noon) {
		t.Errorf("told %+v", h)
	}
	if again := said(t, w, HeardRoom); len(again) > 0 {
		t.Errorf("told again: %d", len(again))
	}
	w.Message(message("h", "jane", "UserStatus"))
	next := said(t, w, HeardRoom)[0]
	if h := heardOf(t, next); !h.After.Equal(answered) || next.Header.Get("ce-id") == first[0].Header.Get("ce-id") {
		t.Errorf("the next tells %+v, id %s", h, next.Header.Get("ce-id"))
	}
}

// What came on one connection says nothing of when the hub wrote on another, and
// a hub that answers no pings says nothing at all.
func TestNothingIsToldWithoutProof(t *testing.T) {
	var answered time.Time
	w, _ := hearing(t, "1", &answered)
	say := func(id string) { w.Message(message(id, "jane", "UserStatus")) }
	say("no answer yet")
	answered = noon
	say("a")
	w.Closed("lost")
	w.Opened("2", "rte.example", func() (at, pong time.Time) { return time.Now(), answered })
	answered = noon.Add(time.Minute)
	say("b")
	h := heardOf(t, said(t, w, HeardRoom)[0])
	if h.Epoch != "2" || !h.After.Equal(answered) || len(h.Items) != 1 || !slices.Equal(h.Items[0].IDs, []string{"b"}) {
		t.Errorf("told %+v", h)
	}
	say("c")
	w.Closed("lost")
	if h := heardOf(t, said(t, w, HeardRoom)[0]); h.Epoch != "2" || h.Items[0].IDs[0] != "c" {
		t.Errorf("after the end told %+v", h)
	}
}

func TestWhatIsToldIsBounded(t *testing.T) {
	answered := noon
	w, _ := hearing(t, "1", &answered)
	long := strings.Repeat("\x01", nameRoom-10) // six bytes each in JSON
	for i := range 2 * unsaidRoom {
		if n := len(w.unsaid.events); n < enough && len(w.Enough()) > 0 || n >= enough && len(w.Enough()) == 0 {
			t.Fatalf("%d ids, %d signals", n, len(w.Enough()))
		}
		name := fmt.Sprint(i, " ")
		w.Message(message(name+long[len(name):], name+"e"+long[len(name):], "UserStatus"))
	}
	if n := len(w.unsaid.events); n != unsaidRoom {
		t.Errorf("%d ids are kept", n)
	}
	all := said(t, w, 1<<20)
	n := 0
	for _, m := range all {
		if m.Size() > HeardRoom {
			t.Errorf("a message of %d bytes", m.Size())
		}
		n += len(heardOf(t, m).Items)
	}
	if n != unsaidRoom || len(all) < 2 {
		t.Errorf("%d messages with %d items", len(all), n)
	}
	w.Message(message("x", "jane", "UserStatus"))
	if m := said(t, w, 100); len(m) > 0 {
		t.Errorf("%d messages where none fits", len(m))
	}
}

func TestWhatOthersTellDoesNoHarm(t *testing.T) {
	answered := time.Now()
	w, _ := hearing(t, "1", &answered)
	other, _ := hearing(t, "2", &answered)
	other.Message(message(id, call, "UserCallInComing"))
	good := said(t, other, HeardRoom)[0]
	with := func(body string) *nats.Msg { return &nats.Msg{Header: good.Header, Data: []byte(body)} }
	for name, c := range map[string]struct {
		m  *nats.Msg
		ok bool
	}{
		"nothing":     {&nats.Msg{}, true},
		"no event":    {&nats.Msg{Data: good.Data}, true},
		"empty":       {with(""), false},
		"null":        {with("null"), true},
		"no object":   {with(`["x"]`), false},
		"no JSON":     {with("\xff{"), false},
		"no time":     {with(`{"items":[{"entityId":"` + call + `","eventType":"UserCallInComing","ids":["x"]}]}`), true},
		"wrong time":  {with(strings.Replace(string(good.Data), `"after":"2`, `"after":"x`, 1)), false},
		"wrong types": {with(strings.Replace(string(good.Data), `["`, `[7,"`, 1)), false},
		"huge":        {with(strings.Replace(string(good.Data), `["`, `["`+strings.Repeat(`x","`, HeardRoom/4), 1)), false},
	} {
		if err := w.Told(c.m); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Told(good); err != nil {
		t.Error(err)
	}
	answered = time.Now().Add(time.Minute)
	if ids := w.Compare(); !slices.Equal(ids, []string{id}) {
		t.Errorf("unheard: %d", len(ids))
	}
}

func BenchmarkHeard(b *testing.B) {
	w := New("replica-1", 4, nil, nil, NewAudit(Grace), nil)
	w.now.Epoch, w.heard = "1", func() (at, answered time.Time) { return noon, noon }
	events := make([]event.Raw, enough)
	for i := range events {
		events[i] = event.Raw{ID: fmt.Sprintf("aa90c608-7fd4-4c59-af60-%012d", i), EventType: "UserStatus", EntityID: fmt.Sprintf("aa9730c4-ce86-e611-80c9-%012d", i%50)}
	}
	b.ReportAllocs()
	b.Run("gather", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if w.gather(events[i%enough]); i%enough == enough-1 {
				w.unsaid = unsaid{events: w.unsaid.events[:0]}
			}
		}
	})
	b.Run("tell and take", func(b *testing.B) { // per event
		other := New("replica-2", 4, nil, nil, NewAudit(Grace), nil)
		for i := 0; b.Loop(); i++ {
			if w.gather(events[i%enough]); i%enough == enough-1 {
				said, err := w.Unsaid(HeardRoom)
				if err != nil || len(said) != 1 || other.Told(said[0]) != nil {
					b.Fatal(len(said), err)
				}
			}
		}
	})
}
