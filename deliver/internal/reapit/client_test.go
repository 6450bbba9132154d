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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
)

func TestNotifySendsWhatReapitWants(t *testing.T) {
	type seen struct {
		method, path, body string
		header             http.Header
	}
	asked := make(chan seen, 1)
	c := start(t, giveToken, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- seen{r.Method, r.URL.RequestURI(), string(body), r.Header}
		w.WriteHeader(http.StatusAccepted)
	})
	r := notify(t, c)
	got := <-asked
	if !r.OK() || r.Kind != reapit.Answered || r.Status != 202 || r.Err != nil {
		t.Errorf("%+v", r)
	}
	if got.method != "POST" || got.path != "/notifications/" || got.body != string(r.Body) {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{
		"Authorization":   "Bearer " + issuedToken,
		"Api-Version":     "2020-01-31",
		"Reapit-Customer": "RES",
		"Content-Type":    "application/json",
		"Traceparent":     traceparent,
	} {
		if h := got.header[name]; len(h) != 1 || h[0] != want {
			t.Errorf("%s: %q, want %q", name, h, want)
		}
	}
	if agent := got.header.Get("User-Agent"); !strings.HasPrefix(agent, "ringstream/") || strings.HasSuffix(agent, "/") {
		t.Errorf("User-Agent %q", agent)
	}
}

func TestASlashBehindTheAddressIsNoMatter(t *testing.T) {
	server := httptest.NewServer(routes(t, giveToken, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/base/notifications/" {
			t.Error(r.URL.Path)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	cfg := config(server.URL)
	cfg.APIURL += "/base//"
	if r := notify(t, connect(t, cfg, nil)); !r.OK() {
		t.Errorf("%+v", r)
	}
}

// hijack lets a test write anything to the connection, and ends it.
func hijack(t *testing.T, write string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte(write))
		_ = conn.Close()
	}
}

func TestKindsOfFailure(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	secure := httptest.NewTLSServer(nil)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(secure.Close)
	nameless := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no name server")
		},
	}}).DialContext}}
	slow := &http.Client{Timeout: 20 * time.Millisecond}

	for name, f := range map[string]struct {
		api     http.HandlerFunc
		address string // other than the server's
		hc      *http.Client
		want    reapit.Kind
		sent    bool
	}{
		"refused":       {address: gone.URL, want: reapit.Refused},
		"no such host":  {address: "http://reapit.invalid", hc: nameless, want: reapit.DNS},
		"no trust":      {address: secure.URL, want: reapit.TLS},
		"no TLS":        {address: strings.Replace(plain(t).URL, "http:", "https:", 1), want: reapit.TLS},
		"hung up":       {api: hijack(t, ""), want: reapit.Network, sent: true},
		"cut off":       {api: hijack(t, "HTTP/1.1 202 Acc"), want: reapit.Network, sent: true},
		"garbage":       {api: hijack(t, "SSH-2.0-whatever\r\n\r\n"), want: reapit.Malformed, sent: true},
		"broken header": {api: hijack(t, "HTTP/1.1 202 Accepted\r\nno colon\r\n\r\n"), want: reapit.Malformed, sent: true},
		"bad address":   {address: "http://[::1", want: reapit.Unsendable},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(routes(t, giveToken, f.api))
			defer server.Close()
			cfg := config(server.URL)
			if f.address != "" {
				cfg.APIURL = f.address
			}
			c := connect(t, cfg, withToken(f.hc, server.URL))
			r := notify(t, c)
			if r.Kind != f.want || r.Sent != f.sent || r.Err == nil || r.Status != 0 || len(r.Body) == 0 || r.OK() {
				t.Errorf("%+v: %v", r, r.Err)
			}
		})
	}
	t.Run("the given client's timeout", func(t *testing.T) {
		c, arrived := hanging(t, slow)
		if r := notify(t, c); r.Kind != reapit.Timeout || !r.Sent {
			t.Errorf("%+v", r)
		}
		<-arrived
	})
}

func plain(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s
}

// withToken lets hc reach the token endpoint at url as any client would.
func withToken(hc *http.Client, url string) *http.Client {
	if hc == nil {
		return nil
	}
	return &http.Client{Timeout: hc.Timeout, Transport: split{strings.TrimPrefix(url, "http://"), hc.Transport}}
}

type split struct {
	host  string
	other http.RoundTripper
}

func (s split) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == s.host {
		t := &http.Transport{DisableKeepAlives: true}
		return t.RoundTrip(r)
	}
	return s.other.RoundTrip(r)
}

