package rtesim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/rtesim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

const (
	jane = "aa9730c4-ce86-e611-80c9-00505689257e"
	tom  = "bb1141d5-df97-e611-80c9-00505689257e"
)

func start(t *testing.T, changes ...func(*rtesim.Settings)) *rtesim.Sim {
	t.Helper()
	settings := rtesim.Defaults()
	for _, change := range changes {
		change(&settings)
	}
	sim, err := rtesim.Start(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return sim
}

// request returns the status and the body of the answer.
func request(t *testing.T, method, url string, body any, headers ...string) (int, []byte) {
	t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b
}

// control calls the control API and decodes its answer.
func control[T any](t *testing.T, sim *rtesim.Sim, method, path string, body any) (answer T) {
	t.Helper()
	status, b := request(t, method, sim.URL()+"/control/"+path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, b)
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, b)
	}
	return answer
}

type object map[string]any

func basic(user, key string) []string {
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(user, key)
	return []string{"Authorization", r.Header.Get("Authorization")}
}

func token(t *testing.T, sim *rtesim.Sim) string {
	t.Helper()
	status, b := request(t, http.MethodGet, sim.URL()+"/token/me/rte/", nil, basic("demo@agency.example", "demo-secret")...)
	var answer struct{ WssEndpoint, Token string }
	if err := json.Unmarshal(b, &answer); status != http.StatusOK || err != nil {
		t.Fatalf("token: %d %s", status, b)
	}
	if want := "ws" + strings.TrimPrefix(sim.URL(), "http") + "/rte"; answer.WssEndpoint != want {
		t.Fatalf("endpoint %s, want %s", answer.WssEndpoint, want)
	}
	return answer.Token
}

// client is a client of the hub as bare as can be.
type client struct {
	t       *testing.T
	ws      *websocket.Conn
	rest    []byte   // read, not yet cut
	backlog [][]byte // arguments that came while waiting for something else
	calls   int
}

func dial(t *testing.T, sim *rtesim.Sim) *client {
	t.Helper()
	c := dialRaw(t, sim)
	c.write(rte.AppendHandshakeRequest(nil))
	if r, err := rte.ReadHandshakeResponse(c.record()); err != nil || r.Error != "" {
		t.Fatalf("handshake: %+v %v", r, err)
	}
	return c
}

// dialRaw connects without a handshake.
func dialRaw(t *testing.T, sim *rtesim.Sim) *client {
	t.Helper()
	bearer := "Bearer " + token(t, sim)
	status, b := request(t, http.MethodPost, sim.URL()+"/rte/negotiate?negotiateVersion=1", nil, "Authorization", bearer)
	var n rte.Negotiation
	if err := json.Unmarshal(b, &n); status != http.StatusOK || err != nil {
		t.Fatalf("negotiate: %d %s", status, b)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, sim.URL()+"/rte?id="+n.ID(), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {bearer}}}) //nolint:bodyclose // it is the socket
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(8 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &client{t: t, ws: ws}
}

func (c *client) write(b []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, b); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next record, or how the connection ended.
func (c *client) read() ([]byte, error) {
	for {
		if record, rest, found := rte.CutRecord(c.rest); found {
			c.rest = rest
			return record, nil
		}
		ctx, cancel := context.WithTimeout(c.t.Context(), patience)
		_, b, err := c.ws.Read(ctx)
		cancel()
		if err != nil {
			return nil, err
		}
		c.rest = append(c.rest, b...)
	}
}

