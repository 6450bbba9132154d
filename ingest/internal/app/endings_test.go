package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// feedOf reads the coverage events of a replica without its heartbeats.
func (r *rig) feedOf(instance string) []event.Feed {
	r.t.Helper()
	return slices.DeleteFunc(r.feed(instance), func(f event.Feed) bool { return f.Type == event.Heartbeat })
}

func (r *rig) feed(instance string) []event.Feed {
	r.t.Helper()
	var all []event.Feed
	for _, m := range bustest.Messages(r.t, r.js, topology.RTE, "feed."+instance+".*") {
		var f event.Feed
		if err := json.Unmarshal(m.Data, &f); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// connected waits for a connection whose id is not among those known.
func (r *rig) connected(known ...string) (id string) {
	r.t.Helper()
	bustest.Eventually(r.t, "a new connection with subscriptions", func() bool {
		for _, c := range r.sim.Connections() {
			if !slices.Contains(known, c.ID) && len(c.Subscriptions) > 0 {
				id = c.ID
				return true
			}
		}
		return false
	})
	return id
}

func TestEveryEndingIsFollowedByANewSubscribedConnection(t *testing.T) {
	t.Parallel() // most of it is waiting
	// The silence lasts longer than a token: without a new one nothing would go on.
	r := newRig(t, func(s *rtesim.Settings) { s.TokenTTL = time.Second })
	limits := fast()
	limits.Silence, limits.KeepAlive = 2*time.Second, 500*time.Millisecond
	p := r.start(r.settings("a"), limits)
	p.waitReady()
	var known []string
	endings := []struct{ mode, cause string }{
		{rtesim.DropClose, "dismissed"},
		{rtesim.DropCloseReconnect, "closed"},
		{rtesim.DropEOF, "lost"},
		{rtesim.DropReset, "lost"},
		{rtesim.DropSilent, "silent"},
	}
	for i, e := range endings {
		known = append(known, r.connected(known...))
		r.send(10, 3)
		if _, err := r.sim.Drop(e.mode, known[i], "over"); err != nil {
			t.Fatal(err)
		}
		r.connected(known...)
		before := r.count()
		bustest.Eventually(t, "ready again", func() bool { code, _ := p.get("/readyz"); return code == http.StatusOK })
		r.send(10, 3)
		r.waitStored(before + 10)
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	r.tellsItsEndings(endings)
}

// tellsItsEndings compares the coverage events with the endings, and the stop
// after them.
func (r *rig) tellsItsEndings(endings []struct{ mode, cause string }) {
	r.t.Helper()
	var kinds, causes []string
	epochs := map[string]bool{}
	for _, f := range r.feedOf("a") {
		kinds = append(kinds, string(f.Type))
		epochs[f.Epoch] = true
		if f.Type == event.Closed {
			cause, _, _ := strings.Cut(f.Reason, ":")
			causes = append(causes, cause)
			if f.Received == 0 || f.LastEventID == "" || f.Live {
				r.t.Errorf("closed event is %+v", f)
			}
		}
	}
	var wantKinds, wantCauses []string
	for _, e := range endings {
		wantCauses = append(wantCauses, e.cause)
	}
	wantCauses = append(wantCauses, "stopped")
	for range wantCauses {
		wantKinds = append(wantKinds, "opened", "subscribed", "closed")
	}
	if !slices.Equal(kinds, wantKinds) || !slices.Equal(causes, wantCauses) || len(epochs) != len(wantCauses) {
		r.t.Errorf("kinds %v, causes %v, %d epochs", kinds, causes, len(epochs))
	}
}

// A hub that falls silent is noticed late; the coverage ends when it was last
// heard, and heartbeats tell so meanwhile.
func TestBlackholedConnectionCoversUntilItWasLastHeard(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	limits := fast()
	limits.Silence, limits.KeepAlive = 2*time.Second, 500*time.Millisecond
	p := r.start(r.settings("a"), limits)
	p.waitReady()
	known := r.connected()
	r.send(1, 1)
	r.waitStored(1)
	if _, err := r.sim.Drop(rtesim.DropSilent, known, ""); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "silence", func() bool { return r.sim.Connections()[0].Silent })
	dropped := time.Now()
	r.connected(known)
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	epoch := ""
	for _, f := range r.feed("a") {
		switch {
		case f.Type == event.Opened && epoch == "":
			epoch = f.Epoch
		case f.Epoch == epoch && f.Type == event.Closed && !f.Answers:
			t.Errorf("answered no ping: %+v", f)
		case f.Epoch == epoch && f.HeardAt.After(dropped):
			t.Errorf("silent since %s: %+v", dropped, f)
		case f.Epoch == epoch && f.Type == event.Closed && !f.At.Equal(f.HeardAt):
			t.Errorf("closed event is %+v", f)
		case f.Epoch != "" && f.HeardAt.IsZero():
			t.Errorf("heard never: %+v", f)
		}
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestRefusalsAreOutlivedAndNothingSecretIsLogged(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	for _, f := range []rtesim.Fault{
		{What: "discovery-5xx", Count: 1},
		{What: "token-401", Count: 2},
		{What: "token-429", Count: 1},
		{What: "negotiate-401", Count: 2},
		{What: "negotiate-5xx", Count: 1},
		{What: "connect-401", Count: 2},
		{What: "connect-5xx", Count: 1},
	} {
		if err := r.sim.Fail(f); err != nil {
			t.Fatal(err)
		}
	}
	var log lines
	r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p := r.start(r.settings("a"), fast())
	p.waitReady()
	for cause, n := range map[string]string{"credentials": "2", "unauthorized": "4", "unreachable": "4"} {
		if got := p.metric(`ringstream_ingest_hub_connections_total{reason="` + cause + `"}`); got != n {
			t.Errorf("%s endings: %q, want %s", cause, got, n)
		}
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	for _, want := range []string{"ENREACH_USERNAME, ENREACH_SECRET_KEY", "HTTP 429", "the hub refused the token"} {
		if !strings.Contains(text, want) {
			t.Errorf("no line says %q", want)
		}
	}
	for _, secret := range []string{"demo-secret", "eyJ"} {
		if strings.Contains(text, secret) {
			t.Errorf("a line holds %q", secret)
		}
	}
}

func TestHubThatIsAwayIsWaitedFor(t *testing.T) {
	r := newRig(t)
	s := r.settings("a")
	settings := rtesim.Defaults()
	settings.Addr = strings.TrimPrefix(r.sim.URL(), "http://")
	p := r.start(s, fast())
	p.waitReady()
	r.send(5, 1)
	r.waitStored(5)
	if err := r.sim.Close(); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "unready", func() bool { code, _ := p.get("/readyz"); return code == http.StatusServiceUnavailable })
	if code, _ := p.get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz is %d while the hub is away", code)
	}
	again, err := rtesim.Start(settings, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	r.sim = again
	p.waitReady()
	r.send(5, 1)
	r.waitStored(10)
}
