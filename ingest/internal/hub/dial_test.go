package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ringstream/ingest/internal/rte"
)

func TestDialTellsWhatTheHubAnswered(t *testing.T) {
	const good = `{"negotiateVersion":1,"connectionId":"c","connectionToken":"t"}`
	for _, c := range []struct {
		name               string
		negotiate, connect int
		body               string
		want               error
	}{
		{"token refused", 401, 0, "", ErrUnauthorized},
		{"forbidden", 403, 0, "", ErrUnauthorized},
		{"broken", 503, 0, "", ErrUnreachable},
		{"not there", 404, 0, "", ErrUnreachable},
		{"no JSON", 200, 0, "<html>", ErrMalformed},
		{"no id", 200, 0, "{}", ErrMalformed},
		{"error", 200, 0, `{"error":"no"}`, ErrRefused},
		{"elsewhere", 200, 0, `{"url":"https://elsewhere.example","accessToken":"x"}`, ErrMalformed},
		{"token refused late", 200, 401, good, ErrUnauthorized},
		{"forbidden late", 200, 403, good, ErrUnauthorized},
		{"no WebSocket", 200, 200, good, ErrUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer s3cret" || strings.Contains(r.URL.String(), "s3cret") {
					t.Errorf("asked %s with %q", r.URL, r.Header.Get("Authorization"))
				}
				if r.URL.Path == "/rte/negotiate" {
					w.WriteHeader(c.negotiate)
					_, _ = fmt.Fprint(w, c.body)
					return
				}
				if r.URL.Query().Get("id") != "t" {
					t.Errorf("connected to %s", r.URL)
				}
				w.WriteHeader(c.connect)
			}))
			defer server.Close()
			_, _, err := dial(t.Context(), server.Client(), rte.Grant{Hub: server.URL + "/rte", Token: "s3cret"}, 1<<20)
			if !errors.Is(err, c.want) || strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestAddressThatTheTokenAnswerGaveIsNamed(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for hub, want := range map[string]string{
		server.URL + "/rte": "HTTP 404",
		strings.Replace(server.URL, "http:", "https:", 1) + "/rte": "TLS failed, the server does not speak it",
	} {
		_, _, err := dial(t.Context(), server.Client(), rte.Grant{Hub: hub, Token: "s3cret"}, 1<<20)
		if err == nil || !strings.Contains(err.Error(), hub+" (WssEndpoint of the token answer)") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", hub, err)
		}
	}
}