func (c *client) record() []byte {
	c.t.Helper()
	b, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// invoke calls a method and returns its completion; messages that come first
// are kept.
func (c *client) invoke(method string, arguments ...any) rte.Frame {
	c.t.Helper()
	c.calls++
	id := fmt.Sprint(c.calls)
	var raw [][]byte
	for _, a := range arguments {
		b, err := json.Marshal(a)
		if err != nil {
			c.t.Fatal(err)
		}
		raw = append(raw, b)
	}
	c.write(rte.AppendInvocation(nil, id, method, raw...))
	for {
		record := c.record()
		if argument, ok := rte.MessageArgument(record); ok {
			c.backlog = append(c.backlog, bytes.Clone(argument))
			continue
		}
		if f, err := rte.ReadFrame(record); err != nil || f.Type == rte.Completion && f.InvocationID == id {
			if err != nil {
				c.t.Fatal(err)
			}
			return f
		}
	}
}

// fence returns once everything is here that was sent to the connection before.
func (c *client) fence() *client {
	c.t.Helper()
	c.invoke(rte.MethodActiveSubscriptions)
	return c
}

func (c *client) subscribe(items ...rte.EntitySubscription) []rte.SubscriptionResult {
	c.t.Helper()
	f := c.invoke(rte.MethodSubscribe, items)
	var results []rte.SubscriptionResult
	if err := json.Unmarshal(f.Result, &results); err != nil {
		c.t.Fatalf("subscribe: %v in %+v", err, f)
	}
	return results
}

// everything subscribes every event of every user and queue of the agency.
func (c *client) everything() *client {
	c.t.Helper()
	var names []string
	if err := json.Unmarshal(c.invoke(rte.MethodAvailableSubscriptions).Result, &names); err != nil {
		c.t.Fatal(err)
	}
	ids := map[rte.EntityType][]string{}
	for _, p := range rtesim.Agency().Users {
		ids[rte.User] = append(ids[rte.User], p.ID)
	}
	for _, q := range rtesim.Agency().Queues {
		ids[rte.Queue] = append(ids[rte.Queue], q.ID)
	}
	var items []rte.EntitySubscription
	for _, n := range names {
		kind, _ := rte.EntityTypeOf(n)
		for _, id := range ids[kind] {
			items = append(items, rte.EntitySubscription{EntityID: id, EventName: n})
		}
	}
	for _, r := range c.subscribe(items...) {
		if !r.Subscribed {
			c.t.Errorf("refused: %+v", r)
		}
	}
	return c
}

// argument returns the next MessageReceived argument.
func (c *client) argument() []byte {
	c.t.Helper()
	if len(c.backlog) > 0 {
		first := c.backlog[0]
		c.backlog = c.backlog[1:]
		return first
	}
	for {
		if argument, ok := rte.MessageArgument(c.record()); ok {
			return bytes.Clone(argument)
		}
	}
}

type received struct {
	Subscription rte.Subscription
	Data         json.RawMessage
	ID           string `json:"-"`
	EventType    string `json:"-"`
	EntityID     string `json:"-"`
	CallID       string `json:"-"`
	Seq          int    `json:"-"`
}

func (c *client) message() received {
	c.t.Helper()
	return parse(c.t, c.argument())
}

func parse(t *testing.T, argument []byte) received {
	t.Helper()
	var m received
	var data struct {
		ID, EventType, EntityID, CallID string
		Seq                             int
	}
	if err := json.Unmarshal(argument, &m); err != nil {
		t.Fatalf("%v in %s", err, argument)
	}
	if err := json.Unmarshal(m.Data, &data); err != nil {
		t.Fatalf("%v in %s", err, argument)
	}
	m.ID, m.EventType, m.EntityID, m.CallID, m.Seq = data.ID, data.EventType, data.EntityID, data.CallID, data.Seq
	return m
}

func item(entity, event string) rte.EntitySubscription {
	return rte.EntitySubscription{EntityID: entity, EventName: event}
}

// eventually waits until something is so that nothing announces.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %s", what, patience)
		}
	}
}

func addressFile(t *testing.T) string { return filepath.Join(t.TempDir(), "address") }

func TestAddressFile(t *testing.T) {
	file := addressFile(t)
	sim := start(t, func(s *rtesim.Settings) { s.AddrFile = file })
	if b, err := os.ReadFile(file); err != nil || string(b) != sim.URL()+"\n" {
		t.Errorf("%q, %v; want %s", b, err, sim.URL())
	}
}
