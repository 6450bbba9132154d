package reapit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
)

// issuer gives numbered tokens, and takes only those it has not revoked.
type issuer struct {
	life   int // seconds; zero leaves expires_in out
	given  atomic.Int32
	taken  sync.Map // "<customer> <token>"
	refuse sync.Map // token
}

func (i *issuer) token(w http.ResponseWriter, _ *http.Request) {
	n, expires := i.given.Add(1), ""
	if i.life != 0 {
		expires = fmt.Sprintf(`,"expires_in":%d`, i.life)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"%d","token_type":"Bearer"%s}`, n, expires)
}

func (i *issuer) api(w http.ResponseWriter, r *http.Request) {
	secret := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, bad := i.refuse.Load(secret); bad {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	i.taken.Store(r.Header.Get("reapit-customer")+" "+secret, true)
	w.WriteHeader(http.StatusAccepted)
}

func (i *issuer) client() *reapit.Client {
	return reapit.New(config("http://reapit.example"), wire(i.token, i.api))
}

func TestTokenRequest(t *testing.T) {
	asked := make(chan *http.Request, 1)
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked <- r
		giveToken(w, r)
	}, answer(202, nil, ""))
	if r := notify(t, c); !r.OK() {
		t.Fatalf("%+v", r)
	}
	r := <-asked
	id, password, ok := r.BasicAuth()
	// RFC 6749, 2.3.1: both are form-encoded first.
	if plain, _ := url.QueryUnescape(password); !ok || id != "demo-client" || plain != secret {
		t.Errorf("Basic %q %q", id, password)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {"demo-client"}}
	if r.PostForm.Encode() != want.Encode() || r.Method != http.MethodPost || r.URL.RawQuery != "" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.PostForm)
	}
	if !strings.HasPrefix(r.UserAgent(), "ringstream/") {
		t.Errorf("User-Agent %q", r.UserAgent())
	}
}

func TestTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	for name, k := range map[string]struct {
		life int
		kept time.Duration
	}{
		"an hour":      {3600, 3600*time.Second - 30*time.Second},
		"five minutes": {300, 270 * time.Second},
		"ten seconds":  {10, 8 * time.Second},
		"not told":     {0, 270 * time.Second},
		"nonsense":     {-5, 270 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &issuer{life: k.life}
				c := i.client()
				count := func(after time.Duration, want int32) {
					time.Sleep(after)
					if r := c.Notify(t.Context(), notification(), ""); !r.OK() || i.given.Load() != want {
						t.Errorf("after %s: %d tokens, want %d; %+v", after, i.given.Load(), want, r)
					}
				}
				count(0, 1)
				count(k.kept-time.Millisecond, 1)
				count(time.Millisecond, 2)
			})
		})
	}
}

// A token that expires while its request waits for admission is not used.
func TestTokenThatExpiresInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: 10}
		c := i.client()
		slow := 0
		c.Admit = func(context.Context) (func(reapit.Result), error) {
			if slow++; slow == 2 {
				time.Sleep(time.Minute)
			}
			return func(reapit.Result) {}, nil
		}
		r := c.Notify(t.Context(), notification(), "")
		_, fresh := i.taken.Load("RES 2")
		if !r.OK() || !fresh || i.given.Load() != 2 {
			t.Errorf("%+v, %d tokens", r, i.given.Load())
		}
		// Where every wait is longer than a token's life, one has to do.
		c.Admit = func(context.Context) (func(reapit.Result), error) {
			time.Sleep(time.Minute)
			return func(reapit.Result) {}, nil
		}
		if r := c.Notify(t.Context(), notification(), ""); !r.OK() {
			t.Errorf("%+v", r)
		}
	})
}

func TestOneTokenPerCustomer(t *testing.T) {
	i := &issuer{life: 3600}
	c := i.client()
	for _, customer := range []string{"RES", "SBOX", "RES", "SBOX"} {
		n := notification()
		n.Customer = customer
		if r := c.Notify(t.Context(), n, ""); !r.OK() {
			t.Errorf("%+v", r)
		}
	}
	for _, want := range []string{"RES 1", "SBOX 3"} { // the second was only to be compared
		if _, ok := i.taken.Load(want); !ok {
			t.Errorf("%s was not used", want)
		}
	}
	if i.given.Load() != 3 {
		t.Errorf("%d tokens", i.given.Load())
	}
}

func TestRefreshToken(t *testing.T) {
	i := &issuer{life: 3600}
	c := i.client()
	send := func(status int) {
		t.Helper()
		if r := c.Notify(t.Context(), notification(), ""); r.Status != status {
			t.Errorf("%+v, want %d", r, status)
		}
	}
	want := func(tokens int32) {
		t.Helper()
		if got := i.given.Load(); got != tokens {
			t.Errorf("%d tokens, want %d", got, tokens)
		}
	}
	send(202)
	c.RefreshToken("OTHER")
	send(202)
	want(1)
	c.RefreshToken("RES") // on demand
	send(202)
	want(2)
	i.refuse.Store("2", true)
	send(401)
	c.RefreshToken("RES")
	send(202)
	want(3)
	c.RefreshToken("RES") // of another request that got its 401 for token 2
	send(202)
	want(3)
	i.refuse.Store("3", true)
	send(401)
	c.RefreshToken("RES")
	send(202)
	want(4)
}

func TestOneFetchForAllWhoWait(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		want   reapit.Kind
	}{
		"given":   {200, reapit.Answered},
		"refused": {401, reapit.TokenRefused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				client := reapit.New(config("http://reapit.example"), wire(func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					time.Sleep(time.Second)
					answer(c.status, asJSON, `{"access_token":"t","expires_in":3600,"error":"`+strings.Repeat("invalid_client", c.status/401)+`"}`)(w, r)
				}, answer(202, nil, "")))
				var group sync.WaitGroup
				for range 20 {
					group.Go(func() {
						if r := client.Notify(t.Context(), notification(), ""); r.Kind != c.want {
							t.Errorf("%+v: %v", r, r.Err)
						}
					})
				}
				group.Wait()
				if asked.Load() != 1 {
					t.Errorf("%d fetches", asked.Load())
				}
				if r := client.Notify(t.Context(), notification(), ""); r.Kind != c.want {
					t.Errorf("%+v", r)
				}
				if want := int32(1 + c.status/401); asked.Load() != want {
					t.Errorf("%d fetches, want %d: a failure is not kept", asked.Load(), want)
				}
			})
		})
	}
}

// Who leaves while fetching leaves the fetch to the next one.
func TestTheImpatientDoNotSpoilItForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: 3600}
		c := reapit.New(config("http://reapit.example"), wire(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(3 * time.Second):
				i.token(w, r)
			case <-r.Context().Done():
			}
		}, i.api))
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			if r := c.Notify(hasty, notification(), ""); r.Kind != reapit.NotSent || !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("%+v: %v", r, r.Err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if r := c.Notify(t.Context(), notification(), ""); !r.OK() {
				t.Errorf("%+v: %v", r, r.Err)
			}
		})
		group.Go(func() { // waits for its turn, and not for ever
			if r := c.Notify(hasty, notification(), ""); r.Kind != reapit.NotSent {
				t.Errorf("%+v: %v", r, r.Err)
			}
		})
		group.Wait()
	})
}

func TestTokenFailures(t *testing.T) {
	for name, f := range map[string]struct {
		token http.HandlerFunc
		want  reapit.Kind
		says  string
	}{
		"wrong secret":      {answer(401, asJSON, `{"error":"invalid_client"}`), reapit.TokenRefused, "REAPIT_CLIENT_ID or REAPIT_CLIENT_SECRET is not accepted: 401 Unauthorized invalid_client"},
		"wrong secret, 400": {answer(400, asJSON, `{"error":"invalid_client","error_description":"`+secret+`"}`), reapit.TokenRefused, "REAPIT_CLIENT_SECRET"},
		"not allowed":       {answer(403, asJSON, `{"error":"unauthorized_client"}`), reapit.TokenRefused, "REAPIT_CLIENT_ID"},
		"bad request":       {answer(400, asJSON, `{"error":"invalid_request"}`), reapit.TokenRefused, "REAPIT_TOKEN_URL does not accept the request: 400 Bad Request invalid_request"},
		"no such page":      {answer(404, nil, `<html>`+secret), reapit.TokenRefused, "REAPIT_TOKEN_URL"},
		"redirect":          {answer(302, http.Header{"Location": {"/login"}}, ""), reapit.TokenRefused, "REAPIT_TOKEN_URL"},
		"odd error":         {answer(400, asJSON, `{"error":"`+secret+`"}`), reapit.TokenRefused, "REAPIT_TOKEN_URL"},
		"too many":          {answer(429, header("Retry-After", "9"), `{}`), reapit.TokenUnreachable, "429"},
		"down":              {answer(503, header("Retry-After", "9"), `busy `+secret), reapit.TokenUnreachable, "503"},
		"no token":          {answer(200, asJSON, `{"expires_in":3600}`), reapit.TokenUnreachable, "without a token"},
		"no JSON":           {answer(200, asJSON, secret), reapit.TokenUnreachable, "without a token"},
		"hung up":           {hijack(t, ""), reapit.TokenUnreachable, "reach REAPIT_TOKEN_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			r := notify(t, start(t, f.token, nil))
			if r.Kind != f.want || r.Err == nil || !strings.Contains(r.Err.Error(), f.says) || !strings.Contains(r.Err.Error(), "RES") {
				t.Errorf("%+v: %v", r, r.Err)
			}
			if waits := strings.HasPrefix(name, "too") || name == "down"; waits != (r.RetryAfter == 9*time.Second) {
				t.Errorf("retry after %s", r.RetryAfter)
			}
			if r.Status != 0 || len(r.Body) == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestTokenEndpointGone(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	if r := notify(t, connect(t, config(gone.URL), nil)); r.Kind != reapit.TokenUnreachable {
		t.Errorf("%+v", r)
	}
}

// An endpoint that is slower than a ring may wait is asked once, and what it says
// in the end serves the next.
func TestATokenIsFetchedForAsLongAsItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: 3600}
		slow := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(12 * time.Second)
			i.token(w, r)
		}
		c := reapit.New(config("http://reapit.example"), wire(slow, i.api))
		defer c.Close()
		began := time.Now()
		for n := range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			r := c.Notify(ctx, notification(), "")
			cancel()
			if r.OK() != (n == 1) {
				t.Fatalf("attempt %d: %+v", n+1, r)
			}
		}
		if took := time.Since(began); took > 13*time.Second || i.given.Load() != 1 {
			t.Errorf("%d tokens after %s", i.given.Load(), took)
		}
	})
}

// Nothing outlives the client.
func TestCloseEndsAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		c := reapit.New(config("http://reapit.example"), wire(hangs, nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r := c.Notify(ctx, notification(), ""); r.OK() {
			t.Errorf("%+v", r)
		}
		began := time.Now()
		c.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("closed after %s", took)
		}
	})
}
