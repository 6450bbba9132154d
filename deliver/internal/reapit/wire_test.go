package reapit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
)

// counted counts the connections to a server.
func counted(t *testing.T, h http.Handler) (server *httptest.Server, connections *atomic.Int32) {
	connections = &atomic.Int32{}
	server = httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, connections
}

// Whatever is answered, its connection serves the next request: also one of an
// application that may ask many at a time.
func TestConnectionsAreUsedAgain(t *testing.T) {
	const atOnce, rounds = 40, 10
	kinds := []http.HandlerFunc{
		answer(202, nil, ""), answer(422, asJSON, `{"description":"bad","errors":[{"field":"a","message":"b"}]}`), answer(429, header("Retry-After", "1"), ""),
		answer(401, asJSON, "{}"), answer(502, http.Header{"Content-Type": {"text/html"}}, "<html>"+strings.Repeat("long ", 12_000)),
		answer(307, http.Header{"Location": {"/elsewhere"}}, "gone"), answer(500, header("Content-Encoding", "gzip"), zipped(strings.Repeat("oops ", 5000))),
	}
	var asked, together atomic.Int32
	everybody := make(chan struct{})
	server, connections := counted(t, routes(t, giveToken, func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if n <= atOnce { // all at once, so that there are as many connections
			if together.Add(1) == atOnce {
				close(everybody)
			}
			<-everybody
		}
		kinds[int(n)%len(kinds)](w, r)
	}))
	cfg := config(server.URL)
	cfg.Concurrency = atOnce
	c := connect(t, cfg, nil)
	for range rounds {
		var group sync.WaitGroup
		for range atOnce {
			group.Go(func() { notify(t, c) })
		}
		group.Wait()
	}
	if asked.Load() != atOnce*rounds || connections.Load() > atOnce*3/2 { // a request that finds none idle dials, and may then take another's
		t.Errorf("%d requests over %d connections", asked.Load(), connections.Load())
	}
}

// However many connections a moment has taken, no more stay than there are to be
// requests at a time.
func TestConnectionsBeyondTheConcurrencyDoNotStay(t *testing.T) {
	const atOnce, concurrency = 40, 5
	var together, open atomic.Int32
	everybody := make(chan struct{})
	server := httptest.NewUnstartedServer(routes(t, giveToken, func(w http.ResponseWriter, _ *http.Request) {
		if together.Add(1) == atOnce {
			close(everybody)
		}
		<-everybody
		w.WriteHeader(http.StatusAccepted)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	cfg := config(server.URL)
	cfg.Concurrency = concurrency
	c := connect(t, cfg, nil)
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() { notify(t, c) })
	}
	group.Wait()
	for limit := time.Now().Add(10 * time.Second); open.Load() > concurrency; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d connections are kept for %d requests at a time", open.Load(), concurrency)
		}
	}
	if notify(t, c); open.Load() == 0 {
		t.Error("none is kept")
	}
}

// A request that is given up is taken back as far as it can be: its connection is
// reset. One that is closed in order would still be delivered when a network that
// was cut is whole again.
func TestWhatIsGivenUpIsTakenBack(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan error, 1)
	c := start(t, giveToken, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		close(asked)
		_, err = conn.Read(make([]byte, 1))
		ended <- err
	})
	ctx, giveUp := context.WithCancel(t.Context())
	go func() {
		<-asked
		giveUp()
	}()
	if r := c.Notify(ctx, notification(), traceparent); r.Kind != reapit.Cancelled {
		t.Errorf("%+v", r)
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v", err)
	}
}

// Credentials and calls go where the settings say and nowhere else.
func TestNoRedirectIsFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came with %v", r.Method, r.URL, r.Header)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		away := answer(status, http.Header{"Location": {elsewhere.URL + "/x"}}, "")
		if r := notify(t, start(t, giveToken, away)); r.Status != status || r.Suspect() != reapit.SettingAPIURL {
			t.Errorf("%d: %+v", status, r)
		}
		if r := notify(t, start(t, away, nil)); r.Kind != reapit.TokenRefused {
			t.Errorf("token, %d: %+v", status, r)
		}
		if _, err := start(t, giveToken, away).Negotiators(t.Context(), "RES"); err == nil {
			t.Errorf("negotiators, %d", status)
		}
	}
}

// A client that is given follows none either, whatever it is told to do.
func TestTheGivenClientsRedirectPolicyIsNotUsed(t *testing.T) {
	server := httptest.NewServer(routes(t, giveToken, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			t.Error("followed")
		}
		answer(307, http.Header{"Location": {"/x"}}, "")(w, r)
	}))
	defer server.Close()
	follow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	if r := notify(t, connect(t, config(server.URL), follow)); r.Status != 307 {
		t.Errorf("%+v", r)
	}
}

// The secret is shown to nobody whose certificate is not trusted.
func TestTheTokenEndpointIsVerified(t *testing.T) {
	impostor := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the impostor was asked") }))
	impostor.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	defer impostor.Close()
	cfg := config(impostor.URL)
	if r := notify(t, connect(t, cfg, nil)); r.Kind != reapit.TokenUnreachable || !strings.Contains(r.Err.Error(), "certificate") {
		t.Errorf("%+v: %v", r, r.Err)
	}
	// Trusted, but another's.
	trusting := impostor.Client()
	transport := trusting.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, impostor.Listener.Addr().String())
	}
	defer transport.CloseIdleConnections()
	if r := notify(t, connect(t, config("https://reapit.invalid"), &http.Client{Transport: transport})); r.Kind != reapit.TokenUnreachable {
		t.Errorf("%+v: %v", r, r.Err)
	}
}

