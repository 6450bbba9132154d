package bus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

const ttl = time.Second

func leases(t *testing.T, s *bustest.Server, name string) *bus.Leases {
	t.Helper()
	l, err := bus.OpenLeases(t.Context(), s.JetStream(name), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A server that is there, and cannot tell of the bucket yet, is no reason to end.
func TestLeasesWaitForTheServer(t *testing.T) {
	t.Parallel() // most of it is waiting
	var options *server.Options
	s := bustest.RunWithoutJetStream(t, func(o *server.Options) { options = o })
	restart := func(able bool) {
		s.Stop()
		options.JetStream = able
		s.Start()
	}
	options.StoreDir = t.TempDir()
	restart(true)
	s.Provisioned(1)
	js := s.JetStream("waiting")
	restart(false)
	told := make(chan struct{}, 100)
	opened := make(chan error, 1)
	go func() {
		_, err := bus.OpenLeases(t.Context(), js, slog.New(slog.NewTextHandler(signal(told), nil)))
		opened <- err
	}()
	select {
	case <-told:
	case err := <-opened:
		t.Fatalf("gave up: %v", err)
	}
	restart(true)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
}

// signal is a log that tells when something is written.
type signal chan struct{}

func (s signal) Write(b []byte) (int, error) {
	s <- struct{}{}
	return len(b), nil
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

// A server whose answers come later than a renewal waits for them has stored it all the same.
func TestLeaseIsKeptWhileAnswersAreLate(t *testing.T) {
	s := bustest.Run(t)
	s.Provisioned(1)
	late := &lateness{}
	nc, err := nats.Connect("nats://" + late.proxy(t, strings.TrimPrefix(s.URL(), "nats://")))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	l, err := bus.OpenLeases(t.Context(), js, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = l.Hold(t.Context(), "transform.0", "a", 3*ttl, func(ctx context.Context) error {
		late.by.Store(int64(3 * ttl / 5 * 2)) // a renewal waits for a third
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(9 * ttl):
			return nil
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// lateness is a way to a server by which its answers come late.
type lateness struct{ by atomic.Int64 }

func (l *lateness) proxy(t *testing.T, server string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	running.Go(func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = client.Close() }()
		to, err := new(net.Dialer).DialContext(t.Context(), "tcp", server)
		if err != nil {
			return
		}
		running.Go(func() { defer func() { _ = to.Close() }(); _, _ = io.Copy(to, client) })
		l.answer(client, to)
	})
	return listener.Addr().String()
}

// answer hands on what the server says, each in its time.
func (l *lateness) answer(client io.Writer, server io.Reader) {
	type chunk struct {
		bytes []byte
		due   time.Time
	}
	chunks := make(chan chunk, 1000)
	go func() {
		defer close(chunks)
		for {
			b := make([]byte, 64<<10)
			n, err := server.Read(b)
			if err != nil {
				return
			}
			chunks <- chunk{b[:n], time.Now().Add(time.Duration(l.by.Load()))}
		}
	}()
	for c := range chunks {
		time.Sleep(time.Until(c.due))
		_, _ = client.Write(c.bytes)
	}
}
