package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guard lets nobody in who has no business here, and tells browsers what they may do.
type guard struct {
	local bool   // on loopback: the name that is asked for must be of loopback too
	token string // empty: none is asked for
}

// public is what says nothing of any call: probes ask for the one, and the page
// that asks for the token looks as the others do.
var public = []string{"/healthz", "/assets/page.css", "/assets/page.js", "/assets/icon.svg"}

const cookieName = "replay_token"

// NewToken makes a token that nobody guesses.
func NewToken() string { return rand.Text() }

// Loopback reports whether an address to listen on can be reached from this
// machine alone.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && loopback(host)
}

func loopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// policy lets a page load what comes from here and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (g guard) protect(next http.Handler, refuse func(http.ResponseWriter, *http.Request, refusal)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if g.local { // browsers heed it where nobody can listen in between, and complain elsewhere
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			h.Set("Connection", "close") // whatever was sent is not read
			refuse(w, r, refusal{http.StatusMethodNotAllowed, "This page is for reading", "It answers GET and HEAD alone, and changes nothing anywhere.", nil})
		case g.local && !loopback(hostOf(r.Host)):
			refuse(w, r, refusal{
				http.StatusMisdirectedRequest, "Asked for by a foreign name",
				"This page listens on this machine alone, and answers to 127.0.0.1, [::1] and localhost. A name that leads here from elsewhere may be somebody's trick to read it.",
				[]string{"open it by the address that replay serve printed", "to be reached from another machine: replay serve --listen ADDRESS:PORT, which asks for a token"},
			})
		case g.token == "" || slices.Contains(public, r.URL.Path):
			next.ServeHTTP(w, r)
		case r.URL.Query().Has("token") && g.fits(r.URL.Query().Get("token")):
			g.admit(w, r)
		case !g.admitted(r):
			refuse(w, r, refusal{
				http.StatusUnauthorized, "This page wants its token",
				"It shows who called whom, so it lets in only those who have the token that replay serve printed when it began.",
				[]string{"open the whole address that replay serve printed, with ?token= at its end", "after a link to it was followed from another site, the browser may hold the cookie back once: open this page again from here"},
			})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// fits compares in a time that tells nothing.
func (g guard) fits(token string) bool { return same(digest(token), digest(g.token)) }

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// digest is what the cookie holds: who reads it there does not know the token.
func digest(token string) string {
	sum := sha256.Sum256([]byte("replay serve " + token))
	return hex.EncodeToString(sum[:])
}

// admit keeps the token in a cookie and takes it out of the address.
func (g guard) admit(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // there is no TLS to demand: what stands before this may add it
		Name: cookieName, Value: digest(g.token), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	to := *r.URL
	q := to.Query()
	q.Del("token")
	to.RawQuery, to.Host, to.Scheme, to.Path = q.Encode(), "", "", "/"+strings.TrimLeft(to.Path, "/\\")
	http.Redirect(w, r, to.String(), http.StatusSeeOther) //nolint:gosec // without a host, and with one slash before it, it leads nowhere else
}

func (g guard) admitted(r *http.Request) bool {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && g.fits(bearer) {
		return true
	}
	c, err := r.Cookie(cookieName)
	return err == nil && same(c.Value, digest(g.token))
}
