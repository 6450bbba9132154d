package stream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/transform/internal/replay/stream"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// More than a reader asks for at once.
const many = 5000

func filled(t *testing.T, s *bustest.Server, n int) jetstream.JetStream {
	t.Helper()
	js := s.JetStream("replay")
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := js.PublishAsync(fmt.Sprintf("s.%d", i), nil, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-t.Context().Done():
	}
	return js
}

// readers hand over all of S.
var readers = map[string]func(context.Context, jetstream.JetStream, func(bus.Message) error) error{
	"pick": func(ctx context.Context, js jetstream.JetStream, handle func(bus.Message) error) error {
		return stream.Pick(ctx, js, "S", "s.>", handle)
	},
	"read": func(ctx context.Context, js jetstream.JetStream, handle func(bus.Message) error) error {
		s, err := stream.Look(ctx, js, "S")
		if err != nil {
			return err
		}
		return stream.Read(ctx, js, s, s.First, handle)
	},
}

// What is read over a restart of the server is all of it, once and in order; of a
// server that does not come back it is an error.
func TestServerStops(t *testing.T) {
	t.Parallel()
	for name, read := range readers {
		for _, back := range []bool{true, false} {
			t.Run(fmt.Sprint(name, back), func(t *testing.T) {
				t.Parallel()
				s := bustest.Run(t)
				js := filled(t, s, many)
				ctx, end := context.WithCancelCause(t.Context())
				handled := uint64(0)
				err := read(ctx, js, func(m bus.Message) error {
					if handled++; m.Seq != handled {
						t.Errorf("message %d as the %d-th", m.Seq, handled)
					}
					if handled != 10 {
						return nil
					}
					s.Stop()
					if back {
						s.Start()
					} else {
						time.AfterFunc(time.Second, func() { end(errAway) })
					}
					return nil
				})
				if back && (handled != many || err != nil) || !back && (handled == many || !errors.Is(err, errAway)) {
					t.Errorf("%d read, %v", handled, err)
				}
			})
		}
	}
}

var errAway = errors.New("it did not come back")

// A stream that is another one after a restart is no end of the one before.
func TestServerComesBackWithAnother(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"shorter": 20, "as long": many} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := bustest.RunIn(t, dir)
			js := filled(t, s, many)
			once := true
			err := readers["read"](t.Context(), js, func(bus.Message) error {
				if once {
					once = false
					s.Stop()
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
					s.Start()
					filled(t, s, n)
				}
				return nil
			})
			if !errors.Is(err, stream.ErrAnew) {
				t.Error(err)
			}
		})
	}
}
