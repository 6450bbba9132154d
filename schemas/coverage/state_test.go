package coverage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ringstream/schemas/event"
)

// big makes the words of two replicas that subscribe twelve events of each of n
// users, in parts of 200, and beat for a minute.
func big(n int) (all []event.Feed) {
	var items []event.Subscription
	for i := range n {
		id := fmt.Sprintf("%08x-93d2-4b7e-8a61-2c5d9e7f1b30", i*2654435761%(1<<32))
		for e := range 12 {
			items = append(items, event.Subscription{EntityID: id, EventName: fmt.Sprint("UserCallInEvent", e), Subscribed: true})
		}
	}
	for _, name := range []string{"a", "b"} {
		at := start
		say := func(kind event.FeedType, live bool, items []event.Subscription) {
			at = at.Add(10 * time.Millisecond)
			all = append(all, event.Feed{Instance: name, Epoch: name, Type: kind, Live: live, At: at, HeardAt: at, Subscriptions: items})
		}
		say(event.Opened, false, nil)
		for i := 0; i < len(items); i += 200 {
			say(event.Subscribed, i+200 >= len(items), items[i:min(i+200, len(items))])
		}
	}
	for s := range 60 {
		for _, name := range []string{"a", "b"} {
			at := start.Add(time.Minute + time.Duration(s)*time.Second)
			all = append(all, event.Feed{Instance: name, Epoch: name, Type: event.Heartbeat, Live: true, At: at, HeardAt: at})
		}
	}
	return all
}

// The state is part of every snapshot of transform.
func TestStateIsSmall(t *testing.T) {
	const users = 10_000
	l := &Ledger{}
	for _, f := range big(users) {
		l.Take(f)
	}
	whole, err := json.Marshal(l)
	if err != nil || len(whole) > 64*users {
		t.Errorf("%d bytes with all history, %v", len(whole), err)
	}
	if gaps := l.Gaps(Window{}); len(gaps) > 0 || l.Wanted() != users {
		t.Errorf("%d wanted, gaps %s", l.Wanted(), text(gaps[:min(3, len(gaps))]))
	}
	l.Forget(l.Settled())
	b, err := json.Marshal(l)
	if err != nil || len(b) > 24*users {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if l.Wanted() != users {
		t.Errorf("%d wanted", l.Wanted())
	}
	t.Logf("%d bytes with all history, %d without", len(whole), len(b))
}

// Whatever order a map is walked in.
func TestStateHasTheSameBytes(t *testing.T) {
	var want []byte
	for range 10 {
		l := &Ledger{}
		for _, f := range big(50) {
			rand.Shuffle(len(f.Subscriptions), func(i, j int) {
				f.Subscriptions[i], f.Subscriptions[j] = f.Subscriptions[j], f.Subscriptions[i]
			})
			l.Take(f)
		}
		l.Forget(l.Settled())
		b, err := json.Marshal(l)
		if err != nil || want != nil && !bytes.Equal(b, want) {
			t.Fatalf("%s\n%s (%v)", want, b, err)
		}
		want = b
	}
}

func TestWhatIsNoState(t *testing.T) {
	for _, s := range []string{
		`{`, `[]`, `{"connections":[null]}`, `{"replicas":[{"name":"a"},{"name":"a"}]}`, `{"replicas":[{"name":"a","on":0}]}`,
		`{"connections":[{"replica":"b"}],"replicas":[{"name":"a","on":0}]}`, `{"answers":[{"on":0}]}`,
		`{"connections":[{}],"answers":[{"on":0,"kind":3}]}`, `{"connections":[{}],"answers":[{"on":0,"before":0}]}`,
		`{"stories":[[]]}`, `{"stories":[[0]]}`, `{"connections":[{}],"answers":[{"on":0}],"stories":[[0,0]]}`, `{"events":[[]]}`, `{"events":[[""]]}`,
		`{"entities":[{"parts":[],"names":["x"]}]}`, `{"entities":[{"parts":[[0,0]],"names":["x"]}]}`,
		`{"connections":[{}],"answers":[{"on":0}],"stories":[[0]],"events":[["s"]],"entities":[{"parts":[[0,0]],"names":["x","x"]}]}`,
		`{"connections":[{}],"answers":[{"on":0}],"stories":[[0]],"events":[["s"]],"entities":[{"parts":[[0,0],[0,0]],"names":["x"]}]}`,
		`{"connections":[{}],"answers":[{"on":0}],"stories":[[0]],"events":[["s"]],"entities":[{"parts":[[0,0]],"ids":"AAAA"}]}`,
	} {
		var l Ledger
		if err := json.Unmarshal([]byte(s), &l); err == nil {
			t.Errorf("taken: %s", s)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{}`))
	for _, story := range []string{
		begun("a", "1", "0") + " a:closed1@1:lost" + begun("a", "2", "2") + begun("b", "7", "3"), "a:live1@0/0 a:closed1@1:lost a:beat@2",
		"a:opened1@0 a:answers1@0:x.s+,0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30.u-,y.s-! b:beat@1",
	} {
		b, err := json.Marshal(told(f, story))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var l Ledger
		if json.Unmarshal(b, &l) != nil {
			return
		}
		once := restored(t, restored(t, &l))
		for _, l := range []*Ledger{&l, once} {
			l.Gaps(Window{})
			l.Refused()
			l.Settled()
			l.Take(feedOf(t, "a:answers2@4:x.s+,x.u-!"))
			l.Take(feedOf(t, "b:beat@5"))
			l.Forget(start.Add(2 * time.Second))
		}
		if a, b := spans(l.Gaps(Window{})), spans(once.Gaps(Window{})); a != b {
			t.Errorf("gaps\n%s, restored\n%s", a, b)
		}
	})
}
