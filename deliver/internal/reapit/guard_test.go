package reapit_test

import (
	"context"
	"crypto/sha256"
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

// record is what lasts longer than a process.
type record struct {
	mu     sync.Mutex
	whose  map[string]string
	until  map[string]time.Time
	away   bool
	claims int
	odd    string // that was no hash
}

func (r *record) claim(_ context.Context, hash, customer string, until time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claims++
	if len(hash) != 2*sha256.Size || strings.Contains(hash, "token") {
		r.odd = hash
	}
	if r.away {
		return ""
	}
	if r.whose == nil {
		r.whose, r.until = map[string]string{}, map[string]time.Time{}
	}
	if r.whose[hash] == "" || !time.Now().Before(r.until[hash]) {
		r.whose[hash] = customer
	}
	if r.whose[hash] == customer {
		r.until[hash] = until
	}
	return r.whose[hash]
}

func (c *cache) recorded(r *record, customers ...string) *reapit.Client {
	client := c.process(customers...)
	client.Claim = r.claim
	return client
}

// Another customer becomes the first of the list, and deliver is started anew.
func TestATokenIsWhoseItWasBeforeTheStart(t *testing.T) {
	for name, keeps := range map[string]bool{"with a record": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, r := &cache{life: time.Hour}, &record{away: !keeps}
				if got := kind(t, c.recorded(r, "RES", "SBOX"), "RES"); got != reapit.Answered {
					t.Fatal(got)
				}
				time.Sleep(time.Minute)
				if !keeps {
					if got := kind(t, c.recorded(r, "SBOX"), "SBOX"); got != reapit.Answered || c.mixed() != 1 {
						t.Errorf("%s, %d tokens for two: this test would find nothing", got, c.mixed())
					}
					return
				}
				n := notification()
				n.Customer = "SBOX"
				second := c.recorded(r, "SBOX")
				if told := second.Notify(t.Context(), n, ""); told.Kind != reapit.TokenShared || !strings.Contains(told.Fault().Error(), "SBOX is given the token of RES, to whom another replica or an earlier start gave it") {
					t.Errorf("%s, %v", told.Kind, told.Fault())
				}
				if got := kind(t, c.recorded(r, "SBOX", "RES"), "RES"); got != reapit.Answered {
					t.Errorf("whose it is: %s", got)
				}
				time.Sleep(time.Hour)
				if got := kind(t, second, "SBOX"); got != reapit.Answered || c.mixed() != 0 {
					t.Errorf("after its end: %s, %d tokens for two", got, c.mixed())
				}
			})
		})
	}
}

// Processes that each take another customer for the first, at the same time.
func TestProcessesThatDisagreeShareNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := &cache{life: time.Hour}, &record{}
		lists := [][]string{{"RES", "SBOX"}, {"SBOX", "RES"}, {"AAA", "SBOX"}, {"SBOX"}}
		var all []*reapit.Client
		for _, list := range lists {
			all = append(all, c.recorded(r, list...))
		}
		for range 30 {
			var group sync.WaitGroup
			for i, client := range all {
				for _, customer := range lists[i] {
					group.Go(func() { kind(t, client, customer) })
				}
			}
			group.Wait()
			time.Sleep(10 * time.Minute)
		}
		if c.mixed() > 0 {
			t.Errorf("%d tokens acted for several", c.mixed())
		}
	})
}

// What could not be recorded holds for the process, and is recorded when the
// token is given again. If it is another's by then, nobody uses it here.
func TestARecordThatWasAway(t *testing.T) {
	for name, meanwhile := range map[string]string{"nobody meanwhile": "", "another meanwhile": "SBOX"} {
		t.Run(name, func(t *testing.T) {
			c, r := &cache{life: time.Hour}, &record{away: true}
			client := c.recorded(r, "RES", "SBOX")
			if got := kind(t, client, "RES"); got != reapit.Answered {
				t.Fatal(got)
			}
			r.away = false
			if meanwhile != "" {
				kind(t, c.recorded(r, meanwhile), meanwhile)
			}
			client.RefreshToken("RES")
			want := map[string]reapit.Kind{"": reapit.Answered, "SBOX": reapit.TokenShared}[meanwhile]
			if got := kind(t, client, "RES"); got != want {
				t.Errorf("RES: %s", got)
			}
			if got := kind(t, client, "SBOX"); got != reapit.TokenShared {
				t.Errorf("SBOX: %s", got)
			}
			if got := kind(t, c.recorded(r, "SBOX"), "SBOX"); meanwhile == "" && got != reapit.TokenShared {
				t.Errorf("SBOX of another process: %s", got)
			}
		})
	}
}

// The record is asked when a token is fetched and is news, and never of a token
// that may act for all.
func TestTheRecordIsAskedForATokenOnly(t *testing.T) {
	c, r := &cache{life: time.Hour}, &record{}
	client := c.recorded(r, "RES")
	for range 3 {
		for range 5 {
			kind(t, client, "RES")
		}
		client.RefreshToken("RES")
	}
	if r.claims != 1 || r.odd != "" {
		t.Errorf("asked %d times, %s", r.claims, r.odd)
	}
	cfg := config("http://reapit.example")
	cfg.SharedToken = true
	all := reapit.New(cfg, wire(c.token, c.api))
	all.Claim = r.claim
	if got := kind(t, all, "SBOX"); got != reapit.Answered || r.claims != 1 {
		t.Errorf("%s, asked %d times", got, r.claims)
	}
}
