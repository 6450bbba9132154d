package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

// What is appended while NATS is away fails for that reason, in these words.
func TestAppendWhileAwaySaysSo(t *testing.T) {
	s := bustest.Run(t)
	s.Provisioned(1)
	nc, err := bus.Connect(t.Context(), s.Config(1), "a", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, js)
	s.Stop()
	defer s.Start()
	bustest.Eventually(t, "the loss", func() bool { return !nc.IsConnected() })
	if err := put(l, 1, 0); !errors.Is(err, bus.ErrOffline) || strings.Contains(err.Error(), "buffer") {
		t.Errorf("got %v", err)
	}
}

func TestOfflineLeavesOtherErrors(t *testing.T) {
	for _, err := range []error{nil, context.Canceled, nats.ErrTimeout} {
		if got := bus.Offline(err); !errors.Is(got, err) || errors.Is(got, bus.ErrOffline) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestOnlineHasOneWording(t *testing.T) {
	if r := bus.Online(true); !r.OK || r.Detail != "connected to NATS" {
		t.Errorf("%+v", r)
	}
	if r := bus.Online(false); r.OK || r.Detail != "not connected to NATS" {
		t.Errorf("%+v", r)
	}
}
