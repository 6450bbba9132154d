package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
)

// makes begins so many requests at once.
func makes(t *testing.T, b *budget, n int) (releases []func(reapit.Result)) {
	t.Helper()
	for range n {
		release, err := b.admit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	return releases
}

// vacant is how many requests may begin now.
func vacant(b *budget) (n int) {
	for {
		if ok, _, _ := b.slots.try(); !ok {
			break
		}
		n++
	}
	for range n {
		b.slots.drop()
	}
	return n
}

func slotsAre(t *testing.T, when string, b *budget, want int) {
	t.Helper()
	if got := vacant(b); got != want {
		t.Errorf("%s: %d slots, want %d", when, got, want)
	}
}

var (
	took    = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 202}
	limited = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 429}
	gateway = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 504}
)

func gaveUp(kind reapit.Kind, after time.Duration) reapit.Result {
	return reapit.Result{Kind: kind, Sent: true, Took: after}
}

func TestWhatIsGivenUpKeepsItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5, 1e6, time.Now)
		made := makes(t, b, 5)
		time.Sleep(10 * time.Second)
		made[0](took)
		made[1](reapit.Result{Kind: reapit.Timeout, Took: 5 * time.Second}) // it was not sent
		slotsAre(t, "two ended", b, 2)
		made[2](gaveUp(reapit.Cancelled, 10*time.Second))
		made[3](gaveUp(reapit.Timeout, 10*time.Second))
		slotsAre(t, "two were given up", b, 2)
		made[4](gateway)
		slotsAre(t, "the gateway gave one up", b, 2)
		time.Sleep(20 * time.Second)
		slotsAre(t, "thirty seconds after they began", b, 4)
		time.Sleep(10 * time.Second)
		slotsAre(t, "and after the gateway's word", b, 5)
	})
}

// One is used all the same, unless it is known that there is none.
func TestWhereAllIsGivenUpOneIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5, 1e6, time.Now)
		for _, release := range makes(t, b, 5) {
			release(gaveUp(reapit.Timeout, 0))
		}
		slotsAre(t, "all were given up", b, 1)
		time.Sleep(30 * time.Second)
		for _, release := range makes(t, b, 5) {
			release(gateway)
		}
		slotsAre(t, "all are taken", b, 0)
		late, cancel := context.WithTimeout(t.Context(), 29*time.Second)
		defer cancel()
		if _, err := b.admit(late); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		began := time.Now()
		if _, err := b.admit(t.Context()); err != nil || time.Since(began) != time.Second {
			t.Error(err, time.Since(began))
		}
	})
}

// What the schedule counts itself is not taken from its room once more; what
// nobody remembers is.
func TestWhatIsGivenUpIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5, 1e6, time.Now)
		release, err := b.admit(b.claim().in(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		release(gaveUp(reapit.Timeout, 0))
		if got := b.room().Slots; got != 5 {
			t.Errorf("room for %d beside what the schedule knows of", got)
		}
		slotsAre(t, "one was given up", b, 4)
		b.slots.anew()
		if got := b.room().Slots; got != 4 {
			t.Errorf("room for %d in the next term", got)
		}
		makes(t, b, 1)[0](gaveUp(reapit.Timeout, 0)) // a reading
		if got := b.room().Slots; got != 3 {
			t.Errorf("room for %d with a reading that was given up", got)
		}
	})
}

// Who has not the lease asks nothing, and waits for it.
func TestNobodyAsksWithoutTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5, 1e6, time.Now)
		b.slots.follow()
		early, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := b.admit(early); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		held, lose := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, func() { b.slots.lead(held) })
		began := time.Now()
		if makes(t, b, 1); time.Since(began) != time.Minute {
			t.Errorf("after %v", time.Since(began))
		}
		c := b.claim()
		lose()
		if _, err := b.admit(c.in(t.Context())); !errors.Is(err, errFrozen) {
			t.Errorf("a claim after the end of the lease: %v", err)
		}
		if n := b.slots.used(); n != 1 {
			t.Errorf("%d slots are used", n)
		}
	})
}
