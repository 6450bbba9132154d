package fold

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

func TestMain(m *testing.M) { bustest.Main(m) }

type unobserved struct{}

func (unobserved) Started(int, uint64)                                   {}
func (unobserved) Stepped(int, bus.Message, *Fold, Step)                 {}
func (unobserved) Unreadable(int, bus.Message, error)                    {}
func (unobserved) Stored(int, time.Duration)                             {}
func (unobserved) Emitted(int, Output, bus.Message, map[string][]string) {}

var errStopped = errors.New("stopped by the test")

// counter stops a worker after so many outputs.
type counter struct {
	unobserved
	left int
	stop func()
}

func (c *counter) Emitted(int, Output, bus.Message, map[string][]string) {
	if c.left--; c.left == 0 {
		c.stop()
	}
}

func partition(js jetstream.JetStream) Partition {
	return Partition{JS: js, Limits: quick, Log: slog.New(slog.DiscardHandler), Observe: unobserved{}}
}

// The limits are short, because the stored time of a test is real time.
var quick = call.Limits{Ring: 400 * time.Millisecond, Talk: time.Second, Settle: 50 * time.Millisecond, Memory: time.Second}

// feed publishes a morning to RTE, garbage among it.
func feed(ctx context.Context, js jetstream.JetStream, in []Input) error {
	for n, i := range in {
		subject := topology.Feed("a", "heartbeat")
		var headers map[string][]string
		var body []byte
		var err error
		if i.Raw != nil {
			body, _ = json.Marshal(map[string]any{"data": map[string]any{
				"id": i.Raw.ID, "eventType": i.Raw.EventType, "entityType": "User", "userId": i.Raw.UserID, "callId": i.Raw.CallID,
				"organizationId": org, "callerNumber": i.Raw.CallerNumber, "targetNumber": i.Raw.TargetNumber,
			}})
			subject = topology.Raw(0, org, i.Raw.EventType, i.Raw.CallID)
			headers, body, err = event.Encode(event.NewRaw(*i.Raw, body, "hub", i.Raw.CallID, time.Now(), ""))
		} else {
			beat := *i.Feed
			beat.At = time.Now()
			e, _ := event.NewFeed(beat, "test", uint64(n))
			headers, body, err = event.Encode(e)
		}
		if err != nil {
			return err
		}
		if n%97 == 0 {
			if _, err := js.Publish(ctx, topology.Raw(0, org, "Unknown", "none"), []byte("no CloudEvent")); err != nil {
				return err
			}
		}
		if _, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: headers, Data: body}); err != nil {
			return err
		}
	}
	return nil
}

// reference folds RTE as it is stored, in one go.
func reference(t *testing.T, js jetstream.JetStream) (want []string) {
	t.Helper()
	f := New(quick)
	for _, m := range bustest.Messages(t, js, topology.RTE) {
		in, _ := Decode(m)
		for _, o := range f.Step(in).Outputs {
			_, body, err := Encode(o)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, string(body))
		}
	}
	return want
}

// Three workers compete for one log with no lease between them, and each is
// stopped at random moments: after so many outputs, whatever they are.
func TestCompetingPartitionsWriteTheReferenceFold(t *testing.T) {
	calls := 500
	if testing.Short() {
		calls = 100
	}
	s := bustest.Run(t)
	js := s.Provisioned(1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var workers sync.WaitGroup
	var stops, fenced atomic.Int64
	for w := range 3 {
		mine := partition(s.JetStream(fmt.Sprint("worker", w)))
		workers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 7))
			for ctx.Err() == nil {
				term, end := context.WithCancelCause(ctx)
				mine.Observe = &counter{left: calls/25 + rnd.IntN(calls/5), stop: func() { end(errStopped) }}
				err := mine.Run(term)
				end(nil)
				switch {
				case errors.Is(err, bus.ErrFenced):
					fenced.Add(1)
				case errors.Is(err, errStopped):
					stops.Add(1)
				}
			}
		})
	}
	if err := feed(ctx, js, morning(5, calls)); err != nil {
		t.Fatal(err)
	}
	// The clock of the fold is the server's: past every limit, three heartbeats
	// fire what is left.
	<-time.After(quick.Talk + quick.Memory)
	if err := feed(ctx, js, morning(6, 0)); err != nil {
		t.Fatal(err)
	}
	want := reference(t, js)
	bustest.Eventually(t, "the log to be as long as the reference", func() bool { return logged(t, js) >= len(want) })
	stop()
	workers.Wait()
	got := bustest.Messages(t, js, topology.CallLog(0), topology.CallLogPrefix(0)+".ev.>")
	for i, m := range got {
		if i >= len(want) || string(m.Data) != want[i] {
			t.Fatalf("output %d of %d differs from the reference (%d)", i, len(got), len(want))
		}
	}
	if len(got) != len(want) || len(want) < calls*3/2 {
		t.Fatalf("%d outputs, the reference has %d", len(got), len(want))
	}
	t.Logf("%d outputs, %d stops, %d refusals", len(got), stops.Load(), fenced.Load())
	if stops.Load() < 5 || fenced.Load() == 0 {
		t.Fatal("the workers hardly met: the test proves nothing")
	}
}

