package bus_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

// What was there before is not read, and of the rest no body, over a restart too.
func TestHeadersAreReadFromNowOn(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	put := func(subject, id string) {
		t.Helper()
		bustest.Eventually(t, "stored", func() bool {
			_, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: nats.Header{"Nats-Msg-Id": {id}}, Data: []byte("body")})
			return err == nil
		})
	}
	put("rte.0.org.E.before", "before")
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	read, ended := make(chan bus.Message, 100), make(chan error, 1)
	go func() {
		ended <- bus.ReadHeaders(ctx, js, topology.RTE, []string{"rte.>"}, func(m bus.Message) error { read <- m; return nil })
	}()
	stream, err := js.Stream(t.Context(), topology.RTE)
	if err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "a reader", func() bool {
		info, err := stream.Info(t.Context())
		return err == nil && info.State.Consumers == 1
	})
	want := []string{"one", "two", "three"}
	for i, id := range want {
		put("feed.a.heartbeat", "feed "+id)
		put("rte.0.org.E.key", id)
		if m := <-read; m.Header.Get("Nats-Msg-Id") != id || len(m.Data) > 0 || m.Subject != "rte.0.org.E.key" {
			t.Errorf("read %s %q with %q, want %s", m.Subject, m.Header, m.Data, id)
		}
		if i == 1 {
			s.Stop()
			s.Start()
		}
	}
	enough()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
