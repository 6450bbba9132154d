package explain

import (
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

const (
	jane  = "aa9730c4-ce86-e611-80c9-00505689257e"
	tom   = "bb9730c4-ce86-e611-80c9-00505689257e"
	rings = "UserCallInUserAllocated"
)

// feeds are coverage events as RTE holds them, a minute apart; each is the whole
// of what a new connection subscribes.
func feeds(t *testing.T, from time.Time, users ...[]string) (feed []bus.Message) {
	t.Helper()
	for i, all := range users {
		at := from.Add(time.Duration(i) * time.Minute)
		f := event.Feed{Type: event.Heartbeat, Instance: "a", Epoch: at.String(), At: at, HeardAt: at, Live: true}
		for _, u := range all {
			f.Subscriptions = append(f.Subscriptions, event.Subscription{EntityID: u, EventName: rings, Subscribed: true})
		}
		opened := f
		opened.Type, opened.Live, opened.Subscriptions = event.Opened, false, nil
		for _, f := range []event.Feed{opened, f} {
			e, err := event.NewFeed(f, "test", uint64(len(feed)+1))
			if err != nil {
				t.Fatal(err)
			}
			header, body, err := event.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			feed = append(feed, bus.Message{Subject: topology.Feed("a", string(f.Type)), Header: header, Data: body, Seq: uint64(len(feed) + 1), Stored: at})
		}
	}
	return feed
}

// Whoever was subscribed only afterwards, or until before, was not listened to.
func TestWeighGoesByTheTime(t *testing.T) {
	from := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	feed := feeds(t, from, []string{jane}, []string{jane, tom}, []string{tom})
	for _, tt := range []struct {
		user   string
		minute int // in which somebody asks about the half a minute before
		wanted bool
	}{{jane, 1, true}, {jane, 2, true}, {jane, 3, false}, {tom, 1, false}, {tom, 2, true}, {tom, 3, true}} {
		until := from.Add(time.Duration(tt.minute)*time.Minute - time.Second)
		l := weigh(feed, tt.user, coverage.Window{From: until.Add(-30 * time.Second), Until: until, Now: from.Add(3 * time.Minute)})
		if l.Wanted != tt.wanted || !l.Others {
			t.Errorf("%s in minute %d: %+v", tt.user, tt.minute, l)
		}
	}
}

// An outage is one gap, though it is the user's and everybody's.
func TestWeighTellsAnOutageOnce(t *testing.T) {
	from := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	feed := feeds(t, from, []string{jane}, []string{jane}) // the first says nothing more
	l := weigh(feed, jane, coverage.Window{From: from, Until: from.Add(time.Minute), Now: from.Add(time.Minute)})
	if len(l.Gaps) != 1 {
		t.Errorf("gaps %v", l.Gaps)
	}
}
