package feed

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

const (
	org  = "29f6e823-b484-e611-80c9-00505689257e"
	call = "0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1"
	id   = "aa90c608-7fd4-4c59-af60-d8141470e85b"
	body = `{"data":{"organizationId":"` + org + `","eventType":"UserCallInComing","CALLID":"` + call + `","id":"` + id + `","timestamp":"2023-10-19T14:21:19.7009158Z"}, "subscription":null}`
)

func now() (at, answered time.Time) { return time.Now(), time.Time{} }

// recorder keeps what a writer publishes.
func recorder(t *testing.T) (*Writer, *[]bus.Outgoing) {
	t.Helper()
	var out []bus.Outgoing
	publish := func(m bus.Outgoing) error { out = append(out, m); return nil }
	return New("replica-1", 4, publish, func(event.Raw, time.Time) {}, NewAudit(Grace), slog.New(slog.DiscardHandler)), &out
}

func data(t *testing.T, m bus.Outgoing) event.Feed {
	t.Helper()
	var f event.Feed
	if err := json.Unmarshal(m.Data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMessageIsPublishedAsTheContractSays(t *testing.T) {
	w, out := recorder(t)
	w.Opened("epoch", "rte.example", now)
	w.Message([]byte(body))
	m := (*out)[1]
	msgID := "//rte.example/organizations/" + org + "#" + id
	if m.Subject != topology.Raw(topology.Partition(call, 4), org, "UserCallInComing", call) || m.Key != call || string(m.Data) != body {
		t.Errorf("published %s, key %s, %s", m.Subject, m.Key, m.Data)
	}
	for name, want := range map[string]string{
		"Nats-Msg-Id": msgID, "ce-id": id, "ce-type": "com.enreachvoice.rte.UserCallInComing", "ce-subject": call, "ce-partitionkey": call,
		"ce-recordedby":  "replica-1",
		"ce-traceparent": telemetry.Traceparent(telemetry.TraceID(msgID), telemetry.SpanID(msgID)),
	} {
		if got := m.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestTwoReplicasWriteTheSame(t *testing.T) {
	one, first := recorder(t)
	two, second := recorder(t)
	for _, w := range []*Writer{one, two} {
		w.Opened("any", "rte.example", now)
		w.Message([]byte(body))
	}
	a, b := (*first)[1], (*second)[1]
	for name := range a.Header {
		if name != "ce-recordedtime" && a.Header[name][0] != b.Header[name][0] {
			t.Errorf("%s differs: %q, %q", name, a.Header[name], b.Header[name])
		}
	}
}

func TestWhatIsNoJSONIsPublished(t *testing.T) {
	w, out := recorder(t)
	w.Opened("epoch", "rte.example", now)
	w.Message([]byte("\xff not json"))
	m := (*out)[1]
	if !strings.HasSuffix(m.Subject, ".none.Unknown.none") || string(m.Data) != "\xff not json" {
		t.Errorf("published %s: %q", m.Subject, m.Data)
	}
	if e, err := event.Decode(m.Header, m.Data); err != nil || e.ID() != event.FallbackID(m.Data) {
		t.Errorf("event %v, %v", e.ID(), err)
	}
}

func TestCoverageTellsTheStoryOfAConnection(t *testing.T) {
	w, out := recorder(t)
	w.Heartbeat()
	w.Opened("epoch-1", "rte.example", now)
	w.Subscribed([]event.Subscription{{EntityID: org, EventName: "UserStatus", Subscribed: true}}, true)
	w.Message([]byte(body))
	w.Heartbeat()
	w.Closed("lost")
	w.Heartbeat()

	type told struct {
		subject, epoch string
		live           bool
		received       uint64
		last           string
		answers        int
	}
	want := []told{
		{"feed.replica-1.heartbeat", "", false, 0, "", 0},
		{"feed.replica-1.opened", "epoch-1", false, 0, "", 0},
		{"feed.replica-1.subscribed", "epoch-1", true, 0, "", 1},
		{"feed.replica-1.heartbeat", "epoch-1", true, 1, id, 0},
		{"feed.replica-1.closed", "epoch-1", false, 1, id, 0},
		{"feed.replica-1.heartbeat", "", false, 0, "", 0},
	}
	var got []told
	ids := map[string]bool{}
	for _, m := range *out {
		if ids[m.Header.Get("Nats-Msg-Id")] = true; !strings.HasPrefix(m.Subject, "feed.") {
			continue
		}
		f := data(t, m)
		got = append(got, told{m.Subject, f.Epoch, f.Live, f.Received, f.LastEventID, len(f.Subscriptions)})
	}
	if len(got) != len(want) || len(ids) != len(*out) {
		t.Fatalf("%d feed events, %d ids of %d", len(got), len(ids), len(*out))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

// A blackholed connection ends when its hub was last heard, not when somebody
// noticed, and is not called live in between.
func TestCoverageReachesAsFarAsTheHubWasHeard(t *testing.T) {
	t.Run("a hub that answers no pings", func(t *testing.T) { blackhole(t, false, 15, Lately) })
	t.Run("one that does", func(t *testing.T) { blackhole(t, true, 2, LatelyAnswering) })
}

func blackhole(t *testing.T, answers bool, quiet int, lately time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, out := recorder(t)
		heard := time.Now().UTC()
		w.Opened("epoch", "rte.example", func() (at, answered time.Time) {
			if answers {
				answered = heard
			}
			return heard, answered
		})
		w.Subscribed(nil, true)
		for range quiet { // until the hub is heard
			time.Sleep(time.Second)
			w.Heartbeat()
		}
		heard = time.Now().UTC()
		for range 35 {
			time.Sleep(time.Second)
			w.Heartbeat()
		}
		w.Closed("silent")
		w.Heartbeat()

		beats := 0
		for _, m := range *out {
			f := data(t, m)
			switch f.Type {
			case event.Closed:
				if !f.At.Equal(heard) || !f.HeardAt.Equal(heard) {
					t.Errorf("closed at %s, heard at %s, want %s", f.At, f.HeardAt, heard)
				}
			case event.Heartbeat:
				if f.Answers != (answers && f.Epoch != "") {
					t.Errorf("answers: %v", f.Answers)
				}
				if beats++; beats == quiet+36 {
					if f.Live || !f.HeardAt.IsZero() {
						t.Errorf("without a connection: %+v", f)
					}
					continue
				}
				if want := beats <= quiet+int(lately/time.Second); f.Live != want || beats > quiet && !f.HeardAt.Equal(heard) {
					t.Errorf("beat %d: live %v, heard at %s", beats, f.Live, f.HeardAt)
				}
			}
		}
	})
}

func TestIdsOfCoverageDifferBetweenStarts(t *testing.T) {
	one, first := recorder(t)
	two, second := recorder(t)
	one.Heartbeat()
	two.Heartbeat()
	if (*first)[0].Header.Get("Nats-Msg-Id") == (*second)[0].Header.Get("Nats-Msg-Id") {
		t.Error("a restarted replica repeats ids, so the stream would drop its heartbeats")
	}
}

func TestDeadLetterFitsWhereItsMessageDidNot(t *testing.T) {
	w, out := recorder(t)
	w.Opened("epoch", "rte.example", now)
	large := strings.Replace(body, `"id"`, `"note":"`+strings.Repeat("x", 2<<20)+`","id"`, 1)
	w.Message([]byte(large))
	letters, err := DeadLetters((*out)[1], errors.New("maximum payload exceeded"))
	if err != nil {
		t.Fatal(err)
	}
	letter := letters[0]
	if whole := bodies(t, letters); whole != large {
		t.Errorf("%d of %d bytes are in %d dead letters", len(whole), len(large), len(letters))
	}
	var d event.DeadLetter
	if err := json.Unmarshal(letter.Data, &d); err != nil {
		t.Fatal(err)
	}
	if letter.Subject != "deadletters.ingest.too-large" || len(letter.Data) > 512<<10 || d.EventID != id || d.CallID != call || string(d.Body) != large[:len(d.Body)] {
		t.Errorf("%s of %d bytes: event %s, call %s", letter.Subject, len(letter.Data), d.EventID, d.CallID)
	}
	if letter.Header.Get("Nats-Msg-Id") != (*out)[1].Header.Get("Nats-Msg-Id")+"/too-large" {
		t.Errorf("message id is %s", letter.Header.Get("Nats-Msg-Id"))
	}
	if got, want := letter.Header["ce-traceparent"], (*out)[1].Header["ce-traceparent"]; len(got) != 1 || got[0] != want[0] {
		t.Errorf("traceparent is %q, want %q", got, want)
	}
}

// bodies puts together what dead letters keep, and looks at each of them.
func bodies(t *testing.T, letters []bus.Outgoing) string {
	t.Helper()
	var whole []byte
	ids := map[string]bool{}
	for _, m := range letters {
		var d event.DeadLetter
		if err := json.Unmarshal(m.Data, &d); err != nil {
			t.Fatal(err)
		}
		if len(m.Data) > 512<<10 || m.Subject != "deadletters.ingest."+d.Reason || d.Detail == "" {
			t.Errorf("%s of %d bytes: %s", m.Subject, len(m.Data), d.Detail)
		}
		ids[m.Header.Get("Nats-Msg-Id")] = true
		whole = append(whole, d.Body...)
	}
	if len(ids) != len(letters) {
		t.Errorf("%d dead letters have %d ids", len(letters), len(ids))
	}
	return string(whole)
}

func TestStrayIsKeptWholeOnceWhateverTheReplica(t *testing.T) {
	for _, record := range []string{"", "not json", strings.Repeat("8 MiB...", 1<<20)} {
		one, first := recorder(t)
		two, second := recorder(t)
		for _, w := range []*Writer{one, two} {
			w.Opened("any", "rte.example", now)
			w.Stray([]byte(record), "broken-frame")
		}
		a, b := (*first)[1:], (*second)[1:]
		if whole := bodies(t, a); whole != record || len(a) == 0 {
			t.Errorf("%d of %d bytes are in %d dead letters", len(whole), len(record), len(a))
		}
		for i := range a {
			if x, y := a[i].Header.Get("Nats-Msg-Id"), b[i].Header.Get("Nats-Msg-Id"); x != y {
				t.Errorf("ids %s and %s", x, y)
			}
		}
	}
}

func TestMessageTTLBecomesExpiryTime(t *testing.T) {
	for ttl, want := range map[string]string{
		"120": "2023-10-19T14:23:19.7009158Z", `"60"`: "2023-10-19T14:22:19.7009158Z", "1": "2023-10-19T14:21:20.7009158Z",
		"0": "", "-1": "", "null": "", `"soon"`: "", "{}": "",
	} {
		for _, name := range []string{"messageTTLSeconds", "MessageTTLSeconds"} {
			w, out := recorder(t)
			w.Opened("any", "rte.example", now)
			w.Message([]byte(strings.Replace(body, `"id"`, `"`+name+`":`+ttl+`,"id"`, 1)))
			if got := (*out)[1].Header["ce-expirytime"]; len(got) > 1 || strings.Join(got, "") != want {
				t.Errorf("%s %s: expirytime is %q, want %q", name, ttl, got, want)
			}
		}
	}
}
