package reapitsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringstream/deliver/internal/reapitsim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock moves only when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a Sim behind a real listener, and a client who is in order unless a test changes something.
type world struct {
	t     *testing.T
	url   string
	clock *clock
	token string
}

type reply struct {
	status int
	header http.Header
	body   string
}

type change func(*http.Request)

func header(name, value string) change {
	return func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 22, 10, 0, 0, 123456700, time.UTC)}
	sim := reapitsim.New(reapitsim.Options{
		ClientID: "demo-client", ClientSecret: "demo-secret", Customers: []string{"SBOX", "RES"},
		Negotiators: reapitsim.DefaultDirectory(), Now: c.now, Random: func(n int) int { return n - 1 },
	})
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	w := &world{t: t, url: server.URL, clock: c}
	w.token = w.newToken()
	return w
}

func (w *world) newToken() string {
	w.t.Helper()
	var body struct {
		Token string `json:"access_token"`
	}
	w.decode(w.postToken("/oauth/token"), http.StatusOK, &body)
	return body.Token
}

func (w *world) postToken(path string, changes ...change) reply {
	w.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"demo-client"}}.Encode()
	changes = append([]change{
		header("Content-Type", "application/x-www-form-urlencoded"),
		func(r *http.Request) { r.SetBasicAuth("demo-client", "demo-secret") },
	}, changes...)
	return w.do(http.MethodPost, path, form, changes...)
}

func (w *world) try(ctx context.Context, method, path, body string, changes ...change) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for _, c := range changes {
		c(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(b)}, err
}

func (w *world) do(method, path, body string, changes ...change) reply {
	w.t.Helper()
	got, err := w.try(context.Background(), method, path, body, changes...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

func (w *world) inOrder(changes ...change) []change {
	return append([]change{
		header("Authorization", "Bearer "+w.token), header("api-version", "2020-01-31"),
		header("reapit-customer", "SBOX"), header("Content-Type", "application/json"),
	}, changes...)
}

func (w *world) platform(method, path, body string, changes ...change) reply {
	w.t.Helper()
	return w.do(method, path, body, w.inOrder(changes...)...)
}

func (w *world) notify(body string, changes ...change) reply {
	w.t.Helper()
	return w.platform(http.MethodPost, "/notifications/", body, changes...)
}

func (w *world) control(method, path, body string, into any) {
	w.t.Helper()
	got := w.do(method, "/control/"+path, body)
	if got.status >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
	}
	if into != nil {
		w.decode(got, http.StatusOK, into)
	}
}

func (w *world) knobs(body string) { w.t.Helper(); w.control(http.MethodPost, "knobs", body, nil) }

func (w *world) fault(body string) { w.t.Helper(); w.control(http.MethodPost, "faults", body, nil) }

func (w *world) decode(r reply, status int, into any) {
	w.t.Helper()
	w.want(r, status)
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		w.t.Fatalf("body %q: %v", r.body, err)
	}
}

func (w *world) want(r reply, status int) {
	w.t.Helper()
	if r.status != status {
		w.t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
}

// eventually polls, for what another connection's goroutine brings about.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within 5 s: %s", what)
		}
	}
}

func (w *world) stats() (st reapitsim.Stats) {
	w.t.Helper()
	w.control(http.MethodGet, "stats", "", &st)
	return st
}

func notification(negotiator, subType, payload string) string {
	return fmt.Sprintf(`{"type":"telephony","subType":%q,"products":["AgencyCloud"],"targets":{"negotiatorId":[%q]},"payload":%s}`,
		subType, negotiator, payload)
}

const payload = `{"id":"c1","created":"2026-11-01T10:28:00Z","callerId":"07123456789","destinationId":"01234567890","huntGroup":false}`

var incoming = notification("JAS", "incomingCall", payload)

// golden compares with testdata/<name>, indented.
func golden(t *testing.T, name, body string) {
	t.Helper()
	got := []byte(body)
	var indented bytes.Buffer
	if json.Indent(&indented, got, "", "  ") == nil {
		got = append(indented.Bytes(), '\n')
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}
