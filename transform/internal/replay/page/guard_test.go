package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLoopback(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8099": true, "127.8.8.8:1": true, "[::1]:8099": true, "localhost:0": true, "[::ffff:127.0.0.1]:1": true,
		":8099": false, "0.0.0.0:8099": false, "[::]:8099": false, "10.0.0.1:1": false, "localhost.example:1": false, "127.0.0.1.example:1": false, "nowhere": false,
	} {
		if got := Loopback(listen); got != want {
			t.Errorf("%s: %v", listen, got)
		}
	}
}

// ask asks a guarded handler that says "in".
func ask(g guard, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	p := newPages(true)
	h := g.protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("in")) }), p.refuse)
	r := httptest.NewRequest(method, target, nil)
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func TestHosts(t *testing.T) {
	for name, want := range map[string]int{
		"127.0.0.1:8099": 200, "localhost:8099": 200, "LOCALHOST": 200, "[::1]:8099": 200, "[::1]": 200, "127.0.0.1": 200, "localhost.": 200,
		"evil.example": 421, "evil.example:8099": 421, "localhost.evil.example:8099": 421, "10.0.0.1:8099": 421, "": 421,
	} {
		if w := ask(guard{local: true}, "GET", "/", host(name)); w.Code != want {
			t.Errorf("host %q: %d", name, w.Code)
		}
		if w := ask(guard{token: "t"}, "GET", "/?token=t", host(name)); w.Code != 303 {
			t.Errorf("host %q, not on loopback: %d", name, w.Code)
		}
	}
}

func TestMethods(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO"} {
		w := ask(guard{}, method, "/")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || w.Body.String() == "in" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	for _, method := range []string{"GET", "HEAD"} {
		w := ask(guard{}, method, "/")
		if w.Code != 200 {
			t.Errorf("%s: %d", method, w.Code)
		}
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	for local, want := range map[bool]string{true: "same-origin", false: ""} {
		if got := ask(guard{local: local}, "GET", "/", host("127.0.0.1")).Header().Get("Cross-Origin-Opener-Policy"); got != want {
			t.Errorf("local %v: %q", local, got)
		}
	}
	if p := ask(guard{}, "GET", "/").Header().Get("Content-Security-Policy"); strings.Contains(p, "unsafe") {
		t.Errorf("%s", p)
	}
}

func TestToken(t *testing.T) {
	g := guard{token: "open sesame"}
	for _, path := range public[1:] {
		if _, err := files.Open(strings.TrimPrefix(path, "/")); err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct {
		target string
		change func(*http.Request)
		code   int
	}{
		"none":             {"/", func(*http.Request) {}, 401},
		"a wrong one":      {"/?token=open", func(*http.Request) {}, 401},
		"an empty one":     {"/?token=", func(*http.Request) {}, 401},
		"a wrong cookie":   {"/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: "open sesame"}) }, 401},
		"the right cookie": {"/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: digest("open sesame")}) }, 200},
		"a header":         {"/", func(r *http.Request) { r.Header.Set("Authorization", "Bearer open sesame") }, 200},
		"a wrong header":   {"/", func(r *http.Request) { r.Header.Set("Authorization", "Bearer close sesame") }, 401},
		"health":           {"/healthz", func(*http.Request) {}, 200},
		"the looks":        {"/assets/page.css", func(*http.Request) {}, 200},
		"what is not":      {"/assets/../call/c1", func(*http.Request) {}, 401},
		"the right one":    {"/call/c1?q=1&token=open+sesame", func(*http.Request) {}, 303},
	} {
		w := ask(g, "GET", tt.target, tt.change)
		if w.Code != tt.code || (w.Body.String() == "in") != (tt.code == 200) {
			t.Errorf("%s: %d, %s", name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "sesame") {
			t.Errorf("%s: it says the token", name)
		}
	}
	w := ask(g, "GET", "/call/c1?q=1&token=open+sesame")
	if to := w.Header().Get("Location"); to != "/call/c1?q=1" {
		t.Errorf("it leads to %s", to)
	}
	for _, part := range []string{"replay_token=" + digest("open sesame"), "HttpOnly", "SameSite=Strict", "Path=/"} {
		if c := w.Header().Get("Set-Cookie"); !strings.Contains(c, part) {
			t.Errorf("the cookie has no %s: %s", part, c)
		}
	}
	for _, path := range []string{"//evil.example/", `/\evil.example/`, "///evil.example", "/%5Cevil.example", "//%2Fevil.example"} {
		w := ask(g, "GET", "http://here.example"+path+"?token=open+sesame")
		if to := w.Header().Get("Location"); !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) {
			t.Errorf("%s leads to %s", path, to)
		}
	}
	if a, b := NewToken(), NewToken(); a == b || len(a) < 26 {
		t.Errorf("tokens %s, %s", a, b)
	}
}
