package fold

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// names of fields and headers that the fold reads, and some that it does not.
var (
	someFields = []string{
		"id", "eventType", "entityType", "entityId", "organizationId", "timestamp", "callId", "userId", "userName", "userNumber",
		"callerNumber", "targetNumber", "techQueueId", "reason", "messageTTLSeconds",
		"instance", "type", "epoch", "live", "at", "heardAt", "subscriptions", "unheard", "",
	}
	someHeaders = []string{
		"ce-specversion", "ce-type", "ce-source", "ce-id", "ce-time", "ce-recordedtime", "ce-traceparent", "ce-partitionkey",
		"ce-", "Content-Type", "Nats-Msg-Id",
	}
	someWords = []string{
		"", " ", "1.0", "c", "u", "x\x00\n\r", "\xff\xfe", "%zz", "ü☎", "+441632960001", "User", "Queue", "opened", "subscribed", "heartbeat", "closed",
		"UserCallInUserAllocated", "UserCallInUserConnected", "UserCallInDisconnected", "UserCallOutGoing", "UserCallOutDisconnected", "NoSuchEvent",
		"2026-11-02T09:00:00Z", "0000-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z", "yesterday",
		"00000000-0000-0000-0000-000000000000", "application/json", "application/cloudevents+json", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		strings.Repeat("9", 5_000), strings.Repeat("é", 700_000),
	}
)

// anyValue is a word mostly, and else of the wrong type.
func anyValue() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		word := rapid.OneOf(rapid.SampledFrom(someWords), rapid.String()).Draw(t, "word")
		switch rapid.IntRange(0, 9).Draw(t, "shape") {
		case 0:
			return []any{word, nil}
		case 1:
			return map[string]any{"entityId": word}
		case 2:
			return rapid.Float64().Draw(t, "number")
		case 3:
			return nil
		case 4:
			return []any{map[string]any{"entityId": word, "eventName": word, "subscribed": true}}
		default:
			return word
		}
	})
}

// anyMessage is anything that somebody who may publish to RTE can put there.
func anyMessage() *rapid.Generator[bus.Message] {
	fields := rapid.MapOfN(rapid.SampledFrom(someFields), anyValue(), 0, 12)
	body := rapid.OneOf(
		rapid.SliceOf(rapid.Byte()),
		rapid.Map(fields, func(m map[string]any) []byte { return encoded(m) }),
		rapid.Map(fields, func(m map[string]any) []byte { return encoded(map[string]any{"data": m}) }),
		rapid.Map(fields, func(m map[string]any) []byte {
			return encoded(map[string]any{"subscription": m, "data": map[string]any{
				"callId": "c", "userId": "u", "eventType": "UserCallInUserAllocated", "timestamp": m["timestamp"], "callerNumber": m["callerNumber"],
			}})
		}),
		rapid.Map(fields, func(m map[string]any) []byte { b := encoded(m); return b[:len(b)/2] }),
	)
	headers := rapid.MapOfN(rapid.SampledFrom(someHeaders), rapid.SliceOfN(rapid.SampledFrom(someWords), 0, 2), 0, 8)
	return rapid.Custom(func(t *rapid.T) bus.Message {
		m := bus.Message{
			Subject: rapid.SampledFrom([]string{"rte.0.o.UserCallInUserAllocated.c", "rte.0.x.Unknown.none", "feed.a.heartbeat", "feed.a.opened", "feed.x.y"}).Draw(t, "subject"),
			Header:  headers.Draw(t, "headers"), Data: body.Draw(t, "body"),
		}
		if rapid.Bool().Draw(t, "a CloudEvent") {
			for name, value := range map[string]string{"specversion": "1.0", "type": "t", "source": "/s", "id": "1"} {
				m.Header["ce-"+name] = []string{value}
			}
		}
		return m
	})
}

