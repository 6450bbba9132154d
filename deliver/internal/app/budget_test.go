package app

import (
	"context"
	"errors"
	"slices"
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
			defer release(reapit.Result{})
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
			var ends []func(reapit.Result)
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
				release(reapit.Result{})
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
		release(reapit.Result{})
		from := time.Now()
		if _, err := b.admit(t.Context()); err != nil || time.Since(from) != time.Second || b.slots.used() != 1 {
			t.Errorf("%v after %s, %d slots taken", err, time.Since(from), b.slots.used())
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
		first(reapit.Result{})
		first(reapit.Result{}) // once is enough
		third, err := b.admit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.slots.used() != 2 {
			t.Errorf("%d slots taken", b.slots.used())
		}
		second(reapit.Result{})
		third(reapit.Result{})
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
		release(reapit.Result{})
	}
	if _, err := b.admit(t.Context()); !errors.Is(err, errSpent) {
		t.Fatalf("got %v", err)
	}
	if b.slots.used() != 0 {
		t.Error("a refused request keeps its slot")
	}
	now = now.Add(time.Minute)
	if b.left() != 3 {
		t.Errorf("%d left on a new day", b.left())
	}
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
