package bus_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

// hole is a TCP proxy that can swallow everything, as a broken network does.
type hole struct {
	addr string
	open atomic.Bool
}

func dig(t *testing.T, server string) *hole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{addr: l.Addr().String()}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(server, "nats://"))
			if err != nil {
				_ = near.Close()
				continue
			}
			go h.carry(far, near)
			go h.carry(near, far)
		}
	}()
	return h
}

func (h *hole) carry(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	defer func() { _ = from.Close() }()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if h.open.Load() {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// A holder whose network is gone stops before anybody else can begin.
func TestLeaseIsGivenUpBeforeItExpires(t *testing.T) {
	t.Parallel() // most of it is waiting
	const long = 3 * time.Second
	s := bustest.Run(t)
	s.Provisioned(1)
	h := dig(t, s.URL())
	nc, err := bus.Dial(bus.Config{URL: "nats://" + h.addr}, "a", nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		t.Fatal(err)
	}
	a, err := bus.OpenLeases(t.Context(), js, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	held, lost := make(chan struct{}), make(chan time.Time, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = a.Hold(t.Context(), "deliver", "a", long, func(ctx context.Context) error {
			close(held)
			<-ctx.Done()
			lost <- time.Now()
			return nil
		})
	}()
	<-held
	<-time.After(2 * long / 3) // it has renewed the lease once or twice
	h.open.Store(true)
	err = leases(t, s, "b").Hold(t.Context(), "deliver", "b", long, func(context.Context) error {
		took := time.Now()
		if end := <-lost; end.After(took) {
			t.Errorf("two held the lease for %v", end.Sub(took))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-ended
}
