package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/bundle"
	"ringstream/transform/internal/replay/stream"
)

// tapeOf is RTE of half an hour in memory: two replicas of ingest that beat every
// second; the hub refuses everything to b, and a is cut off for a minute.
type tapeOf struct {
	*testing.T
	at   time.Time
	all  []bus.Message
	n    int
	live map[string]bool
}

func (r *tapeOf) put(subject string, header map[string][]string, body []byte) {
	r.n++
	r.all = append(r.all, bus.Message{Subject: subject, Header: header, Data: body, Seq: uint64(r.n), Stored: r.at})
}

func (r *tapeOf) feed(instance string, kind event.FeedType, epoch string, answers ...event.Subscription) {
	r.live[instance] = kind == event.Subscribed || kind == event.Heartbeat && r.live[instance]
	f := event.Feed{Instance: instance, Type: kind, Epoch: epoch, Live: r.live[instance], At: r.at, Answers: true, Subscriptions: answers}
	if r.live[instance] {
		f.HeardAt = r.at
	}
	e, err := event.NewFeed(f, "x", uint64(r.n))
	if err != nil {
		r.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		r.Fatal(err)
	}
	r.put(topology.Feed(instance, string(kind)), header, body)
}

func (r *tapeOf) beat(seconds int, epoch string) {
	for range seconds {
		r.at = r.at.Add(time.Second)
		r.feed("a", event.Heartbeat, epoch)
		r.feed("b", event.Heartbeat, "theirs")
	}
}

func (r *tapeOf) raw(callID, kind string) {
	body, err := json.Marshal(map[string]any{"data": map[string]any{
		"id": fmt.Sprintf("c0de0006-7a3b-4c5d-9e8f-%012d", r.n), "eventType": kind, "entityType": "User", "entityId": jane, "userId": jane,
		"username": "jane@agency.example", "callId": callID, "organizationId": agencyOrg, "callerNumber": "+447911123456", "reason": "remote",
	}})
	if err != nil {
		r.Fatal(err)
	}
	parsed, err := event.ParseRaw(body)
	if err != nil {
		r.Fatal(err)
	}
	r.put(topology.Raw(topology.Partition(callID, partitions), agencyOrg, kind, callID), event.EncodeRaw(parsed, "hub.example", callID, r.at, ""), body)
}

func (r *tapeOf) tape() tape {
	return tape{rte: stream.Span{Name: topology.RTE, First: 1, Last: uint64(r.n), Partitions: partitions}, limits: call.DefaultLimits(), read: func(_ context.Context, handle func(bus.Message) error) error {
		for _, m := range r.all {
			if err := handle(m); err != nil {
				return stream.NotEnd(err)
			}
		}
		return nil
	}}
}

// Who listened to whom is told long before a call: a bundle has that too, and
// not the heartbeats between.
func TestExportKeepsCoverage(t *testing.T) {
	r := &tapeOf{T: t, live: map[string]bool{}, at: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	wanted := event.Subscription{EntityID: jane, EventName: "UserCallInUserAllocated", Subscribed: true}
	r.feed("b", event.Opened, "theirs")
	r.feed("b", event.Subscribed, "theirs", event.Subscription{EntityID: jane, EventName: wanted.EventName, Message: "Unauthorized"})
	r.feed("a", event.Opened, "one")
	r.feed("a", event.Subscribed, "one", wanted)
	r.beat(300, "one")
	r.raw(answered, "UserCallInUserAllocated")
	r.beat(3, "one")
	r.raw(answered, "UserCallInDisconnected")
	r.beat(300, "one")
	r.raw(missed, "UserCallInUserAllocated")
	r.feed("a", event.Closed, "one")
	r.beat(60, "")
	r.feed("a", event.Opened, "two")
	r.feed("a", event.Subscribed, "two", wanted)
	r.raw(missed, "UserCallInDisconnected")
	r.beat(600, "two")
	r.raw(later, "UserCallInUserAllocated") // nothing more is heard of it: a timer ends it
	r.beat(300, "two")

	for id, want := range map[string]event.Coverage{answered: event.Complete, missed: event.Gap, later: event.Complete} {
		var c command
		v, err := c.survey(t.Context(), r.tape(), Selection{Call: id})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "x.bundle")
		w, err := bundle.Create(file, bundle.Head{Format: bundle.Format, Version: bundle.Version, Contract: bundle.Contract, Partitions: partitions, Settings: bundle.SettingsOf(call.DefaultLimits())})
		if err != nil {
			t.Fatal(err)
		}
		x := exporter{survey: v, out: w, alias: bundle.NewPseudonyms([]byte("a key"), partitions)}
		if err := r.tape().read(t.Context(), x.raw); err != nil {
			t.Fatal(err)
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		again, err := bundleTape(file)
		if err != nil {
			t.Fatal(err)
		}
		refold, told := NewRefold(partitions, again.limits), x.told()
		var last event.Call
		err = again.read(t.Context(), func(m bus.Message) error {
			_, events := refold.Take(m)
			for _, e := range events {
				if outline(e) != told[e.Call.EventID()] {
					t.Errorf("of the bundle comes\n%s\nof RTE\n%s", outline(e), told[e.Call.EventID()])
				}
				delete(told, e.Call.EventID())
				last = e.Call
			}
			return nil
		})
		if err != nil || len(told) > 0 || last.Type != event.Missed || last.Coverage != want || last.Inferred != (id == later) {
			t.Errorf("%v; not told: %v; at last %+v, want %s", err, told, last, want)
		}
		if n := w.Count[topology.RTE]; n > 400 {
			t.Errorf("the bundle of %s has %d messages of RTE", id, n)
		}
	}
}
