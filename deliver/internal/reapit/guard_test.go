package reapit_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
)

// cache gives the same token to everybody while five minutes of it are left, and
// a platform that notes whose requests came with which.
type cache struct {
	mu    sync.Mutex
	life  time.Duration
	held  string
	ends  time.Time
	asked int
	used  map[string]map[string]bool // customers by token
}

func (c *cache) token(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if left := time.Until(c.ends); left < 5*time.Minute {
		c.held, c.ends = fmt.Sprintf("token %d", c.asked), time.Now().Add(c.life)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, c.held, int(time.Until(c.ends)/time.Second))
}

func (c *cache) api(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	secret := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if c.used == nil {
		c.used = map[string]map[string]bool{}
	}
	if c.used[secret] == nil {
		c.used[secret] = map[string]bool{}
	}
	c.used[secret][r.Header.Get("reapit-customer")] = true
	w.WriteHeader(http.StatusAccepted)
}

// mixed are the tokens that acted for several customers.
func (c *cache) mixed() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, customers := range c.used {
		if len(customers) > 1 {
			n++
		}
	}
	return n
}

func (c *cache) requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// process is one deliver that knows these customers.
func (c *cache) process(customers ...string) *reapit.Client {
	client := reapit.New(config("http://reapit.example"), wire(c.token, c.api))
	client.Customers = func() []string { return customers }
	return client
}

func kind(t *testing.T, c *reapit.Client, customer string) reapit.Kind {
	t.Helper()
	n := notification()
	n.Customer = customer
	r := c.Notify(t.Context(), n, "")
	mute(t, words(r)...)
	if r.Kind == reapit.TokenShared && (r.Suspect() != "REAPIT_SHARED_TOKEN" || !strings.Contains(r.Fault().Error(), customer+" is given the token of ") || strings.Contains(r.Fault().Error(), "token 1")) {
		t.Errorf("%s, %v", r.Suspect(), r.Fault())
	}
	return r.Kind
}

// Whoever asks first, and however often processes start, one customer has the
// one token there is: through six hours, and beside a standby.
func TestATokenForAllIsTheFirstCustomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cache{life: time.Hour}
		works, standby := c.process("RES", "SBOX"), c.process("RES", "SBOX")
		for minute := range 6 * 60 {
			order := []string{"SBOX", "RES"}
			for i := range order {
				customer := order[(i+minute/7)%2]
				want := map[string]reapit.Kind{"RES": reapit.Answered, "SBOX": reapit.TokenShared}[customer]
				for _, process := range []*reapit.Client{works, standby} {
					if got := kind(t, process, customer); got != want {
						t.Fatalf("minute %d: %s for %s", minute, got, customer)
					}
				}
			}
			if minute%100 == 99 {
				standby = c.process("RES", "SBOX")
			}
			time.Sleep(time.Minute)
		}
		if c.mixed() > 0 {
			t.Error("a token acted for two customers")
		}
		if n := c.requests(); n > 6*12*2*2+60 {
			t.Errorf("%d requests for tokens in six hours", n)
		}
	})
}

func TestWithoutTheGuardATokenActsForSeveral(t *testing.T) {
	c := &cache{life: time.Hour}
	cfg := config("http://reapit.example")
	cfg.SharedToken = true
	client := reapit.New(cfg, wire(c.token, c.api))
	if kind(t, client, "RES") != reapit.Answered || kind(t, client, "SBOX") != reapit.Answered || c.mixed() != 1 || c.requests() != 2 {
		t.Errorf("%d tokens for several, %d requests", c.mixed(), c.requests())
	}
}

// Who had it keeps it when another becomes the first of the list, and the next
// has it when it is gone and its token has ended.
func TestWhoHasTheTokenKeepsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cache{life: time.Hour}
		begun, list := time.Now(), []string{"RES"}
		client := reapit.New(config("http://reapit.example"), wire(c.token, c.api))
		client.Customers = func() []string { return list }
		want := func(customer string, want reapit.Kind) {
			t.Helper()
			if got := kind(t, client, customer); got != want {
				t.Errorf("%s after %s: %s, want %s", customer, time.Since(begun), got, want)
			}
		}
		want("RES", reapit.Answered)
		list = []string{"SBOX", "RES"}
		for range 31 {
			want("SBOX", reapit.TokenShared)
			want("RES", reapit.Answered)
			time.Sleep(6 * time.Minute)
		}
		list = []string{"SBOX"}
		want("SBOX", reapit.TokenShared) // what RES had has not ended
		time.Sleep(time.Hour)
		want("SBOX", reapit.Answered)
		if c.mixed() > 0 {
			t.Error("a token acted for two customers")
		}
	})
}

// Several customers who wait for their first token at once.
func TestManyCustomersBeginAtOnce(t *testing.T) {
	for name, life := range map[string]time.Duration{"one token for all": time.Hour, "each is new": time.Minute} {
		t.Run(name, func(t *testing.T) {
			c := &cache{life: life}
			all := []string{"RES", "SBOX", "AAA", "BBB", "CCC"}
			client := c.process(all...)
			got := map[string]reapit.Kind{}
			var mu sync.Mutex
			var group sync.WaitGroup
			for _, customer := range all {
				for range 4 {
					group.Go(func() {
						k := kind(t, client, customer)
						mu.Lock()
						defer mu.Unlock()
						got[customer] = k
					})
				}
			}
			group.Wait()
			for _, customer := range all {
				want := reapit.Answered
				if life == time.Hour && customer != "RES" {
					want = reapit.TokenShared
				}
				if got[customer] != want {
					t.Errorf("%s: %s", customer, got[customer])
				}
			}
			if c.mixed() > 0 {
				t.Error("a token acted for two customers")
			}
		})
	}
}
