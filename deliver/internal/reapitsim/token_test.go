package reapitsim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

type tokenBody struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
}

func form(body string) change {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

func TestTokenRefusals(t *testing.T) {
	basic := func(id, secret string) change { return func(r *http.Request) { r.SetBasicAuth(id, secret) } }
	for name, c := range map[string]struct {
		change change
		status int
		body   string
	}{
		"no credentials":   {header("Authorization", ""), 401, `{"error":"invalid_client"}`},
		"wrong secret":     {basic("demo-client", "guess"), 401, `{"error":"invalid_client"}`},
		"wrong client":     {basic("other", "demo-secret"), 401, `{"error":"invalid_client"}`},
		"other client_id":  {form("grant_type=client_credentials&client_id=other"), 401, `{"error":"invalid_client"}`},
		"no grant type":    {form("client_id=demo-client"), 400, `{"error":"invalid_request"}`},
		"other grant type": {form("grant_type=password"), 400, `{"error":"invalid_request"}`},
		"JSON":             {header("Content-Type", "application/json"), 400, `{"error":"invalid_request"}`},
		"grant in the query": {func(r *http.Request) {
			r.URL.RawQuery = "grant_type=client_credentials"
			form("")(r)
		}, 400, `{"error":"invalid_request"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			got := w.postToken("/oauth/token", c.change)
			w.want(got, c.status)
			if got.body != c.body {
				t.Errorf("body %s, want %s", got.body, c.body)
			}
		})
	}
}

func TestTokenIsGivenAgainWhileFiveMinutesAreLeft(t *testing.T) {
	w := newWorld(t)
	ask := func(path string) (b tokenBody) {
		w.decode(w.postToken(path), http.StatusOK, &b)
		return b
	}
	if b := ask("/token"); b.Token != w.token || b.Expires != 3600 || b.Type != "Bearer" {
		t.Errorf("first again: %+v", b)
	}
	w.clock.forward(55 * time.Minute)
	if b := ask("/oauth/token"); b.Token != w.token || b.Expires != 300 {
		t.Errorf("with five minutes left: %+v", b)
	}
	w.clock.forward(time.Second)
	b := ask("/oauth/token")
	if b.Token == w.token || b.Expires != 3600 {
		t.Errorf("with less left: %+v", b)
	}
	w.want(w.notify(incoming), http.StatusAccepted) // the old one works to its end
	w.clock.forward(299 * time.Second)
	w.want(w.notify(incoming), http.StatusUnauthorized)
}

func TestTokenLifeKnob(t *testing.T) {
	w := newWorld(t)
	w.control(http.MethodDelete, "tokens", "", nil)
	w.knobs(`{"tokenSeconds":[2,2]}`)
	var first, second tokenBody
	w.decode(w.postToken("/oauth/token"), http.StatusOK, &first)
	w.decode(w.postToken("/oauth/token"), http.StatusOK, &second)
	if first.Expires != 2 || first.Token == second.Token {
		t.Errorf("%+v, %+v", first, second)
	}
}

func TestEachTokenIsNewByAKnob(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"cachedTokens":false,"tokenSeconds":[3600,3600]}`)
	var first, second tokenBody
	w.decode(w.postToken("/oauth/token"), http.StatusOK, &first)
	w.decode(w.postToken("/oauth/token"), http.StatusOK, &second)
	if first.Expires != 3600 || first.Token == second.Token || w.token == first.Token {
		t.Errorf("%+v, %+v", first, second)
	}
	w.want(w.notify(incoming), http.StatusAccepted)
}

func TestFaultOfTheTokenEndpoint(t *testing.T) {
	w := newWorld(t)
	w.fault(`{"match":{"path":"/oauth/token"},"times":1,"action":{"status":503,"body":"oauth","text":"temporarily_unavailable"}}`)
	got := w.postToken("/oauth/token")
	w.want(got, http.StatusServiceUnavailable)
	if got.body != `{"error":"temporarily_unavailable"}` {
		t.Error(got.body)
	}
	w.want(w.postToken("/oauth/token"), http.StatusOK)
}
