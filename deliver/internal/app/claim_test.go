package app

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
)

// What was claimed is made without waiting, once; what was not used was no request.
func TestAClaimIsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(20, 5, 100, time.Now)
		before := b.room()
		c := b.claim()
		if got := b.room(); got.Rate != before.Rate-1 || b.left() != 99 {
			t.Errorf("room for %d after a claim, %d before; %d left", got.Rate, before.Rate, b.left())
		}
		ctx := c.in(t.Context())
		release, err := b.admit(ctx)
		if err != nil || b.left() != 99 {
			t.Fatal(err, b.left())
		}
		second, err := b.admit(ctx)
		if err != nil || b.left() != 98 {
			t.Fatal(err, b.left())
		}
		release(reapit.Result{})
		second(reapit.Result{})
		c.drop() // used: nothing to give back
		if b.left() != 98 || b.slots.used() != 0 {
			t.Errorf("%d left, %d slots taken", b.left(), b.slots.used())
		}
		unused := b.claim()
		unused.drop()
		if b.left() != 98 || b.slots.used() != 0 {
			t.Errorf("after an unused claim %d left, %d slots taken", b.left(), b.slots.used())
		}
		if release, err := b.admit(unused.in(t.Context())); err != nil || b.left() != 97 {
			t.Error("a claim that was given back was used", err)
		} else {
			release(reapit.Result{})
		}
	})
}

// Whoever asks for room and claims it never waits, and keeps the rate.
func TestClaimsKeepTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(20, 5, 1e6, time.Now)
		var seen []time.Time
		for len(seen) < 200 {
			room := b.room()
			if room.Rate <= room.Spare && room.More.IsZero() {
				t.Fatalf("no room, and nobody knows when: %+v", room)
			}
			for range max(0, min(room.Rate-room.Spare, 5)) {
				c := b.claim()
				if !c.good.Load() {
					t.Fatalf("no claim with room for %d", room.Rate)
				}
				release, _ := b.admit(c.in(t.Context()))
				seen = append(seen, time.Now())
				release(reapit.Result{})
			}
			time.Sleep(max(time.Millisecond, time.Until(b.room().More)))
		}
		for i := range seen[20:] {
			if gap := seen[i+20].Sub(seen[i]); gap < time.Second {
				t.Fatalf("21 requests within %s", gap)
			}
		}
		if took := seen[199].Sub(seen[0]); took > 11*time.Second {
			t.Errorf("200 requests took %s", took)
		}
	})
}

// A claim of yesterday that was not used is no request of today less.
func TestAClaimThatOutlivesItsDayIsNotGivenBackToTheNext(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC)
	b := newBudget(1000, 5, 3, func() time.Time { return now })
	c := b.claim()
	now = now.Add(time.Minute)
	if b.left() != 3 {
		t.Fatalf("%d left on a new day", b.left())
	}
	c.drop()
	if b.left() != 3 {
		t.Errorf("%d of 3 left", b.left())
	}
}

// Who waits for the rate beside a claim learns that it was given back.
func TestWhoWaitsBesideAClaimGoesWhenItIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1, 5, 100, time.Now)
		c := b.claim()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			release, err := b.admit(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			release(reapit.Result{})
		})
		time.Sleep(5 * time.Second)
		c.drop()
		all.Wait()
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("after %s", took)
		}
	})
}

type answering func(*http.Request) *http.Response

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// A delivery that has claimed the only slot, and waits for a token that another
// request is about to fetch, does not keep that one from its slot.
func TestAClaimDoesNotKeepTheTokenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(20, 1, 100, time.Now)
		reply := func(r *http.Request) *http.Response {
			status, body := http.StatusAccepted, ""
			if r.URL.Path == "/token" {
				status, body = http.StatusOK, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`
			} else if r.Method == http.MethodGet {
				status, body = http.StatusOK, `{"_embedded":[],"totalPageCount":1,"totalCount":0}`
			}
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
		}
		client := reapit.New(reapit.Config{APIURL: "http://reapit.example", TokenURL: "http://reapit.example/token"}, &http.Client{Transport: answering(reply)})
		client.Admit, client.Yield = b.admit, yield
		c := b.claim()
		defer c.drop()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := client.Negotiators(ctx, "SBOX"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // it has the token's turn, and no slot
		r := client.Notify(c.in(ctx), reapit.Notification{Customer: "SBOX", NegotiatorID: "JAS", SubType: "missedCall"}, "")
		if !r.OK() {
			t.Errorf("%+v", r)
		}
		all.Wait()
	})
}
