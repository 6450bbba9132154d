package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
)

// burst makes 200 requests of different lengths at once and tells when Reapit
// saw each: some as they left, some as they ended.
func burst(t *testing.T, b *budget) []time.Time {
	t.Helper()
	var mu sync.Mutex
	var seen []time.Time
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			release, err := b.admit(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			at := time.Now()
			time.Sleep(time.Duration(i*37%90) * time.Millisecond)
			if i%2 == 0 {
				at = time.Now()
			}
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, at)
		})
	}
	all.Wait()
	slices.SortFunc(seen, time.Time.Compare)
	return seen
}

func TestNoSecondHasMoreThanTheRate(t *testing.T) {
	for _, perSecond := range []float64{0.5, 1, 2.5, 5, 20, 50} {
		synctest.Test(t, func(t *testing.T) {
			seen := burst(t, newBudget(perSecond, 5, 1e6, time.Now))
			for i := range seen {
				n := 0
				for _, other := range seen[i:] {
					if other.Sub(seen[i]) < time.Second {
						n++
					}
				}
				if float64(n) > max(1, perSecond) {
					t.Fatalf("%d requests in one second at a rate of %g", n, perSecond)
				}
			}
			took, fair := seen[len(seen)-1].Sub(seen[0]), time.Duration(200/perSecond*1.1*float64(time.Second))
			if perSecond >= 5 && took > fair {
				t.Errorf("200 requests took %s at a rate of %g", took, perSecond)
			}
		})
	}
}

func TestAFloodIsSpreadOverTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := burst(t, newBudget(20, 5, 1e6, time.Now))
		for i, at := range seen[1:] {
			if gap := at.Sub(seen[i]); gap > 400*time.Millisecond {
				t.Errorf("nothing for %s", gap)
			}
		}
	})
}

func TestAHuntGroupRingsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(20, 5, 1e6, time.Now)
		for range 3 { // calls, with an idle second between
			from := time.Now()
			var ends []func()
			for range atOnce {
				release, err := b.admit(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				ends = append(ends, release)
			}
			if took := time.Since(from); took > 0 {
				t.Errorf("%d requests in an idle system took %s", atOnce, took)
			}
			for _, release := range ends {
				release()
			}
			time.Sleep(time.Second)
		}
	})
}

func TestWhoGivesUpTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1, 5, 1e6, time.Now)
		release, err := b.admit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 3 { // one has the turn, two wait for it
			all.Go(func() {
				hasty, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				if _, err := b.admit(hasty); err == nil {
					t.Error("admitted beside another in one second")
				}
			})
		}
		all.Wait()
		release()
		from := time.Now()
		if _, err := b.admit(t.Context()); err != nil || time.Since(from) != time.Second || len(b.slots) != 1 {
			t.Errorf("%v after %s, %d slots taken", err, time.Since(from), len(b.slots))
		}
	})
}

func TestNoMoreThanTheSlotsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 2, 100, time.Now)
		first, err := b.admit(t.Context())
		second, err2 := b.admit(t.Context())
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := b.admit(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a third at a time: %v", err)
		}
		first()
		first() // once is enough
		third, err := b.admit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(b.slots) != 2 {
			t.Errorf("%d slots taken", len(b.slots))
		}
		second()
		third()
	})
}

func TestTheDayEndsAtMidnightUTC(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)
	b := newBudget(1000, 5, 3, func() time.Time { return now })
	b.recall(used{Day: "2026-11-22", Requests: 1})
	b.recall(used{Day: "2026-11-21", Requests: 3})
	for want := 2; want > 0; want-- {
		if b.left() != want {
			t.Fatalf("%d left, want %d", b.left(), want)
		}
		release, err := b.admit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	if _, err := b.admit(t.Context()); !errors.Is(err, errSpent) {
		t.Fatalf("got %v", err)
	}
	if len(b.slots) != 0 {
		t.Error("a refused request keeps its slot")
	}
	now = now.Add(time.Minute)
	if b.left() != 3 {
		t.Errorf("%d left on a new day", b.left())
	}
}

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
		release()
		second()
		c.drop() // used: nothing to give back
		if b.left() != 98 || len(b.slots) != 0 {
			t.Errorf("%d left, %d slots taken", b.left(), len(b.slots))
		}
		unused := b.claim()
		unused.drop()
		if b.left() != 98 || len(b.slots) != 0 {
			t.Errorf("after an unused claim %d left, %d slots taken", b.left(), len(b.slots))
		}
		if release, err := b.admit(unused.in(t.Context())); err != nil || b.left() != 97 {
			t.Error("a claim that was given back was used", err)
		} else {
			release()
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
				release()
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

// What is kept for calls that ring is there before the rest of the rate is: they
// do not wait for that.
func TestWhoRingsIsWokenForTheFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(20, 50, 1e6, time.Now)
		for range b.even.Burst() {
			if c := b.claim(); !c.good.Load() {
				t.Fatal("no request, though none was made")
			}
		}
		for rate := range b.even.Burst() {
			room := b.room()
			if room.Rate != rate {
				t.Fatalf("%d requests may begin, want %d", room.Rate, rate)
			}
			if enough := rate > 0 && rate > room.Spare; enough != room.More.IsZero() {
				t.Fatalf("with %d requests of which %d are kept, there are more at %v", rate, room.Spare, room.More)
			}
			if next := time.Second / 20; rate == 0 && time.Until(room.More) > next {
				t.Fatalf("the first is told in %v, and is there in %v", time.Until(room.More), next)
			}
			time.Sleep(time.Second / 20)
		}
	})
}

