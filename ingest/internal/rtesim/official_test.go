package rtesim_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/philippseith/signalr"

	"ringstream/ingest/internal/hub"
	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/rtesim"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/event"
)

// TestOfficialClient asks Microsoft's own client whether the simulator is a
// SignalR hub. It needs node and npm; only CI, which promises them, fails
// without.
func TestOfficialClient(t *testing.T) {
	t.Parallel() // most of it is node and npm
	folder := official(t)
	sim := start(t)
	out := run(t, folder, "node", "client.mjs", sim.URL()+"/rte", sim.URL()+"/control", token(t, sim), jane, tom)

	var seen struct {
		Unauthorized, AvailableWithArgument, UnknownMethod, Closed string
		Available, Last                                            []string
		Results, Unsubscribed                                      []rte.SubscriptionResult
		Active                                                     []rte.Subscription
		Order                                                      []int
		Strangers                                                  int
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for what, c := range map[string][2]string{
		"a bad token":          {seen.Unauthorized, "401"},
		"an argument too many": {seen.AvailableWithArgument, "Failed to invoke 'AvailableSubscriptions' due to an error on the server."},
		"an unknown method":    {seen.UnknownMethod, "Unknown hub method 'Publish'"},
		"the server's close":   {seen.Closed, "maintenance"},
	} {
		if !strings.Contains(c[0], c[1]) {
			t.Errorf("%s: got %q, want %q", what, c[0], c[1])
		}
	}
	if !slices.Contains(seen.Available, "UserCallInComing") {
		t.Errorf("available: %v", seen.Available)
	}
	if r := seen.Results; len(r) != 3 || !r[0].Subscribed || !r[1].Subscribed || r[2].Reason() != rte.RefusedEntityID || r[0].EventName != "usercallincoming" {
		t.Errorf("results: %+v", r)
	}
	if len(seen.Active) != 2 || seen.Strangers != 0 {
		t.Errorf("active: %+v; %d messages that are not of them", seen.Active, seen.Strangers)
	}
	if len(seen.Order) != 2000 || !slices.IsSorted(seen.Order) || seen.Order[0] != 1 || seen.Order[1999] != 2000 {
		t.Errorf("%d messages, in order: %v", len(seen.Order), slices.IsSorted(seen.Order))
	}
	if len(seen.Unsubscribed) != 1 || !seen.Unsubscribed[0].Subscribed || !slices.Equal(seen.Last, []string{"UserStatus"}) {
		t.Errorf("after unsubscribing: %+v, then %v", seen.Unsubscribed, seen.Last)
	}
}

// official is a folder with the official client, installed.
func official(t *testing.T) string {
	t.Helper()
	if err := nodeAndNpm(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("the official client was not run: %v", err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/official")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder + "/node_modules"); err != nil {
		run(t, folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	}
	return folder
}

// ids is where ingest puts what it hears.
type ids struct {
	all  []string
	want int
	done chan struct{}
}

func (s *ids) Message(argument []byte) {
	var m struct{ Data struct{ ID string } }
	if json.Unmarshal(argument, &m) != nil {
		return
	}
	if s.all = append(s.all, m.Data.ID); len(s.all) == s.want {
		close(s.done)
	}
}

func (*ids) Opened(string, string, func() (time.Time, time.Time)) {}
func (*ids) Stray([]byte, string)                                 {}
func (*ids) Subscribed([]event.Subscription, bool)                {}
func (*ids) Closed(string)                                        {}
func (*ids) Ended(session.Cause)                                  {}
func (*ids) Swallowed(string)                                     {}
func (*ids) Renewed(error)                                        {}

// TestOfficialClientAndIngestHearTheSame has both connected at once: they hear
// the same events, all of them, in the same order.
func TestOfficialClientAndIngestHearTheSame(t *testing.T) {
	t.Parallel() // most of it is node and npm
	const name = "UserCallInComing"
	count := 20_000
	if testing.Short() { // under the race detector the simulator is slow
		count = 2000
	}
	folder := official(t)
	sim := start(t, func(s *rtesim.Settings) { s.Coalesce, s.Escape = 7, true })
	ctx, cancel := context.WithCancel(t.Context())
	heard := &ids{want: count, done: make(chan struct{})}
	api := rte.API{URL: sim.URL(), Username: "demo@agency.example", SecretKey: "demo-secret", User: "me", HTTP: http.DefaultClient}
	ingest := hub.Hub{
		Grant: api.Grant, Sink: heard, Observe: heard, HTTP: http.DefaultClient, Limits: hub.DefaultLimits(), Log: slog.New(slog.DiscardHandler),
		Source: hub.Source{Fixed: hub.Wanted{Items: []rte.EntitySubscription{item(jane, name)}}},
	}
	ended, printed := make(chan struct{}), make(chan []byte, 1)
	go func() { defer close(ended); ingest.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	node := exec.CommandContext(t.Context(), "node", "listen.mjs", sim.URL()+"/rte", token(t, sim), jane, name, strconv.Itoa(count))
	node.Dir, node.Stderr = folder, os.Stderr
	go func() {
		out, err := node.Output()
		if err != nil {
			t.Errorf("node: %v", err)
		}
		printed <- out
	}()
	eventually(t, "both subscribed", func() bool {
		c := sim.Connections()
		return len(c) == 2 && len(c[0].Subscriptions) == 1 && len(c[1].Subscriptions) == 1
	})
	if sent, err := sim.Send(t.Context(), rtesim.Send{EventType: name, User: "jane", Count: count, Calls: 50}); err != nil || sent.Receivers != 2*count {
		t.Fatalf("%+v, %v", sent, err)
	}
	var official []string
	if err := json.Unmarshal(<-printed, &official); err != nil {
		t.Fatal(err)
	}
	select {
	case <-heard.done:
	case <-time.After(patience):
		t.Fatal("ingest has not heard all of them")
	}
	if len(official) != count || !slices.Equal(official, heard.all) {
		t.Errorf("the official client heard %d, ingest %d, the same: %v", len(official), len(heard.all), slices.Equal(official, heard.all))
	}
}

func nodeAndNpm() error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	return nil
}

func run(t *testing.T, folder, name string, arguments ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, arguments...)
	cmd.Dir = folder
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, complaint.String())
	}
	return out
}

type listener struct {
	signalr.Receiver
	got chan json.RawMessage
}

func (l *listener) MessageReceived(argument json.RawMessage) { l.got <- argument }

// TestLibraryClient is the client that ingest builds on.
func TestLibraryClient(t *testing.T) {
	sim := start(t)
	ctx := t.Context()
	l := &listener{got: make(chan json.RawMessage, 1)}
	conn, err := signalr.NewHTTPConnection(ctx, sim.URL()+"/rte?access_token="+token(t, sim),
		signalr.WithTransports(signalr.TransportWebSockets))
	if err != nil {
		t.Fatal(err)
	}
	c, err := signalr.NewClient(ctx, signalr.WithConnection(conn), signalr.WithReceiver(l), signalr.Logger(nopLogger{}, false))
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	defer c.Stop()
	answer := <-c.Invoke(rte.MethodSubscribe, []rte.EntitySubscription{item(jane, "UserStatus")})
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	sent, err := sim.Send(ctx, rtesim.Send{EventType: "UserStatus", User: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	if m := parse(t, <-l.got); m.ID != sent.FirstID {
		t.Errorf("got %s, sent %s", m.ID, sent.FirstID)
	}
}

type nopLogger struct{}

func (nopLogger) Log(...any) error { return nil }
