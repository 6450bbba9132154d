package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

func outgoing(i, keys int) bus.Outgoing {
	key := fmt.Sprintf("k%d", i%keys)
	return bus.Outgoing{
		Subject: topology.Raw(0, "", "Test", topology.KeyToken(key)), Key: key, Data: fmt.Appendf(nil, "%d", i),
		Header: nats.Header{"Nats-Msg-Id": {fmt.Sprintf("id-%d", i)}},
	}
}

func run(t *testing.T, cfg bus.Config) (*bus.Publisher, func()) {
	t.Helper()
	p := bus.NewPublisher(cfg, "publisher", 1000, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	return p, func() {
		go func() { defer close(ended); _ = p.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-ended })
	}
}

func expectInOrder(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	messages := bustest.Messages(t, js, topology.RTE)
	if len(messages) != n {
		t.Fatalf("%d messages stored, want %d", len(messages), n)
	}
	for i, m := range messages {
		if want := fmt.Sprint(i); string(m.Data) != want {
			t.Fatalf("message %d is %s", i, m.Data)
		}
	}
}

func TestPublisherKeepsOrderWhileTheServerRestarts(t *testing.T) {
	const n = 20_000
	s := bustest.Run(t)
	js := s.Provisioned(1)
	p, start := run(t, s.Config(1))
	stored := 0
	restarts := make(chan struct{}, 3)
	p.Stored = func(bus.Outgoing, *jetstream.PubAck) {
		if stored++; stored%5000 == 0 && stored < n {
			restarts <- struct{}{}
		}
	}
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		for range 3 {
			<-restarts
			s.Stop()
			s.Start()
		}
	}()
	start()
	for i := range n {
		if err := p.Publish(t.Context(), outgoing(i, 97)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-restarted
	if stored != n {
		t.Fatalf("%d were reported stored, want %d", stored, n)
	}
	expectInOrder(t, js, n)
}

func TestTwoPublishersOfTheSameEventsMakeOneCopy(t *testing.T) {
	const n = 3000
	s := bustest.Run(t)
	js := s.Provisioned(1)
	done := make(chan error, 2)
	for range 2 {
		p, start := run(t, s.Config(1))
		start()
		go func() {
			for i := range n {
				if err := p.Publish(t.Context(), outgoing(i, 11)); err != nil {
					done <- err
					return
				}
			}
			done <- p.Flush(t.Context())
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	expectInOrder(t, js, n)
}

func TestPublisherHandsBackWhatCanNeverBeStored(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	p, start := run(t, s.Config(1))
	refused := make(chan error, 2)
	p.Refused = func(_ bus.Outgoing, err error) *bus.Outgoing {
		refused <- err
		return nil
	}
	start()
	big := outgoing(-1, 1)
	big.Data = make([]byte, 2<<20)
	nowhere := outgoing(-2, 1)
	nowhere.Subject = "two words"
	for _, m := range []bus.Outgoing{outgoing(0, 5), big, nowhere, outgoing(1, 5)} {
		if err := p.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-refused; err == nil {
			t.Fatal("refused without an error")
		}
	}
	expectInOrder(t, js, 2)
}

// A server that is not there yet: the publisher waits and loses nothing.
func TestPublisherWaitsForTheStream(t *testing.T) {
	s := bustest.Run(t)
	p, start := run(t, s.Config(1))
	told := make(chan error, 100)
	p.Connected = func(up bool, err error) {
		if !up {
			told <- err
		}
	}
	start()
	for i := range 100 {
		if err := p.Publish(t.Context(), outgoing(i, 7)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-told; err == nil {
		t.Fatal("no reason given")
	}
	js := s.Provisioned(1)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectInOrder(t, js, 100)
}
