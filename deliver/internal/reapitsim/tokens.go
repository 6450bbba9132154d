package reapitsim

import (
	"crypto/rand"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	tokenReuse    = 5 * time.Minute // a cached token with less life left is not given again
	authorizerTTL = 5 * time.Minute
)

type binding struct {
	customer string
	until    time.Time
}

// tokens are those given so far, the one that is given again, and the customers that the legacy authorizer remembers.
type tokens struct {
	mu      sync.Mutex
	expires map[string]time.Time
	cached  string
	bound   map[string]binding
}

func newTokens() *tokens {
	t := &tokens{}
	t.revoke()
	return t
}

func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expires, t.cached, t.bound = map[string]time.Time{}, "", map[string]binding{}
}

// give returns the cached token where it may, or a new one with this life, and what is left of it.
func (t *tokens) give(now time.Time, life time.Duration, again bool) (token string, left time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left := t.expires[t.cached].Sub(now); again && t.cached != "" && left >= tokenReuse {
		return t.cached, left
	}
	for old, at := range t.expires {
		if !now.Before(at) {
			delete(t.expires, old)
			delete(t.bound, old)
		}
	}
	t.cached = rand.Text()
	t.expires[t.cached] = now.Add(life)
	return t.cached, life
}

func (t *tokens) valid(token string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, known := t.expires[token]
	return known && now.Before(at)
}

// customerOf is the customer whom the legacy authorizer takes the token to act for.
func (t *tokens) customerOf(token, asked string, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b, ok := t.bound[token]; ok && now.Before(b.until) {
		return b.customer
	}
	t.bound[token] = binding{asked, now.Add(authorizerTTL)}
	return asked
}

func (s *Sim) issueToken(x *exchange) answer {
	oauthError := func(status int, code string) answer {
		return jsonAnswer(status, map[string]string{"error": code})
	}
	kind, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	form, err := url.ParseQuery(string(x.body))
	if err != nil || kind != "application/x-www-form-urlencoded" || form.Get("grant_type") != "client_credentials" {
		return oauthError(http.StatusBadRequest, "invalid_request")
	}
	if !s.knows(x.r) || form.Has("client_id") && form.Get("client_id") != s.options.ClientID {
		return oauthError(http.StatusUnauthorized, "invalid_client")
	}
	shortest, longest := x.knobs.TokenSeconds[0], x.knobs.TokenSeconds[1]
	life := time.Duration(shortest+s.random(longest-shortest+1)) * time.Second
	token, left := s.tokens.give(s.now(), life, x.knobs.CachedTokens)
	return jsonAnswer(http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}{token, "Bearer", int(left / time.Second)})
}

func (s *Sim) knows(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	// Clients may send the pair form-encoded, as OAuth has it, or as it is.
	same := func(got, want string) bool {
		decoded, err := url.QueryUnescape(got)
		return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 || err == nil && decoded == want
	}
	return basic && same(id, s.options.ClientID) && same(secret, s.options.ClientSecret)
}