// A plan that sent all that the rate allowed does not last until an answer comes.
func TestWhoeverStillWaitsGoesWithTheNextOfTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := &term{engine: &engine{budget: newBudget(20, 50, 1e6, time.Now), now: time.Now}}
		plan := schedule.Plan{Send: make([]schedule.Request, term.budget.room().Rate), Waiting: 1}
		for range plan.Send {
			term.budget.claim()
		}
		if wait := term.until(plan); wait <= 0 || wait > time.Second/20 {
			t.Errorf("the next goes in %v", wait)
		}
		if plan.Waiting = 0; term.until(plan) < time.Hour {
			t.Errorf("nobody waits, and it is looked again in %v", term.until(plan))
		}
	})
}

func TestTheLastOfTheDayIsForCallsThatRing(t *testing.T) {
	b := newBudget(20, 5, 100, time.Now)
	for left, live := range map[int]bool{100: false, 6: false, 5: true, 1: true} {
		b.recall(used{Day: dayOf(time.Now())})
		b.used.Requests = 100 - left
		if room := b.room(); room.Live != live || room.Slots != 5 {
			t.Errorf("%d left: %+v", left, room)
		}
	}
	b.used.Requests = 100
	if room := b.room(); room.Slots != 0 || room.Rate != 0 {
		t.Errorf("nothing left: %+v", room)
	}
}

// However few there are a day, only the last twentieth of them is kept.
func TestFewADayAreSharedOutAsMany(t *testing.T) {
	for left, live := range map[int]bool{20: false, 3: false, 2: false, 1: true} {
		b := newBudget(1000, 5, 20, time.Now)
		b.recall(used{Day: dayOf(time.Now()), Requests: 20 - left})
		if room := b.room(); room.Live != live || !live && room.Rate <= room.Spare {
			t.Errorf("%d left: %+v", left, room)
		}
	}
}

// Whoever takes over within a second has what is left of it to himself.
func TestTheOneBeforeCountsForASecond(t *testing.T) {
	for name, c := range map[string]struct{ last, wait time.Duration }{
		"just now":            {-300 * time.Millisecond, 700 * time.Millisecond},
		"by a clock ahead":    {time.Hour, time.Second},
		"more than it counts": {-1100 * time.Millisecond, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBudget(20, 5, 1e6, time.Now)
			began := time.Now()
			b.succeed(began.Add(c.last))
			if free := b.room().Rate; free > 0 != (c.wait == 0) {
				t.Errorf("%s: room for %d", name, free)
			}
			release, err := b.admit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			release()
			if waited := time.Since(began); waited != c.wait {
				t.Errorf("%s: waited %v, want %v", name, waited, c.wait)
			}
		})
	}
}

// What the one before says of its last second is what counts, and no more. What was
// under way when it said so counts from then on.
func TestTheOneBeforeTellsWhatItMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := newBudget(20, 5, 1e6, time.Now), newBudget(20, 5, 1e6, time.Now)
		made := func() {
			release, err := before.admit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		made() // it will not count any more
		time.Sleep(800 * time.Millisecond)
		for range 3 {
			made()
		}
		time.Sleep(300 * time.Millisecond)
		if _, err := before.admit(t.Context()); err != nil {
			t.Fatal(err)
		}
		spent, said := before.spentLately(), time.Now()
		if len(spent) != 4 {
			t.Errorf("%v ms ago", spent)
		}
		time.Sleep(100 * time.Millisecond)
		release, err := after.admit(t.Context()) // the negotiators
		if err != nil {
			t.Fatal(err)
		}
		release()
		after.succeed(said)
		for _, c := range []struct {
			sleep time.Duration
			free  int
		}{{0, 20 - 5}, {599 * time.Millisecond, 20 - 5}, {time.Millisecond, 20 - 2}, {300 * time.Millisecond, 20 - 1}, {100 * time.Millisecond, 20}} {
			time.Sleep(c.sleep)
			after.succeeded(said, spent)
			if free, _ := after.window.room(time.Now()); free != c.free {
				t.Errorf("room for %d after %v, want %d", free, time.Since(said), c.free)
			}
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
			release()
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
