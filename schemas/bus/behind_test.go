package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

// mixed is a stream of messages of a, b and c in any order; it returns where those of
// a and b are.
func mixed(t testing.TB, js jetstream.JetStream, messages int) (wanted []uint64) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"mix.>"}}); err != nil {
		t.Fatal(err)
	}
	return more(t, js, messages)
}

// more adds so many to it.
func more(t testing.TB, js jetstream.JetStream, messages int) (wanted []uint64) {
	t.Helper()
	s, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	seq, random := s.CachedInfo().State.LastSeq, rand.New(rand.NewPCG(1, 2))
	for n := range messages {
		kind := []string{"a", "a", "b", "c", "c"}[random.IntN(5)]
		if _, err := js.PublishAsync(fmt.Sprintf("mix.%s.%d", kind, n%(messages*2/3)), nil, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if seq++; kind != "c" {
			wanted = append(wanted, seq)
		}
	}
	<-js.PublishAsyncComplete()
	return wanted
}

// What is far behind the end is read apart for each filter, and comes in order, once,
// with what is behind it counted; what is stored meanwhile and afterwards follows.
func TestReadFarBehindIsInOrder(t *testing.T) {
	t.Parallel()
	const messages, later = 8_000, 3
	js := bustest.Run(t).Provisioned(1)
	wanted := mixed(t, js, messages)
	from := wanted[len(wanted)/10]
	wanted = wanted[len(wanted)/10:]
	enough := errors.New("enough")
	n, stored := 0, uint64(len(wanted))
	err := bus.Read(t.Context(), js, "S", []string{"mix.a.>", "mix.b.>"}, from, func(m bus.Message) error {
		if m.Seq != wanted[n] {
			t.Fatalf("message %d comes as the %d-th, in place of %d", m.Seq, n, wanted[n])
		}
		if left := uint64(len(wanted) - n - 1); m.Pending != left && uint64(len(wanted)) == stored {
			t.Fatalf("%d messages are said to be behind number %d, of %d", m.Pending, n, left)
		}
		n++
		switch {
		case n == 100 && !slices.Equal(filtersOf(t, js), []int{1, 1}):
			t.Errorf("far behind it reads by consumers with %d filters", filtersOf(t, js))
		case n == len(wanted) && !slices.Contains(filtersOf(t, js), 2):
			t.Errorf("at the end it reads by consumers with %d filters", filtersOf(t, js))
			fallthrough
		case n == int(stored)-later: // the last ones come while it reads
			for range later {
				ack, err := js.Publish(t.Context(), "mix.b.later", nil)
				if err != nil {
					t.Fatal(err)
				}
				wanted = append(wanted, ack.Sequence)
			}
		case n == len(wanted):
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("read %d of %d: %v", n, len(wanted), err)
	}
}

// Who falls far behind while it follows the end catches up like any other.
func TestReadFallsFarBehind(t *testing.T) {
	t.Parallel()
	const messages = 12_000
	js := bustest.Run(t).Provisioned(1)
	wanted := mixed(t, js, 100)
	enough := errors.New("enough")
	n := 0
	err := bus.Read(t.Context(), js, "S", []string{"mix.a.>", "mix.b.>"}, 1, func(m bus.Message) error {
		if m.Seq != wanted[n] {
			t.Fatalf("message %d comes as the %d-th, in place of %d", m.Seq, n, wanted[n])
		}
		switch n++; n {
		case 50:
			wanted = append(wanted, more(t, js, messages)...)
		case 2000:
			if !slices.Contains(filtersOf(t, js), 1) {
				t.Errorf("having fallen behind it reads by consumers with %d filters", filtersOf(t, js))
			}
		case len(wanted):
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("read %d of %d: %v", n, len(wanted), err)
	}
}

// It ends with its context, far behind as well, and leaves no consumer.
func TestReadFarBehindEnds(t *testing.T) {
	t.Parallel()
	js := bustest.Run(t).Provisioned(1)
	mixed(t, js, 5_000)
	enough := errors.New("enough")
	ctx, end := context.WithCancelCause(t.Context())
	n := 0
	err := bus.Read(ctx, js, "S", []string{"mix.a.>", "mix.b.>"}, 1, func(bus.Message) error {
		if n++; n == 100 {
			end(enough)
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("ends with %v", err)
	}
	bustest.Eventually(t, "the consumers to be deleted", func() bool { return len(filtersOf(t, js)) == 0 })
}

// filtersOf are the filters of each consumer.
func filtersOf(t testing.TB, js jetstream.JetStream) (all []int) {
	t.Helper()
	s, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	for c := range s.ListConsumers(t.Context()).Info() {
		all = append(all, max(len(c.Config.FilterSubjects), 1)) // one alone stands elsewhere
	}
	slices.Sort(all)
	return all
}

// BenchmarkReadFarBehind compares it with one consumer for both filters.
func BenchmarkReadFarBehind(b *testing.B) {
	js := bustest.Run(b).Provisioned(1)
	wanted := mixed(b, js, 50_000)
	enough := errors.New("enough")
	for _, c := range []struct {
		name    string
		filters []string
	}{{"one-filter", []string{"mix.a.>"}}, {"two-filters", []string{"mix.a.>", "mix.b.>"}}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				err := bus.Read(b.Context(), js, "S", c.filters, 1, func(m bus.Message) error {
					if n++; m.Pending == 0 {
						return enough
					}
					return nil
				})
				if !errors.Is(err, enough) || len(c.filters) > 1 && n != len(wanted) {
					b.Fatal(n, err)
				}
			}
		})
	}
}