func encoded(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

// steps folds messages as a partition does, and holds against each what a
// partition cannot do without.
func steps(t *rapid.T) {
	f := New(call.DefaultLimits())
	at := start
	for i, m := range rapid.SliceOfN(anyMessage(), 1, 20).Draw(t, "messages") {
		at = at.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds")) * time.Second)
		m.Seq, m.Stored = uint64(i+1), at
		in, _ := Decode(m)
		s := f.Step(in)
		if f.Seq() != m.Seq || !f.clock.Equal(at) {
			t.Fatalf("the clock stands at %d, %s", f.Seq(), f.clock)
		}
		for _, out := range s.Outputs {
			if _, body, err := Encode(out); err != nil || len(body) > 512<<10 {
				t.Fatalf("a call event of %d bytes: %v", len(body), err)
			}
		}
		b, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := Restore(call.DefaultLimits(), b); !ok || err != nil {
			t.Fatalf("a snapshot that cannot be restored: %v", err)
		}
	}
	// What was sound before and after is folded.
	r := event.Raw{ID: "sound", EventType: "UserCallInUserAllocated", UserID: "jane", CallID: "sound", Timestamp: at, CallerNumber: "+441632960001"}
	if s := f.Step(Input{Seq: f.Seq() + 1, Stored: at, Raw: &r}); len(s.Outputs) == 0 || s.Outputs[len(s.Outputs)-1].Call.CallID != "sound" {
		t.Fatalf("a call that rings: %+v", s)
	}
}

// Whatever stands in RTE, a partition goes on: no panic, no call event and no
// snapshot that cannot be stored, and time passes.
func TestNoMessageStopsTheFold(t *testing.T) { rapid.Check(t, steps) }

func FuzzMessages(f *testing.F) { f.Fuzz(rapid.MakeFuzz(steps)) }

// What has the form of an event and cannot be told of is skipped as well.
func TestWhatCannotBeToldIsUnreadable(t *testing.T) {
	long := strings.Repeat("9", 7<<20)
	for name, data := range map[string]map[string]any{
		"a long number":     {"callerNumber": long},
		"a long name":       {"userName": long},
		"a long id":         {"callId": long},
		"a long event id":   {"id": long},
		"a long event type": {"eventType": long},
		"a long reason":     {"reason": long},
	} {
		t.Run(name, func(t *testing.T) {
			ring := map[string]any{"id": "a", "eventType": "UserCallInUserAllocated", "callId": "c", "userId": "u", "timestamp": "2026-11-02T09:00:00Z"}
			for field, value := range data {
				ring[field] = value
			}
			f := New(call.DefaultLimits())
			in, err := Decode(bus.Message{Subject: "rte.0.o.x.y", Seq: 7, Stored: start, Header: sound, Data: encoded(map[string]any{"data": ring})})
			if err == nil || len(err.Error()) > 200 {
				t.Errorf("taken, or told at length: %.200v", err)
			}
			if s := f.Step(in); len(s.Outputs) != 0 || f.Known() != 0 || f.Seq() != 7 {
				t.Errorf("%d outputs, %d calls, at %d", len(s.Outputs), f.Known(), f.Seq())
			}
		})
	}
}

var sound = map[string][]string{"ce-specversion": {"1.0"}, "ce-type": {"t"}, "ce-source": {"/s"}, "ce-id": {"1"}}

// A time that JSON cannot hold, as one of the year 10000, is none.
func TestTimesThatCannotBeStored(t *testing.T) {
	for _, body := range []string{
		`{"data":{"id":"a","eventType":"UserCallInUserAllocated","callId":"c","userId":"u","timestamp":"9999-12-31T23:59:59-14:00"}}`,
		`{"data":{"id":"a","eventType":"UserCallInUserAllocated","callId":"c","userId":"u","timestamp":"0000-01-01T00:00:00+14:00"}}`,
		`{"instance":"a","type":"opened","epoch":"1","at":"9999-12-31T23:59:59-14:00","heardAt":"0000-01-01T00:00:00+14:00","live":true}`,
		`{"instance":"a","type":"heartbeat","epoch":"1","at":"9999-12-31T23:59:59Z","heardAt":"9999-12-31T23:59:59Z","live":true}`,
	} {
		f := New(call.DefaultLimits())
		subject := "rte.0.o.x.y"
		if strings.Contains(body, "instance") {
			subject = "feed.a.opened"
		}
		for seq := range uint64(3) {
			in, _ := Decode(bus.Message{Subject: subject, Seq: seq + 1, Stored: start.Add(time.Duration(seq) * time.Second), Header: sound, Data: []byte(body)})
			for _, out := range f.Step(in).Outputs {
				if _, _, err := Encode(out); err != nil {
					t.Errorf("%s: %v", body, err)
				}
			}
			if _, err := f.Snapshot(); err != nil {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}

func TestCallEventThatNoServerTakesIsNotMade(t *testing.T) {
	c := event.Call{CallID: "c", Type: event.Incoming, OccurredAt: start}
	for len(c.Audience) < 20_000 {
		c.Audience = append(c.Audience, event.User{UserID: "29f6e823-b484-e611-80c9-00505689257e"})
	}
	if _, _, err := Encode(Output{Call: c}); err == nil {
		t.Error("made")
	}
}
