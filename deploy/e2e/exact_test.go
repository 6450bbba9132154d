package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
	"ringstream/schemas"
	"ringstream/schemas/bus"
)

// jane is one of the agency's users; ingest is subscribed to all of hers.
const jane = "aa9730c4-ce86-e611-80c9-00505689257e"

// What is stored equals what the hub sent, byte for byte: for every example of
// the contract, in odd spellings, and for event types nobody has heard of.
func TestStoredBytesAreTheSentBytes(t *testing.T) {
	r := start(t, stack.Options{Transform: -1, Deliver: -1})
	sent := bodies(t)
	for _, body := range sent {
		r.post(r.RTESim()+"/control/send", map[string]any{"rawBase64": base64.StdEncoding.EncodeToString(body), "to": "all"}, nil)
	}
	r.eventually(time.Minute, func() string { return missing(sent, r.raw()) },
		func() bool { return r.stored("RTE", "rte.>") >= uint64(len(sent)) })
	stored := r.raw()
	if len(stored) != len(sent) {
		t.Fatalf("%d stored, %d sent", len(stored), len(sent))
	}
	for _, m := range stored {
		if !slices.ContainsFunc(sent, func(body []byte) bool { return bytes.Equal(m.Data, body) }) {
			t.Errorf("nobody has sent what is stored on %s: %.300s", m.Subject, m.Data)
		}
	}
	if t.Failed() {
		t.Log(missing(sent, stored))
	}
}

// missing names the first body that is not among the stored.
func missing(sent [][]byte, stored []bus.Message) string {
	for i, body := range sent {
		if !slices.ContainsFunc(stored, func(m bus.Message) bool { return bytes.Equal(m.Data, body) }) {
			return fmt.Sprintf("%d stored of %d; message %d is not: %s", len(stored), len(sent), i, body)
		}
	}
	return "all are stored"
}

// bodies are the messages to send. No two are the same.
func bodies(t *testing.T) [][]byte {
	t.Helper()
	var all [][]byte
	err := fs.WalkDir(schemas.FS, "examples/rte", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		example, err := fs.ReadFile(schemas.FS, path)
		if err != nil {
			return err
		}
		all = append(all, fmt.Appendf(nil, `{"subscription":{"eventType":%q},"data":%s}`, path, example))
		return nil
	})
	if err != nil || len(all) < 36 {
		t.Fatalf("%d examples (%v)", len(all), err)
	}
	return append(all,
		[]byte(`{"data":{"EventType":"UserTeleported","UserId":"`+jane+`","Id":"00000000-0000-0000-0000-000000000000","Speed":1.0e0}}`),
		[]byte(`{ "Subscription" : null,  "DATA": {"id":"odd", "eventType" :"UserStatus","note":"\u002B\u00e4 ä 😀 \\ \/ <>&'" } }`),
		[]byte(`{"data":null}`), []byte(`{"data":[1,2,3]}`), []byte(`"a string"`), []byte(`12.50`), []byte(`{}`), []byte(`null`),
	)
}

// A hundred thousand messages as fast as the hub can: none missing, none
// twice, none out of order, every byte as sent.
func TestFloodIsStoredInOrder(t *testing.T) {
	const n = 100_000
	r := start(t, stack.Options{Transform: -1, Deliver: -1})
	r.post(r.RTESim()+"/control/send", map[string]any{"eventType": "UserStatus", "user": "jane", "count": n}, nil)
	from := time.Now()
	r.eventually(3*time.Minute, func() string { return fmt.Sprintf("%d stored of %d", r.stored("RTE", "rte.>"), n) },
		func() bool { return r.stored("RTE", "rte.>") >= n })
	t.Logf("the last of %d was stored %v after the hub had sent it", n, time.Since(from).Round(time.Millisecond))

	sent := r.sent(n)
	stored := r.raw()
	if len(stored) != len(sent) {
		t.Fatalf("%d stored, %d sent", len(stored), len(sent))
	}
	for i, m := range stored {
		if sum := sha256.Sum256(m.Data); hex.EncodeToString(sum[:]) != sent[i] {
			t.Fatalf("message %d is not the %d-th that the hub sent", i, i)
		}
	}
}

