package reapit_test

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; got:\n%s", file, got)
	}
}

const (
	secret      = "s3cret/with+signs"
	issuedToken = "token-of-the-test"
	traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// start gives a client whose tokens come from /oauth/token and whose API is
// behind them. A nil handler is not expected to be asked.
func start(t *testing.T, token, api http.HandlerFunc) *reapit.Client {
	t.Helper()
	server := httptest.NewServer(routes(t, token, api))
	t.Cleanup(server.Close)
	return connect(t, config(server.URL), nil)
}

func routes(t *testing.T, token, api http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := api
		if r.URL.Path == "/oauth/token" {
			h = token
		}
		if h == nil {
			t.Errorf("unexpected request for %s", r.URL.Path)
			return
		}
		h(w, r)
	})
}

func config(url string) reapit.Config {
	return reapit.Config{
		APIURL: url, TokenURL: url + "/oauth/token", ClientID: "demo-client", ClientSecret: secret, APIVersion: "2020-01-31",
	}
}

func connect(t *testing.T, cfg reapit.Config, hc *http.Client) *reapit.Client {
	c := reapit.New(cfg, hc)
	t.Cleanup(c.Close)
	return c
}

func answer(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

var asJSON = http.Header{"Content-Type": {"application/json"}}

func giveToken(w http.ResponseWriter, r *http.Request) {
	answer(200, asJSON, `{"access_token":"`+issuedToken+`","token_type":"Bearer","expires_in":3600}`)(w, r)
}

func call() event.Call {
	return event.Call{
		CallID: "0f6e7a10-5a3c-4f0e-9d2b-7c1d2e3f4a5b", OrganizationID: "29f6", Type: event.Incoming, Direction: event.Inbound,
		OccurredAt: time.Date(2026, 11, 1, 10, 28, 0, 999_999_900, time.UTC),
		Caller:     "+447123456789", Called: "+441234567890", Sequence: 1,
	}
}

func notification() reapit.Notification {
	return reapit.Notification{
		Customer: "RES", NegotiatorID: "JAS", SubType: "incomingCall", Call: call(), Region: "GB", Format: reapit.National,
	}
}

// mute fails when anything that is told about a request has a secret in it.
func mute(t *testing.T, told ...string) {
	t.Helper()
	for _, s := range told {
		for _, hidden := range []string{secret, issuedToken} {
			if strings.Contains(s, hidden) {
				t.Errorf("a secret is told: %s", s)
			}
		}
	}
}

func words(r reapit.Result) []string {
	all := []string{r.Description}
	if r.Err != nil {
		all = append(all, r.Err.Error())
	}
	if fault := r.Fault(); fault != nil {
		all = append(all, fault.Error())
	}
	for _, e := range r.Errors {
		all = append(all, e.Field, e.Message)
	}
	return all
}

func notify(t *testing.T, c *reapit.Client) reapit.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r := c.Notify(ctx, notification(), traceparent)
	mute(t, words(r)...)
	return r
}
