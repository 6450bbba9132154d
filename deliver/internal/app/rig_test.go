package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/reapitsim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/program"
	"ringstream/schemas/topology"
)

// asDeliver makes the test binary the program itself, so that a test can kill it.
const asDeliver = "DELIVER_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asDeliver) != "" {
		os.Exit(program.Program[Settings]{Name: name, Run: Run, Check: Check}.Main(nil, os.Stdout, os.Stderr))
	}
	bustest.Main(m)
}

const organization = "29f60000-0000-4000-8000-000000000001"

// rig is the world around deliver: a real NATS server and Reapit's simulator.
type rig struct {
	*testing.T
	nats   *bustest.Server
	js     jetstream.JetStream
	reapit string
	mu     sync.Mutex
	said   bytes.Buffer // what deliver logs
	count  map[string]int
	sent   []event.Call

	organization string // whose calls are said
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, nats: bustest.Run(t), count: map[string]int{}, organization: organization}
	r.js = r.nats.Provisioned(1)
	sim := reapitsim.New(reapitsim.Options{
		ClientID: "demo", ClientSecret: "demo-secret", Customers: []string{"SBOX", "RES"}, Negotiators: reapitsim.DefaultDirectory(),
	})
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	r.reapit = server.URL
	t.Cleanup(func() {
		if t.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			lines := strings.Split(r.said.String(), "\n")
			t.Log(strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
	return r
}

// Write takes what deliver logs.
func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

func (r *rig) settings() Settings {
	return Settings{
		Common: program.Common{HTTPAddr: "127.0.0.1:0", ShutdownTimeout: 10 * time.Second}, Config: r.nats.Config(1),
		APIURL: r.reapit, TokenURL: r.reapit + "/oauth/token", ClientID: "demo", ClientSecret: "demo-secret", APIVersion: "2020-01-31",
		Customer: "SBOX", Region: "GB", Format: "national", Refresh: time.Hour, Rate: 20, Concurrency: 5, Daily: 250000,
		DeadlineIncoming: 30 * time.Second, DeadlineAnswered: 2 * time.Minute, DeadlineEnded: 10 * time.Minute, DeadlineMissed: 24 * time.Hour,
		LeaseTTL: time.Second, Instance: "one",
	}
}

// running is deliver in this process.
type running struct {
	*rig
	probes string
	ask    func() // to end
	stop   func()
}

// deliver starts it; stop stops it in order and fails the test on an error.
func (r *rig) deliver(s Settings) *running {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	probes, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- run(ctx, s, slog.New(slog.NewJSONHandler(r, nil)), func(address string) { probes <- address })
	}()
	d := &running{rig: r, probes: "http://" + <-probes, ask: cancel}
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			r.Errorf("stopped with %v", err)
		}
	})
	r.Cleanup(d.stop)
	return d
}

