package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// Reapit gives the token of the first customer again after a kill, when there is
// another one.
func TestATokenIsWhoseItWasBeforeAKill(t *testing.T) {
	t.Parallel() // most of it is waiting
	for name, keeps := range map[string]bool{"with the bucket": true, "without": false} {
		for how, file := range map[string]bool{"TENANTS_FILE": true, "REAPIT_CUSTOMER": false} {
			t.Run(how+" "+name, func(t *testing.T) {
				r := newRig(t)
				r.control(http.MethodPost, "knobs", `{"legacyAuthorizer":true,"tokenSeconds":[3600,3600]}`, nil)
				if !keeps {
					if err := r.js.DeleteKeyValue(t.Context(), topology.Negotiators); err != nil {
						t.Fatal(err)
					}
				}
				next := r.settings()
				next.Customer, next.Provision = "RES", "verify"
				before := []string{"NATS_PROVISION=verify"}
				if file {
					s, write := r.tenants(bothTenants)
					killed := r.process("one", append(before, "REAPIT_CUSTOMER=", "TENANTS_FILE="+s.TenantsFile)...)
					r.shownThenKilled(killed.Process)
					write(rival + ": {customer: RES}\n")
					next.Customer, next.TenantsFile = "", s.TenantsFile
				} else {
					r.shownThenKilled(r.process("one", before...).Process)
				}
				r.deliver(next)
				if !keeps {
					bustest.Eventually(t, "what this test looks for", func() bool { return r.foreign() > 0 })
					r.logged("whose a token of Reapit's is, is known to this process only", "NATS_PROVISION=create")
					return
				}
				r.logged("negotiators not read", "REAPIT_SHARED_TOKEN", "RES is given the token of SBOX, to whom another replica or an earlier start gave it")
				r.want("foreign requests", r.foreign(), 0)
				r.want("the list of RES", r.revision(topology.NegotiatorList("RES")), 0)
				of := map[bool]string{true: "customer RES", false: "REAPIT_SHARED_TOKEN"}[file]
				if results := Check(t.Context(), next); !has(results, of, false, "RES is given the token of SBOX, to whom") {
					t.Errorf("check: %+v", results)
				}
				r.want("foreign requests of check", r.foreign(), 0)
			})
		}
	}
}

func (r *rig) shownThenKilled(p *os.Process) {
	r.Helper()
	r.say(1, event.Missed, "", "jane")
	bustest.Eventually(r, "a call that is shown", func() bool { return len(r.shownTo("SBOX")) == 1 })
	if err := p.Kill(); err != nil {
		r.Fatal(err)
	}
	_, _ = p.Wait() // it was killed: an error is what is expected
}

// check uses a token as the service would, and the service goes by that.
func TestCheckRecordsWhoseTokenItUses(t *testing.T) {
	r := newRig(t)
	r.control(http.MethodPost, "knobs", `{"legacyAuthorizer":true,"tokenSeconds":[3600,3600]}`, nil)
	if results := Check(t.Context(), r.settings()); !has(results, "REAPIT_CUSTOMER", true, "") {
		t.Fatalf("%+v", results)
	}
	s := r.settings()
	s.Customer = "RES"
	r.deliver(s)
	r.logged("negotiators not read", "RES is given the token of SBOX")
	d := r.deliver(r.settings())
	bustest.Eventually(t, "the list", func() bool { return d.ready() })
	r.want("foreign requests", r.foreign(), 0)
}

func owning(r *rig) *owners { return newOwners(r.js, slog.New(slog.NewJSONHandler(r, nil))) }

func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Of many who claim one token at once one has it, all are told which, and what
// they claim beside it stays.
func TestOneWinsAToken(t *testing.T) {
	r := newRig(t)
	until := time.Now().Add(time.Hour)
	for round := range 10 {
		one := hashed("token " + strconv.Itoa(round))
		beside := one[:2] + hashed("another")[2:]
		var mu sync.Mutex
		told := map[string]int{}
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				o := owning(r)
				whose := o.claim(context.Background(), one, "C"+strconv.Itoa(i), until)
				o.claim(context.Background(), beside[:60]+"000"+strconv.Itoa(i), "D"+strconv.Itoa(i), until)
				mu.Lock()
				defer mu.Unlock()
				told[whose]++
			})
		}
		all.Wait()
		if len(told) != 1 || told[""] != 0 {
			t.Errorf("%v", told)
		}
		for i := range 6 {
			r.want("beside", owning(r).claim(t.Context(), beside[:60]+"000"+strconv.Itoa(i), "X", until), "D"+strconv.Itoa(i))
		}
	}
}

