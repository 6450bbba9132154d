package rte

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"wss://rte.example/rte":    "https://rte.example/rte",
		"WSS://rte.example/rte/":   "https://rte.example/rte",
		"https://rte.example/rte/": "https://rte.example/rte",
		"rte.example/rte":          "https://rte.example/rte",
		" rte.example:8443/ ":      "https://rte.example:8443",
		"ws://127.0.0.1:1/rte":     "http://127.0.0.1:1/rte",
		"ftp://rte.example":        "",
		"":                         "",
		"https://u:p@rte.example":  "",
	} {
		got, err := endpoint(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// enreach answers discovery and token requests as the cases say.
func enreach(t *testing.T, discovery, token string, status int) *API {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /discover", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("user"); got != "jane+x@agency.example" {
			t.Errorf("discovery for %q", got)
		}
		_, _ = fmt.Fprint(w, strings.ReplaceAll(discovery, "API", server.URL))
	})
	mux.HandleFunc("GET /token/me/rte/", func(w http.ResponseWriter, r *http.Request) {
		if u, k, _ := r.BasicAuth(); u != "jane+x@agency.example" || k != "key" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("request with %q and headers %v", u, r.Header)
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, token)
	})
	return &API{DiscoveryURL: server.URL + "/discover", Username: "jane+x@agency.example", SecretKey: "key", User: "me", HTTP: server.Client()}
}

func TestGrant(t *testing.T) {
	const found, good = `[{"username":"jane+x@agency.example","apiEndpoint":"API/"}]`, `{"WssEndpoint":"wss://h/rte/","Token":"s3cret"}`
	for _, c := range []struct {
		name, discovery, token string
		status                 int
		hub                    string
		err                    error
	}{
		{"as documented", found, good, 200, "https://h/rte", nil},
		{"without trailing slash", `[{"apiEndpoint":"API"}]`, good, 200, "https://h/rte", nil},
		{"other casing", found, `{"wSSENDPOINT":"h/rte","tOKEN":"s3cret"}`, 200, "https://h/rte", nil},
		{"the user's own entry", `[{"username":"other","apiEndpoint":"http://127.0.0.1:1"},{"userName":"JANE+X@agency.example","apiEndpoint":"API"}]`, good, 200, "https://h/rte", nil},
		{"nobody found", `[]`, good, 200, "", ErrUnknownUser},
		{"discovery in HTML", `<html>`, good, 200, "", ErrMalformed},
		{"discovery without endpoint", `[{}]`, good, 200, "", ErrMalformed},
		{"refused", found, good, 401, "", ErrUnauthorized},
		{"forbidden", found, good, 403, "", ErrUnauthorized},
		{"not found", found, good, 404, "", ErrUnreachable},
		{"too many", found, good, 429, "", ErrUnreachable},
		{"broken", found, good, 500, "", ErrUnreachable},
		{"no token", found, `{"WssEndpoint":"h"}`, 200, "", ErrMalformed},
		{"no endpoint", found, `{"Token":"s3cret"}`, 200, "", ErrMalformed},
		{"no JSON", found, `s3cret`, 200, "", ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			grant, err := enreach(t, c.discovery, c.token, c.status).Grant(t.Context())
			if grant.Hub != c.hub || !errors.Is(err, c.err) {
				t.Errorf("hub %q, error %v", grant.Hub, err)
			}
			if err == nil && string(grant.Token) != "s3cret" {
				t.Error("another token")
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestAnswerOfAnotherFormIsExplained(t *testing.T) {
	const found = `[{"apiEndpoint":"API"}]`
	for _, c := range []struct{ discovery, token, want string }{
		{`{"apiEndpoint":"API"}`, "", "want an array of objects with apiEndpoint"},
		{found, `[{"WssEndpoint":"h"}]`, "want an object with WssEndpoint and Token"},
		{found, `{"WssEndpoint":1,"Token":"s3cret"}`, "want an object with WssEndpoint and Token"},
		{found, `<html>`, "want an object with WssEndpoint and Token"},
	} {
		_, err := enreach(t, c.discovery, c.token, 200).Grant(t.Context())
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "unmarshal") {
			t.Errorf("%s, %s: %v", c.discovery, c.token, err)
		}
	}
}

// Discovery takes no credentials.
func TestDiscoveryRefusesNoCredentials(t *testing.T) {
	for code, what := range map[int]error{401: ErrUnreachable, 403: ErrUnreachable, 404: ErrUnreachable} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		api := &API{DiscoveryURL: server.URL, Username: "jane@agency.example", HTTP: server.Client()}
		_, err := api.Discover(t.Context())
		if !errors.Is(err, what) || strings.Contains(err.Error(), "SECRET_KEY") || strings.Contains(err.Error(), "RTE_USER") {
			t.Errorf("HTTP %d: %v", code, err)
		}
		server.Close()
	}
}

func TestUnreachableIsExplainedWithoutTheURL(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	for url, want := range map[string]string{
		closed.URL:                   "connection refused",
		untrusted.URL:                "TLS failed, the certificate is not trusted",
		"http://discover.invalid/x?": `DNS does not resolve "discover.invalid"`,
	} {
		api := &API{DiscoveryURL: url, Username: "jane@agency.example", HTTP: &http.Client{Transport: &http.Transport{}}}
		_, err := api.Discover(t.Context())
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "user=") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	g := Grant{Hub: "https://h", Token: "s3cret"}
	encoded, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(g), fmt.Sprintf("%+v %#v %s %q", g, g, g.Token, g.Token), string(encoded), g.Token.LogValue().String()} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("printed %s", text)
		}
	}
}

func TestDiscoveryThatIsAwayIsNotNeededTwice(t *testing.T) {
	api := enreach(t, `[{"apiEndpoint":"API"}]`, `{"WssEndpoint":"h","Token":"s3cret"}`, 200)
	if _, err := api.Grant(t.Context()); err != nil {
		t.Fatal(err)
	}
	api.DiscoveryURL = "http://discover.invalid"
	if _, err := api.Grant(t.Context()); err != nil {
		t.Errorf("without discovery: %v", err)
	}
}

func TestExpiryIsReadFromTheToken(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	jwt := func(claims string) string {
		return "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"
	}
	for token, want := range map[string]time.Duration{
		jwt(`{"exp":1800003600}`):                  time.Hour,
		jwt(`{"exp":1800003600,"iat":1800003000}`): 10 * time.Minute, // our clock is not theirs
		jwt(`{"exp":1800000000.5e0}`):              0,
		jwt(`{"exp":1e300,"iat":1}`):               1 << 62, // at the end of time
		jwt(`{"exp":-1}`):                          -1,
		jwt(`{"exp":"soon"}`):                      -1,
		jwt(`{}`):                                  -1,
		jwt(`[`):                                   -1,
		"h.%.s":                                    -1,
		"opaque":                                   -1,
	} {
		got := expiry(token, now)
		if known := want >= 0; known == got.IsZero() || known && got.Sub(now) != want && got.Unix() != endOfTime {
			t.Errorf("%s: %s, want %s", token, got, want)
		}
	}
}
