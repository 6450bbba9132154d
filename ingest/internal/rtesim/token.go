package rtesim

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// authority is the REST side: it tells where the API is, and gives tokens for
// the hub to whoever knows the secret key.
type authority struct {
	username, secretKey string
	ttl                 time.Duration
	key                 []byte
	faults              *faults
}

func newAuthority(s Settings, f *faults) *authority {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return &authority{s.Username, s.SecretKey, s.TokenTTL, key, f}
}

// discover answers GET /api/user?user=<email>: an array, empty for a stranger.
func (a *authority) discover(w http.ResponseWriter, r *http.Request) {
	if a.faults.fails(w, "discovery-5xx") {
		return
	}
	type account struct {
		SiloName          string  `json:"siloName"`
		Username          string  `json:"username"`
		APIEndpoint       string  `json:"apiEndpoint"`
		UIEndpoint        string  `json:"uiEndpoint"`
		Authority         *string `json:"authority"`
		AuthorityIDPHint  *string `json:"authorityIdPHint"`
		BasicAuthEndpoint *string `json:"basicAuthEndpoint"`
	}
	found := []account{}
	if strings.EqualFold(r.URL.Query().Get("user"), a.username) {
		base := "http://" + r.Host + "/"
		found = append(found, account{SiloName: "Silo00", Username: a.username, APIEndpoint: base, UIEndpoint: base})
	}
	writeJSON(w, http.StatusOK, found)
}

// token answers GET /token/{user}/rte/.
func (a *authority) token(w http.ResponseWriter, r *http.Request) {
	if slow, due := a.faults.take("token-slow"); due && !sleep(r, slow.Delay) {
		return
	}
	if a.faults.fails(w, "token-401", "token-429", "token-5xx", "token-malformed") {
		return
	}
	username, key, _ := r.BasicAuth()
	if !same(strings.ToLower(username), strings.ToLower(a.username)) || !same(key, a.secretKey) {
		w.Header().Set("WWW-Authenticate", `Basic realm="EnreachAPI"`)
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	user := r.PathValue("user")
	if !a.mayBe(user) {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	signed, err := a.sign(time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, struct{ WssEndpoint, Token string }{"ws://" + r.Host + hubPath, signed})
}

// mayBe tells whether a token is given in this name: the user's own, or any
// user id, since the simulator knows no permissions between users.
func (a *authority) mayBe(user string) bool {
	return user == "me" || strings.EqualFold(user, a.username) || uuid.Validate(user) == nil
}

func (a *authority) sign(now time.Time) (string, error) {
	claims := jwt.RegisteredClaims{
		Issuer: "rte-sim", Subject: a.username, ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(a.ttl)),
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(a.key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// admit checks the token of a request to the hub, from the header or, as
// browsers send it, from the query.
func (a *authority) admit(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	raw := r.URL.Query().Get("access_token")
	if scheme, rest, found := strings.Cut(r.Header.Get("Authorization"), " "); found && strings.EqualFold(scheme, "Bearer") {
		raw = strings.TrimSpace(rest)
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return a.key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired())
	if err == nil {
		return claims.Subject, true
	}
	challenge := "Bearer"
	if raw != "" {
		challenge = `Bearer error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
	return "", false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// sleep reports false when the request ended first.
func sleep(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone: nobody to tell
}
