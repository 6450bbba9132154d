package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

func serial(t testing.TB, js jetstream.JetStream) *bus.Log {
	t.Helper()
	l, err := bus.OpenSerialLog(t.Context(), js, deliveries, deliveriesPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// batchOf are n entries, whose text begins with a name.
func batchOf(name string, n int) (entries []bus.Entry) {
	for i := range n {
		entries = append(entries, bus.Entry{
			Subject: topology.Delivery("SBOX", "JAS", "superseded", fmt.Sprintf("%s-%d", name, i)),
			Data:    fmt.Appendf(nil, "%s/%d", name, i), Position: bus.Position{In: 7, Idx: i},
		})
	}
	return entries
}

// written are the entries of a log, each of which must stand where it was put.
func written(t *testing.T, js jetstream.JetStream) (texts []string) {
	t.Helper()
	for _, m := range bustest.Messages(t, js, deliveries) {
		if !bus.Own(m.Header, m.Seq) {
			t.Errorf("%q does not stand where its writer put it", m.Data)
		}
		texts = append(texts, string(m.Data))
	}
	return texts
}

func TestManyAreAppendedAsOneByOne(t *testing.T) {
	for name, batches := range map[string]bool{"at once": true, "to a stream of before": false} {
		t.Run(name, func(t *testing.T) {
			js := bustest.Run(t).Provisioned(1)
			if !batches {
				allow(t, js, false)
			}
			l := serial(t, js)
			if l.Batches() != batches {
				t.Fatalf("batches: %t", l.Batches())
			}
			var want []string
			for _, n := range []int{1, 2, 100, 1, 999, 3} {
				entries := batchOf(strconv.Itoa(n)+"."+strconv.Itoa(len(want)), n)
				for _, e := range entries {
					want = append(want, string(e.Data))
				}
				if err := l.AppendAll(entries); err != nil {
					t.Fatal(err)
				}
			}
			if got := written(t, js); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%d entries, expected %d, or in another order", len(got), len(want))
			}
			if tail, ok := serial(t, js).Tail(); !ok || tail != (bus.Position{In: 7, Idx: 2}) {
				t.Errorf("the log ends with %v", tail)
			}
		})
	}
}

// allow has the stream take batches, or not, as one that an older version made.
func allow(t *testing.T, js jetstream.JetStream, batches bool) {
	t.Helper()
	s, err := js.Stream(t.Context(), deliveries)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.AllowBatchPublish = batches
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// Of a batch that another writer was before, nothing is stored, and that is known at once.
func TestBatchIsRefusedAtOnce(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	first, second := serial(t, js), serial(t, js)
	if err := first.AppendAll(batchOf("first", 2)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := second.AppendAll(batchOf("second", 5)); !errors.Is(err, bus.ErrFenced) {
		t.Errorf("the second writer got %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v to know", took)
	}
	if err := second.AppendAll(batchOf("third", 1)); !errors.Is(err, bus.ErrFenced) {
		t.Errorf("a lost log took another message: %v", err)
	}
	if got := written(t, js); len(got) != 2 {
		t.Errorf("in the log: %q", got)
	}
}

// With what is lost on its way the batch ends.
func TestBatchEndsBeforeWhatIsLost(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	l := serial(t, js)
	entries := batchOf("a", 6)
	entries[3].Subject = "nobody.listens" // and so it does not arrive
	if err := l.AppendAll(entries); err == nil || errors.Is(err, bus.ErrFenced) {
		t.Errorf("the writer got %v", err)
	}
	bustest.Eventually(t, "what was not lost", func() bool { return len(written(t, js)) >= 3 })
	if got := strings.Join(written(t, js), " "); got != "a/0 a/1 a/2" {
		t.Errorf("in the log: %s", got)
	}
}

// A stream that is gone, or takes batches no more, is said to be.
func TestBatchSaysWhatIsWrong(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	l, m := serial(t, js), serial(t, js)
	allow(t, js, false)
	if err := l.AppendAll(batchOf("a", 2)); err == nil || !strings.Contains(err.Error(), "batch publish is disabled") {
		t.Errorf("without batches: %v", err)
	}
	if err := js.DeleteStream(t.Context(), deliveries); err != nil {
		t.Fatal(err)
	}
	if err := m.AppendAll(batchOf("b", 2)); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("without a stream: %v", err)
	}
}

// Two writers without a lease write batches, while the stream's leader changes all
// the time: in what is stored none has a hole, and nothing of others stands in it.
func TestCompetingBatchesHaveNoHoles(t *testing.T) {
	const each, size = 60, 40
	c := runCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	var deposing, writing sync.WaitGroup
	deposing.Go(func() {
		for ctx.Err() == nil {
			_, _ = c.js.Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN."+deliveries, nil, time.Second)
			select {
			case <-time.After(400 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	var mu sync.Mutex
	again := 0
	for w := range 2 {
		js := c.connect("writer" + strconv.Itoa(w))
		writing.Go(func() {
			for stored, try := 0, 0; stored < each && t.Context().Err() == nil; try++ {
				l, err := bus.OpenSerialLog(t.Context(), js, deliveries, deliveriesPrefix)
				for ; err == nil && stored < each; try++ {
					if err = l.AppendAll(batchOf(fmt.Sprintf("%d.%d", w, try), size)); err == nil {
						stored++
					}
				}
				if l != nil {
					l.Close()
				}
				if err != nil {
					mu.Lock()
					again++
					mu.Unlock()
				}
			}
		})
	}
	writing.Wait()
	cancel()
	deposing.Wait()
	texts, whole := written(t, c.js), 0
	before, at := "", 0
	for n, text := range texts {
		name, i, _ := strings.Cut(text, "/")
		switch number, _ := strconv.Atoi(i); {
		case number == 0 && name != before:
			before, at = name, 0
		case name != before || number != at+1:
			t.Errorf("message %d is %s behind %s/%d", n, text, before, at)
		default:
			at = number
		}
		if at == size-1 {
			whole++
		}
	}
	if whole < 2*each {
		t.Errorf("%d batches are whole, %d were said to be", whole, 2*each)
	}
	if again < 10 {
		t.Errorf("a writer started over %d times: the test proves little", again)
	}
	t.Logf("%d messages, %d batches whole, started over %d times", len(texts), whole, again)
}

// BenchmarkSerialLog is what three servers store of outcomes a second.
func BenchmarkSerialLog(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%dAtOnce", size), func(b *testing.B) {
			nodes := bustest.Cluster(b, 3)
			cfg := bus.Config{URL: bustest.ClusterURL(nodes), Provision: bus.ProvisionCreate, Replicas: 3, Partitions: 1}
			js := connected(b, cfg)
			if err := bus.Prepare(b.Context(), js, cfg, slog.New(slog.DiscardHandler)); err != nil {
				b.Fatal(err)
			}
			l := serial(b, js)
			b.ResetTimer()
			for n := 0; n < b.N; n += size {
				entries := batchOf(strconv.Itoa(n), min(size, b.N-n))
				for i := range entries {
					entries[i].Data = make([]byte, 700) // as many bytes as an outcome has
				}
				if err := l.AppendAll(entries); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}
