package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestNoSecondHasMoreThanTheRate(t *testing.T) {
	for _, perSecond := range []float64{1, 2, 5, 20, 100} {
		synctest.Test(t, func(t *testing.T) {
			b := newBudget(perSecond, 5, 1e6, time.Now)
			var mu sync.Mutex
			var times []time.Time
			var all sync.WaitGroup
			for range 200 {
				all.Go(func() {
					release, err := b.admit(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					defer release()
					mu.Lock()
					defer mu.Unlock()
					times = append(times, time.Now())
				})
			}
			all.Wait()
			for i := range times {
				n := 0
				for _, other := range times {
					if d := other.Sub(times[i]); 0 <= d && d < time.Second {
						n++
					}
				}
				if float64(n) > perSecond {
					t.Fatalf("%d requests in one second at a rate of %g", n, perSecond)
				}
			}
			if took, fair := times[len(times)-1].Sub(times[0]), time.Duration(200/perSecond*1.2*float64(time.Second)); perSecond > 5 && took > fair {
				t.Errorf("200 requests took %s at a rate of %g", took, perSecond)
			}
		})
	}
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