// hanging gives a client whose API never answers, and hears of requests.
func hanging(t *testing.T, hc *http.Client) (*reapit.Client, <-chan struct{}) {
	arrived := make(chan struct{}, 1)
	server := httptest.NewServer(routes(t, giveToken, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client left
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return connect(t, config(server.URL), hc), arrived
}

func TestTheCallerGivesUp(t *testing.T) {
	c, arrived := hanging(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if r := c.Notify(ctx, notification(), ""); r.Kind != reapit.Cancelled || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("%+v", r)
	}
}

func TestTheCallersDeadline(t *testing.T) {
	c, arrived := hanging(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if r := c.Notify(ctx, notification(), ""); r.Kind != reapit.Timeout || !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("%+v", r)
	}
	<-arrived
}

// onWire answers requests without a network, so that a test may own the clock.
type onWire func(*http.Request) (*http.Response, error)

func (f onWire) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func wire(token, api http.HandlerFunc) *http.Client {
	return &http.Client{Transport: onWire(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		if r.URL.Path == "/oauth/token" {
			token(w, r)
		} else {
			api(w, r)
		}
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return w.Result(), nil
	})}
}

func TestNoRequestTakesLongerThanTheGatewayCould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		begun := time.Now()
		c := reapit.New(config("http://reapit.example"), wire(giveToken, hang))
		if r := c.Notify(t.Context(), notification(), ""); r.Kind != reapit.Timeout || time.Since(begun) != 35*time.Second || r.Took != 35*time.Second {
			t.Errorf("%+v after %s", r, time.Since(begun))
		}
		begun = time.Now()
		c = reapit.New(config("http://reapit.example"), wire(hang, nil))
		if r := c.Notify(t.Context(), notification(), ""); r.Kind != reapit.TokenUnreachable || time.Since(begun) != 35*time.Second {
			t.Errorf("%+v after %s", r, time.Since(begun))
		}
	})
}

func TestNothingIsSent(t *testing.T) {
	refusing := errors.New("budget spent")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]struct {
		ctx    context.Context
		admit  func(context.Context) (func(reapit.Result), error)
		change func(*reapit.Notification)
		want   error
		kind   reapit.Kind
	}{
		"no admission":  {admit: func(context.Context) (func(reapit.Result), error) { return nil, refusing }, want: refusing, kind: reapit.NotSent},
		"no time":       {ctx: ended, want: context.Canceled, kind: reapit.NotSent},
		"no negotiator": {change: func(n *reapit.Notification) { n.NegotiatorID = "" }, want: reapit.ErrNoTarget, kind: reapit.Unsendable},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil, nil)
			c.Admit = f.admit
			n, ctx := notification(), t.Context()
			if f.change != nil {
				f.change(&n)
			}
			if f.ctx != nil {
				ctx = f.ctx
			}
			if r := c.Notify(ctx, n, ""); r.Kind != f.kind || !errors.Is(r.Err, f.want) {
				t.Errorf("%+v: %v", r, r.Err)
			}
		})
	}
}

func TestEveryRequestIsAdmittedAndReleased(t *testing.T) {
	var admitted, held, most atomic.Int32
	c := start(t, giveToken, answer(202, nil, ""))
	c.Admit = func(context.Context) (func(reapit.Result), error) {
		admitted.Add(1)
		most.Store(max(most.Load(), held.Add(1)))
		return func(reapit.Result) { held.Add(-1) }, nil
	}
	for range 2 {
		if r := notify(t, c); !r.OK() {
			t.Errorf("%+v", r)
		}
	}
	if admitted.Load() != 3 || held.Load() != 0 || most.Load() != 1 {
		t.Errorf("%d admitted, %d still held, %d at most; want a token and two notifications, one at a time", admitted.Load(), held.Load(), most.Load())
	}
}

func TestAnAnswerThatBreaksOffIsStillAnAnswer(t *testing.T) {
	r := notify(t, start(t, giveToken, hijack(t, "HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf")))
	if r.Kind != reapit.Answered || r.Status != 202 {
		t.Errorf("%+v", r)
	}
}

// A portal or a proxy that stands in the way answers with a page and a good
// status; Reapit's answer has no body.
func TestAPageIsNoAcceptance(t *testing.T) {
	for name, page := range map[string]http.HandlerFunc{
		"by its type":  answer(200, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, "please log in"),
		"by its words": answer(202, asJSON, "\n<!doctype html><p>please log in"),
	} {
		r := notify(t, start(t, giveToken, page))
		if r.Kind != reapit.Malformed || !r.Sent || r.OK() || r.Suspect() != reapit.SettingAPIURL || !strings.Contains(r.Fault().Error(), "page of HTML") {
			t.Errorf("%s: %+v: %v", name, r, r.Fault())
		}
	}
	for _, accepted := range []http.HandlerFunc{answer(202, nil, ""), answer(200, asJSON, "{}"), answer(204, nil, "")} {
		if r := notify(t, start(t, giveToken, accepted)); !r.OK() {
			t.Errorf("%+v", r)
		}
	}
}

func TestConfigKeepsItsSecret(t *testing.T) {
	var log strings.Builder
	cfg := config("https://platform.example")
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "reapit", cfg)
	mute(t, log.String(), cfg.String(), fmt.Sprintf("%v %+v", cfg, cfg))
}
