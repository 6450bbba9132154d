package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/ingest/internal/feed"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// freezer dials a server that stops reading once it is frozen: its socket takes
// so much, and then a write blocks.
type freezer struct {
	frozen  atomic.Bool
	room    atomic.Int64
	asked   chan struct{} // something was written since
	release chan struct{}
}

type frozenConn struct {
	net.Conn
	*freezer
}

func (f *freezer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return frozenConn{c, f}, err
}

func (c frozenConn) Write(b []byte) (int, error) {
	if !c.frozen.Load() {
		return c.Conn.Write(b)
	}
	select {
	case c.asked <- struct{}{}:
	default:
	}
	if c.room.Add(-int64(len(b))) < 0 {
		<-c.release
	}
	return len(b), nil
}

// A server that does not read holds up nobody's end, however much is heard.
func TestAuditEndsWhileNATSIsFrozen(t *testing.T) {
	t.Parallel() // most of it is waiting
	s := bustest.RunWithoutJetStream(t)
	f := &freezer{asked: make(chan struct{}, 1), release: make(chan struct{})}
	f.room.Store(64 << 10)
	nc, err := nats.Connect(s.URL(), nats.SetCustomDialer(f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	t.Cleanup(func() { close(f.release) })
	other, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	told, err := other.SubscribeSync(topology.HeardAll)
	if err == nil {
		err = other.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}

	log := slog.New(slog.DiscardHandler)
	began := time.Now()
	w := feed.New("a", 4, func(bus.Outgoing) error { return nil }, func(event.Raw, time.Time) {}, feed.NewAudit(time.Second), log)
	w.Opened("e", "hub", func() (at, answered time.Time) { return began, began })
	hear := func(n int) {
		for i := range n {
			w.Message(fmt.Appendf(nil, `{"data":{"id":"aa90c608-7fd4-4c59-af60-%012d","entityId":"jane","eventType":"UserStatus"}}`, i))
		}
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	a := &auditor{messages: w, every: time.Second, unheard: prometheus.NewCounter(prometheus.CounterOpts{Name: unheard}), log: log}
	go func() { defer close(ended); a.run(ctx, nc) }()
	hear(1)
	if _, err := told.NextMsg(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	f.frozen.Store(true)
	hear(5000)
	<-f.asked
	end()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("still telling")
	}
}
