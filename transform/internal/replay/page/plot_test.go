package page

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

func TestPercentiles(t *testing.T) {
	var all []time.Duration
	for i := 1000; i > 0; i-- {
		all = append(all, time.Duration(i)*time.Millisecond)
	}
	if p := percentiles(event.Incoming, all); p.N != 1000 || p.P50 != 500*time.Millisecond || p.P99 != 990*time.Millisecond || p.Max != time.Second {
		t.Errorf("%+v", p)
	}
	if p := percentiles(event.Incoming, []time.Duration{time.Second}); p.P50 != time.Second || p.P99 != time.Second {
		t.Errorf("of one: %+v", p)
	}
	if p := percentiles(event.Incoming, nil); p.N != 0 || p.P99 != 0 {
		t.Errorf("of none: %+v", p)
	}
}

func TestAxes(t *testing.T) {
	for long, want := range map[time.Duration]string{
		time.Hour:           "09:10 09:20 09:30 09:40 09:50 10:00",
		90 * time.Minute:    "08:45 09:00 09:15 09:30 09:45 10:00",
		24 * time.Hour:      "12:00 16:00 20:00 00:00 04:00 08:00",
		5 * time.Minute:     "09:56 09:57 09:58 09:59 10:00",
		30 * 24 * time.Hour: "4 Oct 8 Oct 12 Oct 16 Oct 20 Oct 24 Oct 28 Oct 1 Nov",
	} {
		s := Span{From: at(0).Add(-long), Until: at(0)}
		var words []string
		last := plotLeft
		for _, tick := range s.Ticks() {
			words = append(words, tick.Text)
			if tick.At <= last && tick.At != plotLeft || tick.At > plotRight {
				t.Errorf("%s: %s stands at %d, behind %d", long, tick.Text, tick.At, last)
			}
			last = tick.At
		}
		if got := strings.Join(words, " "); got != want {
			t.Errorf("%s: %s, want %s", long, got, want)
		}
	}
	for d, want := range map[time.Duration]int{0: plotBottom, time.Millisecond: plotBottom, 100 * time.Second: plotTop, time.Hour: plotTop} {
		if got := y(d); got != want {
			t.Errorf("%s is at %d, want %d", d, got, want)
		}
	}
	if y(10*time.Millisecond) <= y(100*time.Millisecond) || y(100*time.Millisecond) <= y(10*time.Second) {
		t.Error("what took longer does not stand higher")
	}
}

// Of many deliveries the slowest and the newest that failed are marked, and as
// much is drawn as there is room.
func TestPlot(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := &Summary{}
	var took []time.Duration
	for i := range 50_000 {
		d := Delivery{At: at(time.Duration(r.Int64N(int64(time.Hour)))), Took: time.Duration(r.Int64N(int64(20 * time.Second))), Type: event.Incoming, Outcome: event.Delivered, Call: fmt.Sprint(i)}
		if i%100 == 0 {
			d.Outcome = event.Expired
		} else {
			took = append(took, d.Took)
		}
		c.Deliveries = append(c.Deliveries, d)
	}
	c.Deliveries = append(c.Deliveries, Delivery{At: at(-time.Hour), Took: time.Hour, Outcome: event.Delivered}, Delivery{At: at(time.Minute), Outcome: event.Superseded})
	p := plot([]*Summary{c}, Span{From: at(0), Until: at(time.Hour)})
	if len(p.Marks) != slowMarks+failedMarks || p.More != 500-failedMarks || len(p.Series) != 1 || p.Series[0].N != len(took) {
		t.Fatalf("%d marks, %d more, %d series", len(p.Marks), p.More, len(p.Series))
	}
	slices.Sort(took)
	slices.Reverse(took)
	for i, m := range p.Marks {
		switch {
		case i < slowMarks && (m.Failed() || m.Took != took[i]):
			t.Errorf("mark %d: %s, want %s", i, m.Took, took[i])
		case i >= slowMarks && (!m.Failed() || i > slowMarks && m.At.After(p.Marks[i-1].At)):
			t.Errorf("mark %d: %s at %s", i, m.Outcome, m.At)
		}
	}
	if n := len(p.Series[0].Path); n > 1_000_000 {
		t.Errorf("it takes %d bytes", n)
	}
}

func TestStrip(t *testing.T) {
	b := NewBook(rules, time.Hour, 10)
	if s := b.View(Query{}, at(0)).Strip; s.Known || s.Gaps() != 0 {
		t.Errorf("of nothing it knows %+v", s)
	}
	scenes["gap"].into(t, b)
	s := b.View(Query{}, at(10*time.Minute)).Strip
	if !s.Known || !s.Listens || len(s.Lines) != 1 || s.Gaps() != 1 || s.Lines[0].Uncovered() != 33*time.Second || s.Began != plotLeft {
		t.Fatalf("%+v", s)
	}
	if g := s.Lines[0].Gaps[0]; s.Width(g) != 5 || s.X(g.From) != 526 || g.Open {
		t.Errorf("the gap stands at %d, %d wide", s.X(g.From), s.Width(g))
	}
	if late := b.View(Query{}, at(40*time.Minute)).Strip; late.Listens {
		t.Errorf("somebody listens after the last word: %+v", late.Lines)
	}
	// An entity that is not heard while others are has a line of its own, under its name.
	b.Hear(scenes["told"].evidence(t).Raw[0])
	b.Listen(event.Feed{Instance: "a", Type: event.Subscribed, Epoch: "e2", Live: true, At: at(30 * time.Minute), HeardAt: at(30 * time.Minute), Subscriptions: []event.Subscription{{EntityID: "tom", EventName: "x", Subscribed: true}}})
	b.Listen(event.Feed{Instance: "a", Type: event.Closed, Epoch: "e2", At: at(31 * time.Minute), HeardAt: at(31 * time.Minute)})
	b.Listen(event.Feed{Instance: "a", Type: event.Opened, Epoch: "e3", At: at(31*time.Minute + 5*time.Second)})
	b.Listen(event.Feed{Instance: "a", Type: event.Subscribed, Epoch: "e3", At: at(31*time.Minute + 5*time.Second), HeardAt: at(31*time.Minute + 5*time.Second), Subscriptions: []event.Subscription{{EntityID: "tom", EventName: "x", Subscribed: true}}})
	b.Listen(event.Feed{Instance: "a", Type: event.Heartbeat, Epoch: "e3", At: at(32 * time.Minute), HeardAt: at(32 * time.Minute)})
	s = b.View(Query{}, at(32*time.Minute)).Strip
	if len(s.Lines) != 2 || s.Lines[1].Name != "jane@agency.example" || !s.Lines[1].Gaps[len(s.Lines[1].Gaps)-1].Open {
		t.Errorf("%+v", s.Lines)
	}
}