func logged(t *testing.T, js jetstream.JetStream) (n int) {
	t.Helper()
	log, err := js.Stream(t.Context(), topology.CallLog(0))
	if err != nil {
		t.Fatal(err)
	}
	info, err := log.Info(t.Context(), jetstream.WithSubjectFilter(topology.CallLogPrefix(0)+".ev.>"))
	if err != nil {
		t.Fatal(err)
	}
	for _, count := range info.State.Subjects {
		n += int(count)
	}
	return n
}

// A raw stream that was made anew is refused, whether it is still shorter than
// the old one or has outgrown it: its events would be taken for folded.
func TestPartitionRefusesARecreatedStream(t *testing.T) {
	for name, calls := range map[string]int{"shorter": 10, "longer": 150} {
		t.Run(name, func(t *testing.T) {
			s := bustest.Run(t)
			js := s.Provisioned(1)
			if err := feed(t.Context(), js, morning(5, 60)); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancelCause(t.Context())
			p := partition(js)
			p.Observe = &counter{left: 60, stop: func() { stop(errStopped) }}
			if err := p.Run(ctx); !errors.Is(err, errStopped) {
				t.Fatal(err)
			}
			had := logged(t, js)
			if err := js.DeleteStream(t.Context(), topology.RTE); err != nil {
				t.Fatal(err)
			}
			if err := bus.Create(t.Context(), js, topology.Layout{Partitions: 1, Replicas: 1}); err != nil {
				t.Fatal(err)
			}
			if err := feed(t.Context(), js, morning(77, calls)); err != nil {
				t.Fatal(err)
			}
			limited, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := partition(js).Run(limited); !errors.Is(err, ErrRecreated) {
				t.Fatalf("got %v", err)
			}
			if now := logged(t, js); now != had {
				t.Fatalf("%d events were appended all the same", now-had)
			}
		})
	}
}

// The landmarks hold across restarts of an honest stream.
func TestPartitionGoesOnWithTheSameStream(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	if err := feed(t.Context(), js, morning(5, 100)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		ctx, stop := context.WithCancelCause(t.Context())
		p := partition(js)
		p.Observe = &counter{left: 7, stop: func() { stop(errStopped) }}
		limit := time.AfterFunc(time.Second, func() { stop(errStopped) }) // the stream may have no more
		if err := p.Run(ctx); !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		limit.Stop()
	}
	want := reference(t, js)
	for i, m := range bustest.Messages(t, js, topology.CallLog(0), topology.CallLogPrefix(0)+".ev.>") {
		if string(m.Data) != want[i] {
			t.Fatalf("output %d differs", i)
		}
	}
}

// A snapshot of another version, as after an upgrade and after going back, is
// passed over: the log goes on as if it had been folded from the start.
func TestPartitionFoldsAnewBehindASnapshotOfAnotherVersion(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	if err := feed(t.Context(), js, morning(5, 100)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	p := partition(js)
	p.Observe = &counter{left: 60, stop: func() { stop(errStopped) }}
	if err := p.Run(ctx); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	log, err := bus.OpenLog(t.Context(), js, topology.CallLog(0), topology.CallLogPrefix(0))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	tail, _ := log.Tail()
	err = log.SaveSnapshot(bus.Position{In: tail.In, At: tail.At}, fmt.Appendf(nil, `{"version":%d,"last":{"seq":%d},"calls":"none"}`, snapshotVersion+1, tail.In))
	if err == nil {
		err = log.Flush(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	p = partition(js)
	p.Log = slog.New(slog.NewTextHandler(&told, nil))
	want := reference(t, js)
	ctx, stop = context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	bustest.Eventually(t, "the whole log", func() bool { return logged(t, js) >= len(want) })
	stop(errStopped)
	if err := <-ended; !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	if !strings.Contains(told.String(), "snapshot is of another version") {
		t.Errorf("not told: %s", told.String())
	}
	got := bustest.Messages(t, js, topology.CallLog(0), topology.CallLogPrefix(0)+".ev.>")
	if len(got) != len(want) {
		t.Fatalf("%d outputs, the reference has %d", len(got), len(want))
	}
	for i, m := range got {
		if string(m.Data) != want[i] {
			t.Fatalf("output %d differs", i)
		}
	}
}