// Wherever a request waits, it waits no longer than its caller allows.
func TestNoWaitOutlastsTheDeadline(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	full := func(ctx context.Context) (func(reapit.Result), error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, f := range map[string]struct {
		token, api http.HandlerFunc
		admit      func(context.Context) (func(reapit.Result), error)
		busy       bool // somebody more patient fetches the token already
		want       reapit.Kind
	}{
		"for a token":          {token: hang, want: reapit.NotSent},
		"for another's token":  {token: hang, busy: true, want: reapit.NotSent},
		"for admission":        {token: giveToken, admit: full, want: reapit.NotSent},
		"for the answer":       {token: giveToken, api: hang, want: reapit.Timeout},
		"for admission at all": {admit: full, want: reapit.NotSent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := reapit.New(config("http://reapit.example"), wire(f.token, f.api))
				defer c.Close()
				c.Admit = f.admit
				patient, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				var group sync.WaitGroup
				if f.busy {
					group.Go(func() { c.Notify(patient, notification(), "") })
					synctest.Wait()
				}
				begun := time.Now()
				ctx, cancel := context.WithDeadline(t.Context(), begun.Add(3*time.Second))
				defer cancel()
				if r := c.Notify(ctx, notification(), ""); r.Kind != f.want || time.Since(begun) != 3*time.Second {
					t.Errorf("%+v after %s: %v", r, time.Since(begun), r.Err)
				}
				group.Wait()
			})
		})
	}
}

// An answer whose body does not end is over at the deadline, and is an answer.
func TestABodyWithoutEndEndsWithTheDeadline(t *testing.T) {
	c := start(t, giveToken, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("x-amzn-RequestId", "r-7")
		w.WriteHeader(http.StatusServiceUnavailable)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if r := c.Notify(ctx, notification(), ""); r.Kind != reapit.Answered || r.Status != 503 || r.RequestID != "r-7" {
		t.Errorf("%+v", r)
	}
}

// flood writes until nobody reads any more, and tells how much was taken.
func flood(prefix string, taken *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, prefix)
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 256 {
			n, err := w.Write(chunk)
			taken.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

func TestAnswersWithoutEndAreNotReadToTheEnd(t *testing.T) {
	const bound = 64 << 20 // of 256 MiB; what is on its way counts, too
	for name, ask := range map[string]func(h http.HandlerFunc){
		"notification": func(h http.HandlerFunc) {
			if r := notify(t, start(t, giveToken, h)); r.Kind != reapit.Answered {
				t.Errorf("%+v", r)
			}
		},
		"token": func(h http.HandlerFunc) {
			if r := notify(t, start(t, h, nil)); r.Kind != reapit.TokenUnreachable {
				t.Errorf("%+v", r)
			}
		},
		"negotiators": func(h http.HandlerFunc) {
			if _, err := start(t, giveToken, h).Negotiators(t.Context(), "RES"); err == nil {
				t.Error("no error")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var taken atomic.Int64
			ask(flood(`{"access_token":"`+issuedToken+`","_embedded":[`, &taken))
			if taken.Load() > bound {
				t.Errorf("%d MiB were read", taken.Load()>>20)
			}
		})
	}
}

// The bomb holds what was asked for, behind more than anybody should unpack.
func TestZipBombs(t *testing.T) {
	bomb := func(content string) http.HandlerFunc {
		return answer(200, header("Content-Encoding", "gzip"), zipped(strings.Repeat(" ", 9<<20)+content))
	}
	if r := notify(t, start(t, bomb(`{"access_token":"`+issuedToken+`","expires_in":3600}`), nil)); r.Kind != reapit.TokenUnreachable {
		t.Errorf("%+v", r)
	}
	if list, err := start(t, giveToken, bomb(`{"_embedded":[{"id":"JAS"}]}`)).Negotiators(t.Context(), "RES"); err == nil {
		t.Errorf("%v", list)
	}
	endless := answer(202, http.Header{"X-Amzn-Requestid": {strings.Repeat("r", 1<<20)}}, "")
	if r := notify(t, start(t, giveToken, endless)); r.Kind == reapit.Answered {
		t.Error("a header without end was read")
	}
}

// net/http quotes what is no HTTP.
func TestAnEchoThatIsNoHTTPTellsNoSecret(t *testing.T) {
	for name, line := range map[string]string{
		"token": issuedToken, "secret": secret + " " + issuedToken, "status": "HTTP/1.1 " + issuedToken + " OK",
	} {
		r := notify(t, start(t, giveToken, hijack(t, line+"\r\n\r\n")))
		if r.Kind != reapit.Malformed || !strings.Contains(r.Err.Error(), "[redacted]") {
			t.Errorf("%s: %+v: %v", name, r.Kind, r.Err)
		}
	}
	r := notify(t, start(t, hijack(t, basic()+"\r\n\r\n"), nil))
	if r.Kind != reapit.TokenUnreachable || strings.Contains(fmt.Sprint(r.Err), strings.TrimPrefix(basic(), "Basic ")) {
		t.Errorf("%v", r.Err)
	}
}

// What the token endpoint's support asks for is told, too.
func TestARefusedTokenNamesItsRequest(t *testing.T) {
	r := notify(t, start(t, answer(503, header("x-amzn-RequestId", "t-1"), ""), nil))
	if said := r.Fault().Error(); !strings.Contains(said, "(request t-1)") {
		t.Error(said)
	}
}