func (d *running) ready() bool {
	resp, err := http.Get(d.probes + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (r *rig) page(address string) string {
	r.Helper()
	resp, err := http.Get(address)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return string(body)
}

// control talks to the simulator.
func (r *rig) control(method, path, body string, into any) {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), method, r.reapit+"/control/"+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		r.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) fault(body string) { r.Helper(); r.control(http.MethodPost, "faults", body, nil) }

func (r *rig) shown() []reapitsim.Notification {
	r.Helper()
	var all struct{ Notifications []reapitsim.Notification }
	r.control(http.MethodGet, "notifications?limit=100000", "", &all)
	return all.Notifications
}

// brief writes notifications as <negotiator> <subType> <call>.
func brief(all []reapitsim.Notification, negotiator string) []string {
	lines := []string{}
	for _, n := range all {
		var payload struct {
			ID           string `json:"id"`
			AnsweredByID string `json:"answeredById"`
		}
		_ = json.Unmarshal(n.Payload, &payload) // the simulator has validated it
		if negotiator == "" || n.NegotiatorID == negotiator {
			lines = append(lines, strings.TrimSpace(n.SubType+" "+payload.ID[len(payload.ID)-4:]+" "+payload.AnsweredByID))
		}
	}
	return lines
}

func user(name string) event.User {
	return event.User{UserID: "id-" + name, UserName: name + "@agency.example"}
}

func users(names ...string) []event.User {
	all := make([]event.User, len(names))
	for i, n := range names {
		all[i] = user(n)
	}
	return all
}

// call is the id of the n-th call.
func call(n int) string { return fmt.Sprintf("0f6e0000-0000-4000-8000-%012d", n) }

// say appends a call event the way transform does.
func (r *rig) say(n int, kind event.CallType, answeredBy string, names ...string) event.Call {
	r.Helper()
	return r.sayAt(time.Now(), n, kind, answeredBy, names...)
}

func (r *rig) sayAt(at time.Time, n int, kind event.CallType, answeredBy string, names ...string) event.Call {
	r.Helper()
	return r.sayHeard(at, at, n, kind, answeredBy, names...)
}

// sayHeard has a time of the hub's and one of ingest's.
func (r *rig) sayHeard(at, heard time.Time, n int, kind event.CallType, answeredBy string, names ...string) event.Call {
	r.Helper()
	id := call(n)
	r.count[id]++
	c := event.Call{
		CallID: id, OrganizationID: r.organization, Type: kind, Direction: event.Inbound, OccurredAt: at.UTC(), RecordedAt: heard.UTC(), Caller: "+447123456789", Called: "+441234567890",
		Audience: users(names...), Sequence: r.count[id], Coverage: event.Complete, Cause: event.Cause{EventID: "raw-" + strconv.Itoa(r.count[id]), EventType: "x"},
	}
	if answeredBy != "" {
		u := user(answeredBy)
		c.AnsweredBy = &u
	}
	r.emit(c)
	r.sent = append(r.sent, c)
	return c
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func (r *rig) emit(c event.Call) {
	r.Helper()
	e, err := event.NewCall(c, c.CallID, parent)
	if err != nil {
		r.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		r.Fatal(err)
	}
	msg := &nats.Msg{Subject: topology.CallEvent(0, c.OrganizationID, string(c.Type), c.CallID), Header: nats.Header(header), Data: body}
	// The server of a test may be away for a moment.
	bustest.Eventually(r, "a stored call event", func() bool {
		_, err := r.js.PublishMsg(r.Context(), msg)
		return err == nil
	})
}

// merged waits until CALLS has everything that was said.
func (r *rig) merged() {
	r.Helper()
	bustest.Eventually(r, "the merged stream", func() bool { return len(bustest.Messages(r, r.js, topology.Calls)) >= len(r.sent) })
}

func (r *rig) outcomes() []event.Outcome {
	r.Helper()
	var all []event.Outcome
	for _, m := range bustest.Messages(r, r.js, topology.Deliveries, "deliveries.>") {
		var o event.Outcome
		if err := json.Unmarshal(m.Data, &o); err != nil {
			r.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// until waits for so many outcomes.
func (r *rig) until(n int) []event.Outcome {
	r.Helper()
	var all []event.Outcome
	bustest.Eventually(r, strconv.Itoa(n)+" outcomes", func() bool {
		all = r.outcomes()
		return len(all) >= n
	})
	return all
}

// ends tells how the deliveries of one event type to one negotiator ended.
func ends(all []event.Outcome, negotiator string, kind event.CallType) []event.OutcomeType {
	var found []event.OutcomeType
	for _, o := range all {
		if o.NegotiatorID == negotiator && o.Type == kind {
			found = append(found, o.Outcome)
		}
	}
	return found
}

func (r *rig) want(what string, got, want any) {
	r.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		r.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// account checks what deliver promises for everything that was said: one
// outcome for each event and user, and per negotiator and call no notification
// behind a later one.
func (r *rig) account() {
	r.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, c := range r.sent {
		for _, u := range c.Audience {
			want[c.EventID()+" "+u.UserID] = 1
		}
	}
	for _, o := range r.outcomes() {
		if known := event.Causes(o.Outcome); len(known) == 0 && o.Cause != "" || len(known) > 0 && !slices.Contains(known, o.Cause) {
			r.Errorf("%s is %s by %q", o.EventID, o.Outcome, o.Cause)
		}
		if (o.Status != 0) != (o.RequestID != "") {
			r.Errorf("%s: HTTP %d and request id %q", o.EventID, o.Status, o.RequestID)
		}
		if o.Redrive > 0 {
			continue // beside the outcome of the delivery
		}
		for _, u := range o.Users {
			got[o.EventID+" "+u.UserID]++
		}
	}
	for id := range want {
		if got[id] != 1 {
			r.Errorf("%s has %d outcomes", id, got[id])
			for _, m := range bustest.Messages(r, r.js, topology.Deliveries, "deliveries.>") {
				if strings.HasPrefix(id, m.Header.Get("ce-causationid")) {
					r.Log(m.Seq, m.Header, string(m.Data))
				}
			}
			break
		}
	}
	if len(got) != len(want) {
		r.Errorf("%d outcomes for %d deliveries", len(got), len(want))
	}
	order := []string{"incomingCall", "answeredCall", "endedCall", "missedCall"}
	newest := map[string]int{}
	for _, n := range r.shown() {
		lane := n.NegotiatorID + brief([]reapitsim.Notification{n}, "")[0][len(n.SubType):len(n.SubType)+5]
		at := slices.Index(order, n.SubType)
		if at < newest[lane] {
			r.Errorf("%s: %s behind %s", lane, n.SubType, order[newest[lane]])
		}
		newest[lane] = at
	}
}

func (r *rig) letters() []event.DeadLetter {
	r.Helper()
	var all []event.DeadLetter
	for _, m := range bustest.Messages(r, r.js, topology.DeadLetters) {
		var d event.DeadLetter
		if err := json.Unmarshal(m.Data, &d); err != nil {
			r.Fatal(err)
		}
		if want := topology.DeadLetter(name, d.Reason); m.Subject != want {
			r.Errorf("subject %s, want %s", m.Subject, want)
		}
		all = append(all, d)
	}
	return all
}

func (r *rig) stats() (s reapitsim.Stats) {
	r.Helper()
	r.control(http.MethodGet, "stats", "", &s)
	return s
}

// publish puts anything into the first partition's log.
func (r *rig) publish(subject string, data []byte) {
	r.Helper()
	if _, err := r.js.Publish(r.Context(), subject, data); err != nil {
		r.Fatal(err)
	}
}
