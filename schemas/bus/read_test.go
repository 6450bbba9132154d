package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

// A reader whose consumer is just being made anew, as after an outage, ends with
// its context like any other.
func TestReadEndsWhileItsConsumerIsMadeAnew(t *testing.T) {
	s := bustest.Run(t)
	admin := s.JetStream("admin")
	stream, err := admin.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Publish(t.Context(), "s", nil); err != nil {
		t.Fatal(err)
	}
	reader, enough := s.JetStream("reader"), errors.New("enough")
	for n := range 200 {
		ctx, end := context.WithCancelCause(t.Context())
		reading, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- bus.Read(ctx, reader, "S", nil, 0, func(bus.Message) error { close(reading); return nil })
		}()
		<-reading
		for name := range stream.ConsumerNames(t.Context()).Name() {
			_ = stream.DeleteConsumer(t.Context(), name) // or it is gone already
		}
		<-time.After(time.Duration(n%40) * 50 * time.Microsecond)
		end(enough)
		select {
		case err := <-ended:
			if !errors.Is(err, enough) {
				t.Fatal(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("it goes on without end, the %d-th time", n)
		}
	}
}
