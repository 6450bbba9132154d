package bus_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/probe"
	"ringstream/schemas/topology"
)

// Of two ways to NATS the one that falls silent is left in seconds, not minutes.
func TestConnectionLeavesAServerThatIsSilent(t *testing.T) {
	t.Parallel() // most of it is waiting
	s := bustest.Run(t)
	ways := map[string]*hole{}
	var urls []string
	for range 2 {
		h := dig(t, s.URL())
		ways[h.addr] = h
		urls = append(urls, "nats://"+h.addr)
	}
	nc, err := bus.Connect(t.Context(), bus.Config{URL: strings.Join(urls, ",")}, "a", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	first := nc.ConnectedAddr()
	ways[first].open.Store(true)
	since := time.Now()
	bustest.Eventually(t, "another way", func() bool { return nc.IsConnected() && nc.ConnectedAddr() != first })
	if took := time.Since(since); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// A service that NATS does not answer any more is not ready, whatever else it
// believes.
func TestSilenceOfNATSIsNotReady(t *testing.T) {
	t.Parallel() // most of it is waiting
	s := bustest.Run(t)
	s.Provisioned(1)
	way := dig(t, s.URL())
	cfg := s.Config(1)
	cfg.URL = "nats://" + way.addr
	nc, err := bus.Connect(t.Context(), cfg, "a", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		t.Fatal(err)
	}
	board, ended := probe.New(), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		bus.Watch(ctx, js, cfg, []string{topology.RTE}, board, bus.NewStanding())
	}()
	defer func() { cancel(); <-ended }()
	bustest.Eventually(t, "the first look", func() bool { _, ok := board.Ready(); return ok })
	way.open.Store(true)
	bustest.Eventually(t, "the silence to be told", func() bool {
		all, ok := board.Ready()
		return !ok && strings.Contains(all[0].Detail, "NATS has given no answer about them for ")
	})
}
