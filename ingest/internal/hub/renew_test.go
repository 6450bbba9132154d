package hub

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/rtesim"
)

// renewals hears how tokens are renewed.
type renewals struct {
	nobody
	errs chan error
}

func (r renewals) Renewed(err error) { r.errs <- err }

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) says(what string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), what)
}

func simulated(t *testing.T, changes ...func(*rtesim.Settings)) *rtesim.Sim {
	t.Helper()
	settings := rtesim.Defaults()
	for _, change := range changes {
		change(&settings)
	}
	sim, err := rtesim.Start(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return sim
}

// listening is a client of the simulator that wants the status of one user.
func listening(t *testing.T, sim *rtesim.Sim, log io.Writer) *Hub {
	t.Helper()
	web := trusting(t, nil)
	api := &rte.API{URL: sim.URL(), Username: "demo@agency.example", SecretKey: "demo-secret", User: "me", HTTP: web}
	h := &Hub{
		Grant: api.Grant, Sink: nobody{}, Observe: nobody{}, HTTP: web, Limits: DefaultLimits(),
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	h.Source.Fixed.Items = []rte.EntitySubscription{{EntityID: rtesim.Agency().Users[0].ID, EventName: "UserStatus"}}
	return h
}

func runs(t *testing.T, h *Hub) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not %s", what)
		}
	}
}

// While a connection is live the token for the next one is renewed, what is in
// the way of that is told long before it is needed, and the connection goes on.
func TestTokenThatCannotBeRenewedIsToldBeforeItIsNeeded(t *testing.T) {
	sim := simulated(t, func(s *rtesim.Settings) { s.TokenTTL = time.Minute })
	var log journal
	h := listening(t, sim, &log)
	h.Limits.Renew = 50 * time.Millisecond
	observed := renewals{errs: make(chan error, 100)}
	h.Observe = observed
	fetch, calls, bad := h.Grant, 0, errors.New("HTTP 503 of the test")
	h.Grant = func(ctx context.Context) (rte.Grant, error) {
		calls++ // one at a time, as the API wants it
		if calls == 3 || calls == 4 {
			return rte.Grant{}, bad
		}
		grant, err := fetch(ctx)
		grant.Expires = time.Now().Add(100 * time.Millisecond)
		return grant, err
	}
	stop := runs(t, h)
	eventually(t, "live", func() bool { return h.Status().Held == 1 })
	id := sim.Connections()[0].ID
	for i, want := range []error{nil, bad, bad, nil} {
		if err := <-observed.errs; !errors.Is(err, want) {
			t.Fatalf("renewal %d: %v, want %v", i, err, want)
		}
		if i == 1 {
			eventually(t, "told", func() bool { return strings.Contains(h.Status().Token, "HTTP 503") })
		}
	}
	eventually(t, "healed", func() bool { return h.Status().Token == "" && log.says("got a token for the next connection") })
	if now := sim.Connections(); len(now) != 1 || now[0].ID != id || h.Status().Held != 1 {
		t.Errorf("the connection was touched: %+v", h.Status())
	}
	if !log.says("level=WARN") || !log.says("no token for the next connection") || log.says("eyJ") {
		t.Error("the log tells too little or too much")
	}
	stop()
}

// A renewed token serves where the REST API is away when it is needed, until
// the hub refuses it.
func TestKeptTokenServesWhileTheRESTAPIIsAway(t *testing.T) {
	sim := simulated(t)
	var log journal
	h := listening(t, sim, &log)
	h.Limits.FirstWait, h.Limits.LastWait = time.Millisecond, 10*time.Millisecond
	runs(t, h)
	eventually(t, "live", func() bool { return h.Status().Held == 1 })
	id := sim.Connections()[0].ID
	if err := sim.Fail(rtesim.Fault{What: "token-5xx", Count: 1_000_000}); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Drop(rtesim.DropEOF, id, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "live again", func() bool {
		c := sim.Connections()
		return len(c) == 1 && c[0].ID != id && h.Status().Held == 1
	})
	if !log.says("the last one is still valid") {
		t.Error("nobody is told")
	}
	if err := sim.Fail(rtesim.Fault{What: "negotiate-401", Count: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Drop(rtesim.DropEOF, "", ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "without a token", func() bool { return strings.Contains(h.Status().Trouble, "get an RTE token") })
	if err := sim.Fail(rtesim.Fault{What: "token-5xx"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "live at last", func() bool { return h.Status().Held == 1 })
}

// The token endpoint may be slow, broken or talk nonsense: each wait ends.
func TestTokenThatIsSlowIsNotWaitedForWithoutEnd(t *testing.T) {
	sim := simulated(t)
	var log journal
	h := listening(t, sim, &log)
	h.Limits.Token, h.Limits.FirstWait = 100*time.Millisecond, time.Millisecond
	for _, f := range []rtesim.Fault{
		{What: "token-slow", Count: 2, Delay: time.Hour}, {What: "token-5xx", Count: 1}, {What: "token-malformed", Count: 2},
	} {
		if err := sim.Fail(f); err != nil {
			t.Fatal(err)
		}
	}
	runs(t, h)
	eventually(t, "live", func() bool { return h.Status().Held == 1 })
	for _, want := range []string{"timed out", "HTTP 503", "reason=unreachable", "reason=malformed", "want an object with WssEndpoint and Token"} {
		if !log.says(want) {
			t.Errorf("no line says %q", want)
		}
	}
}