func TestWhatIsKeptOfTokens(t *testing.T) {
	now := time.Now()
	owner := func(customer string, end time.Duration) tokenOwner { return tokenOwner{customer, now.Add(end)} }
	had := map[string]tokenOwner{
		"a": owner("RES", time.Hour), "grace": owner("RES", time.Second-ownerGrace), "over": owner("RES", -ownerGrace), "none": {},
	}
	for name, c := range map[string]struct {
		hash   string
		claim  tokenOwner
		whose  string
		writes bool
	}{
		"another's":            {"a", owner("SBOX", 2*time.Hour), "RES", false},
		"its own":              {"a", owner("RES", time.Hour), "RES", false},
		"its own, for longer":  {"a", owner("RES", 2*time.Hour), "RES", true},
		"by another's clock":   {"grace", owner("SBOX", time.Hour), "RES", false},
		"was another's":        {"over", owner("SBOX", time.Hour), "SBOX", true},
		"nobody's":             {"b", owner("SBOX", time.Hour), "SBOX", true},
		"nobody's, by mistake": {"none", owner("SBOX", time.Hour), "SBOX", true},
	} {
		t.Run(name, func(t *testing.T) {
			whose, next := ownerList{ownersVersion, had}.with(c.hash, c.claim, now)
			if whose != c.whose || (next != nil) != c.writes {
				t.Fatalf("%s, %v", whose, next)
			}
			if next == nil {
				return
			}
			if next.Tokens[c.hash] != c.claim || next.Tokens["grace"].Customer != "RES" || c.hash != "over" && next.Tokens["over"].Customer != "" || next.Version != ownersVersion {
				t.Errorf("%+v", next)
			}
		})
	}
}

// What somebody else has put there is replaced if it is nothing, and left alone
// if it may be something; and it is told once.
func TestABucketWithSomethingElseInIt(t *testing.T) {
	r := newRig(t)
	hash, until := hashed("x"), time.Now().Add(time.Hour)
	put := func(what string) {
		t.Helper()
		if _, err := r.bucket().PutString(t.Context(), topology.TokenOwners(hash), what); err != nil {
			t.Fatal(err)
		}
	}
	o := owning(r)
	put(`{"version":2,"tokens":[]}`)
	for range 3 {
		r.want("of another version", o.claim(t.Context(), hash, "RES", until), "")
	}
	r.want("lines", r.lines(`"level":"WARN"`, "is known to this process only", "(2, not 1)"), 1)
	if results := o.checked(); !has(results, "bucket "+topology.Negotiators, false, "(2, not 1)") {
		t.Errorf("%+v", results)
	}
	put("junk")
	r.want("of junk", o.claim(t.Context(), hash, "RES", until), "RES")
	r.want("then", o.claim(t.Context(), hash, "SBOX", until), "RES")
	if err := r.bucket().Delete(t.Context(), topology.TokenOwners(hash)); err != nil {
		t.Fatal(err)
	}
	r.want("deleted", o.claim(t.Context(), hash, "SBOX", until), "SBOX")
	if len(o.checked()) > 0 {
		t.Error("trouble that is over")
	}
}

// A bucket without an answer is waited for once, and then left alone for a while.
func TestABucketThatIsSilent(t *testing.T) {
	r := newRig(t)
	if _, err := r.js.Conn().SubscribeSync("silent.>"); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(r.js.Conn(), "silent")
	if err != nil {
		t.Fatal(err)
	}
	o := newOwners(js, slog.New(slog.NewJSONHandler(r, nil)))
	until := time.Now().Add(time.Hour)
	begun := time.Now()
	for i := range 20 {
		r.want("whose", o.claim(t.Context(), hashed(strconv.Itoa(i)), "RES", until), "")
	}
	if took := time.Since(begun); took > 2*ownerPatience {
		t.Errorf("20 tokens waited for %s", took)
	}
	r.want("lines", r.lines(`"level":"WARN"`, "is known to this process only", "within 2s; is this user permitted"), 1)
	ended, end := context.WithCancel(t.Context())
	end()
	quiet := owning(r)
	r.want("whose", quiet.claim(ended, hashed("x"), "RES", until), "")
	if quiet.trouble != nil || quiet.resting() {
		t.Error("the caller's end is trouble")
	}
}

// The bucket has no token, and a bounded number of keys.
func TestNoTokenIsInTheBucket(t *testing.T) {
	r := newRig(t)
	r.control(http.MethodPost, "knobs", `{"tokenSeconds":[3600,3600]}`, nil)
	r.deliver(r.settings())
	r.remembered()
	token := r.token()
	keys, err := r.bucket().Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.want("keys", len(keys), 2)
	owned := 0
	for _, key := range keys {
		entry, err := r.bucket().Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		owned += strings.Count(string(entry.Value()), `"`+hashed(token)+`":{"customer":"SBOX","until"`)
		if strings.Contains(key+string(entry.Value()), token) {
			t.Errorf("the token is in %s", key)
		}
	}
	r.want("hashes of the token", owned, 1)
	if r.lines(token) > 0 || r.lines(hashed(token)) > 0 {
		t.Error("the token is in the log")
	}
}

// token is the one that Reapit gives just now to whoever asks.
func (r *rig) token() string {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.reapit+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		r.Fatal(err)
	}
	q.SetBasicAuth("demo", "demo-secret")
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.AccessToken == "" {
		r.Fatal("no token", err)
	}
	return got.AccessToken
}
