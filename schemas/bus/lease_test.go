package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

const ttl = time.Second

func leases(t *testing.T, s *bustest.Server, name string) *bus.Leases {
	t.Helper()
	l, err := bus.OpenLeases(t.Context(), s.JetStream(name))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLeaseIsHeldByOneAndHandedOver(t *testing.T) {
	s := bustest.Run(t)
	s.Provisioned(1)
	a, b := leases(t, s, "a"), leases(t, s, "b")
	held, leave := make(chan struct{}), make(chan struct{})
	var left time.Time
	first := make(chan error, 1)
	go func() {
		first <- a.Hold(t.Context(), "transform.0", "a", ttl, func(ctx context.Context) error {
			close(held)
			select {
			case <-leave:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			left = time.Now()
			return nil
		})
	}()
	<-held
	second := make(chan time.Time, 1)
	go func() {
		_ = b.Hold(t.Context(), "transform.0", "b", ttl, func(context.Context) error {
			second <- time.Now()
			return nil
		})
	}()
	select {
	case <-second:
		t.Fatal("two hold the lease")
	case <-time.After(3 * ttl): // the first renews it all the while
	}
	close(leave)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if took := (<-second).Sub(left); took > 200*time.Millisecond {
		t.Fatalf("hand-over took %v", took)
	}
}

func TestLeaseMovesWhenItsHolderDies(t *testing.T) {
	s := bustest.Run(t)
	s.Provisioned(1)
	a, b := leases(t, s, "a"), leases(t, s, "b")
	// A holder that dies does not give the lease back: it stays until it expires.
	ctx, die := context.WithCancel(t.Context())
	stuck := make(chan struct{})
	go func() {
		_ = a.Hold(ctx, "deliver", "a", ttl, func(held context.Context) error {
			die()
			<-held.Done()
			<-stuck
			return nil
		})
	}()
	<-ctx.Done()
	from := time.Now()
	defer close(stuck)
	err := b.Hold(t.Context(), "deliver", "b", ttl, func(context.Context) error { return nil })
	if took := time.Since(from); err != nil || took > ttl+time.Second {
		t.Fatalf("taken over after %v: %v", took, err)
	}
}

func TestLeaseIsLostWithTheServer(t *testing.T) {
	t.Parallel() // most of it is waiting
	s := bustest.Run(t)
	s.Provisioned(1)
	l := leases(t, s, "a")
	err := l.Hold(t.Context(), "deliver", "a", ttl, func(ctx context.Context) error {
		if s.Stop(); !bus.Held(ctx) {
			t.Error("lost at once")
		}
		<-ctx.Done()
		if bus.Held(ctx) {
			t.Error("held for ever")
		}
		return context.Cause(ctx)
	})
	if !errors.Is(err, bus.ErrLeaseLost) {
		t.Fatalf("got %v", err)
	}
	s.Start()
}

func TestMembersSeeEachOtherComeAndGo(t *testing.T) {
	s := bustest.Run(t)
	s.Provisioned(1)
	var mu sync.Mutex
	seen := map[string][]string{}
	var wg sync.WaitGroup
	join := func(name string) context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		l := leases(t, s, name)
		wg.Go(func() {
			_ = l.Join(ctx, "transform", name, ttl, func(members []string) {
				mu.Lock()
				defer mu.Unlock()
				seen[name] = members
			})
		})
		return cancel
	}
	sees := func(name string, want ...string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Equal(seen[name], want)
		}
	}
	stopA, stopB := join("a"), join("b")
	bustest.Eventually(t, "a to see both", sees("a", "a", "b"))
	bustest.Eventually(t, "b to see both", sees("b", "a", "b"))
	stopB()
	bustest.Eventually(t, "a to be alone", sees("a", "a"))
	stopA()
	wg.Wait()
}

func TestOwnerSpreadsAndMovesLittle(t *testing.T) {
	members := []string{"transform-0", "transform-1", "transform-2"}
	count := map[string]int{}
	for p := range 300 {
		key := fmt.Sprint(p)
		owner := bus.Owner(key, members)
		count[owner]++
		if without := bus.Owner(key, members[:2]); owner != members[2] && without != owner {
			t.Fatalf("partition %s moved from %s to %s though its owner stayed", key, owner, without)
		}
	}
	for _, m := range members {
		if count[m] < 60 || count[m] > 140 {
			t.Fatalf("uneven: %v", count)
		}
	}
	if bus.Owner("0", nil) != "" {
		t.Fatal("nobody owns something")
	}
}

func TestEntryThatNeverExpiresIsNoLease(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	kv, err := js.KeyValue(t.Context(), topology.Leases)
	if err == nil {
		_, err = kv.Put(t.Context(), "deliver", []byte("by hand"))
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*ttl)
	defer cancel()
	if err := leases(t, s, "a").Hold(ctx, "deliver", "a", ttl, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
}
