package app

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
)

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
			release(reapit.Result{})
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
			release(reapit.Result{})
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
		release(reapit.Result{})
		after.succeed(said)
		for _, c := range []struct {
			sleep time.Duration
			free  int
		}{{0, 20 - 5}, {599 * time.Millisecond, 20 - 5}, {time.Millisecond, 20 - 2}, {300 * time.Millisecond, 20 - 1}, {100 * time.Millisecond, 20}} {
			time.Sleep(c.sleep)
			after.succeeded(said, spent, nil)
			if free, _ := after.window.room(time.Now()); free != c.free {
				t.Errorf("room for %d after %v, want %d", free, time.Since(said), c.free)
			}
		}
	})
}

// Who is stopped tells what is left behind, and so does who comes next.
func TestWhatIsLeftBehindIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newBudget(1000, 5, 1e6, time.Now)
		made := makes(t, before, 3)
		time.Sleep(5 * time.Second)
		made[0](took)
		made[1](gateway)
		said, left := time.Now(), before.slots.owes() // one is under way still
		time.Sleep(time.Second)
		for range 2 {
			after := newBudget(1000, 5, 1e6, time.Now)
			after.succeed(said)
			slotsAre(t, "before it is known", after, 1)
			after.succeeded(said, nil, left)
			slotsAre(t, "when it is known", after, 3)
			if got := after.room().Slots; got != 3 {
				t.Errorf("room for %d", got)
			}
			said, left = time.Now(), after.slots.owes()
		}
		last := newBudget(1000, 5, 1e6, time.Now)
		last.succeeded(said, nil, left)
		time.Sleep(24*time.Second + 10*time.Millisecond)
		slotsAre(t, "thirty seconds after the one began", last, 4)
		time.Sleep(5 * time.Second)
		slotsAre(t, "and after the other's answer", last, 5)
	})
}

// Of one who was killed there may be five, for as long as Reapit's gateway allows.
func TestWhoWasKilledMayHaveFiveUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		seen time.Duration // before now
		wait time.Duration // until all slots are there
	}{
		"just now":               {0, 30 * time.Second},
		"it sent without a word": {time.Minute, 30 * time.Second},
		"it can have sent then":  {80 * time.Second, 20 * time.Second},
		"long ago":               {100 * time.Second, 0},
		"by a clock ahead":       {-time.Hour, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBudget(1000, 5, 1e6, time.Now)
			b.succeed(time.Now().Add(-c.seen))
			if c.wait > 0 {
				slotsAre(t, name, b, 1)
				time.Sleep(c.wait - time.Millisecond)
				slotsAre(t, name+", a moment before", b, 1)
				time.Sleep(time.Millisecond)
			}
			slotsAre(t, name+", then", b, 5)
		})
	}
	b := newBudget(1000, 5, 1e6, time.Now)
	b.succeed(time.Time{}) // nobody has ever stored anything
	slotsAre(t, "a first start", b, 5)
}

// Each answer tells how many there can be at most, and there is one slot more than
// that leaves: so they are found out one by one.
func TestWhatReapitTakesShowsHowManyThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5, 1e6, time.Now)
		b.succeed(time.Now().Add(-2 * time.Second))
		for _, end := range []reapit.Result{{Kind: reapit.Network, Sent: true}, {Kind: reapit.Answered, Status: 401}, {}} {
			makes(t, b, 1)[0](end)
			slotsAre(t, "an answer that shows nothing", b, 1)
		}
		for n := 1; n < 5; n++ {
			for range 2 { // fewer at a time show no more
				made := makes(t, b, n)
				for i := range made {
					made[n-1-i](took)
				}
			}
			slotsAre(t, "with "+strconv.Itoa(n)+" at a time", b, n+1)
		}
	})
}

// Where Reapit refuses, the slot that was too many is not tried again at once.
func TestWhatReapitRefusesIsNotTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5, 1e6, time.Now)
		b.succeed(time.Now().Add(-2 * time.Second))
		makes(t, b, 1)[0](took)
		made := makes(t, b, 2)
		made[1](limited)
		made[0](took)
		slotsAre(t, "one was refused beside another", b, 1)
		time.Sleep(stillFull - time.Millisecond)
		makes(t, b, 1)[0](took)
		slotsAre(t, "and just now", b, 1)
		time.Sleep(time.Millisecond)
		makes(t, b, 1)[0](took)
		slotsAre(t, "and a while ago", b, 2)
	})
}

// Nobody who asks for the negotiators has the only slot.
func TestAReadingWaitsForTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000, 5, 1e6, time.Now)
		proven := func() time.Duration {
			began := time.Now()
			if !b.slots.proven(t.Context(), readLater) {
				t.Error("it was not to be waited for")
			}
			return time.Since(began)
		}
		if waited := proven(); waited != 0 {
			t.Errorf("%v though nobody was killed", waited)
		}
		b.succeed(time.Now())
		if waited := proven(); waited != readLater {
			t.Errorf("%v though nothing is answered", waited)
		}
		time.AfterFunc(time.Second, func() { makes(t, b, 1)[0](took) })
		if waited := proven(); waited != time.Second {
			t.Errorf("%v until the first answer", waited)
		}
		b.succeed(time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if b.slots.proven(ctx, readLater) {
			t.Error("it reads without the lease")
		}
	})
}