// sent lists the digests of what the hub wrote to its one connection, in order.
func (r *rig) sent(n int) (digests []string) {
	r.t.Helper()
	for len(digests) < n {
		var page struct {
			Total, Dropped int
			Entries        []struct {
				SHA256 string `json:"sha256"`
			}
		}
		r.get(fmt.Sprintf("%s/control/sent?offset=%d&limit=20000", r.RTESim(), len(digests)), &page)
		if len(page.Entries) == 0 || page.Dropped > 0 {
			r.t.Fatalf("the hub tells %d of %d, %d dropped", len(digests), page.Total, page.Dropped)
		}
		for _, e := range page.Entries {
			digests = append(digests, e.SHA256)
		}
	}
	return digests
}

// raw reads the raw events of RTE in order.
func (r *rig) raw() (all []bus.Message) { return r.read("RTE", "rte.>") }

func (r *rig) read(stream, filter string) (all []bus.Message) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	err := bus.ReadAll(ctx, r.js, stream, []string{filter}, 0, func(m bus.Message) error {
		all = append(all, m)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// One trace runs from the hub's message to the POST, and every message on the
// way validates against the schema that it names.
func TestOneTraceAndValidMessages(t *testing.T) {
	r := start(t, stack.Options{})
	done := r.play(play{Text: "-- call --\ncaller=+447700900100 called=+442071838750\n+0s UserCallInComing user=jane\n+0s UserCallInUserAllocated user=jane\n" +
		"+0.5s UserCallInUserConnected user=jane\n+1s UserCallInDisconnected user=jane\n", Wait: true})
	r.eventually(time.Minute, say("three notifications"), func() bool { return len(r.notifications()) == 3 })
	r.eventually(time.Minute, say("three outcomes"), func() bool { return r.outcomes() == 3 })

	traces := map[string]string{} // by id of the raw event
	for _, m := range r.raw() {
		traces[m.Header.Get("ce-id")] = traceID(t, m.Header.Get("ce-traceparent"))
		validate(t, m)
	}
	calls := map[string]string{} // by sub-type of the notification
	for _, m := range r.read("CALLS", "calls.>") {
		validate(t, m)
		trace := traceID(t, m.Header.Get("ce-traceparent"))
		if trace != traces[m.Header.Get("ce-causationid")] {
			t.Errorf("%s leaves the trace of its cause", m.Header.Get("ce-id"))
		}
		calls[m.Header.Get("ce-type")] = trace
	}
	for _, m := range append(r.read("RTE", "feed.>"), r.read("DELIVERIES", "deliveries.>")...) {
		validate(t, m)
	}
	var page struct {
		Requests []struct {
			CallID  string            `json:"callId"`
			SubType string            `json:"subType"`
			Headers map[string]string `json:"headers"`
		}
	}
	r.get(r.ReapitSim()+"/control/requests?callId="+done.CallIDs[0], &page)
	if len(page.Requests) != 3 {
		t.Fatalf("%d requests", len(page.Requests))
	}
	types := map[string]string{"incomingCall": "incoming", "answeredCall": "answered", "endedCall": "ended"}
	for _, q := range page.Requests {
		if want := calls["dev.ringstream.call."+types[q.SubType]+".v1"]; traceID(t, q.Headers["Traceparent"]) != want {
			t.Errorf("the POST of %s has traceparent %q, its call event trace %s", q.SubType, q.Headers["Traceparent"], want)
		}
	}
}

func traceID(t *testing.T, traceparent string) string {
	t.Helper()
	var version, trace, span, flags string
	if n, _ := fmt.Sscanf(traceparent, "%2s-%32s-%16s-%2s", &version, &trace, &span, &flags); n != 4 {
		t.Fatalf("traceparent %q", traceparent)
	}
	return trace
}

func validate(t *testing.T, m bus.Message) {
	t.Helper()
	if !json.Valid(m.Data) {
		t.Errorf("%s is no JSON: %.200s", m.Subject, m.Data)
		return
	}
	if err := schemas.Validate(m.Header.Get("ce-dataschema"), m.Data); err != nil {
		t.Errorf("%s: %v", m.Subject, err)
	}
}
