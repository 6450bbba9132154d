package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

const (
	logStream = "CALL_LOG_0"
	logPrefix = "calllog.0"
)

func open(t *testing.T, js jetstream.JetStream) *bus.Log {
	t.Helper()
	l, err := bus.OpenLog(t.Context(), js, logStream, logPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func put(l *bus.Log, in uint64, idx int) error {
	return l.Append(topology.CallEvent(0, "", "incoming", ""), nil, fmt.Appendf(nil, "%d/%d", in, idx), bus.Position{In: in, Idx: idx})
}

func TestLogAppendsInOrderAndKnowsItsTail(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	l := open(t, js)
	if _, ok := l.Tail(); ok || l.Holds(bus.Position{In: 1}) {
		t.Fatal("an empty log has a tail")
	}
	for in := uint64(1); in <= 1000; in++ {
		if err := errors.Join(put(l, in, 0), put(l, in, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, js)
	if tail, ok := again.Tail(); !ok || tail != (bus.Position{In: 1000, Idx: 1}) {
		t.Fatalf("tail is %v %v", tail, ok)
	}
	if !again.Holds(bus.Position{In: 999, Idx: 7}) || !again.Holds(bus.Position{In: 1000, Idx: 1}) || again.Holds(bus.Position{In: 1000, Idx: 2}) {
		t.Fatal("Holds does not follow the tail")
	}
	for i, m := range bustest.Messages(t, js, logStream) {
		if want := fmt.Sprintf("%d/%d", i/2+1, i%2); string(m.Data) != want {
			t.Fatalf("message %d is %s, want %s", i, m.Data, want)
		}
	}
}

func TestSerialLogTakesNothingBehindARefusal(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	first := open(t, js)
	second, err := bus.OpenSerialLog(t.Context(), js, logStream, logPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := errors.Join(put(first, 1, 0), first.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := put(second, 1, 0); !errors.Is(err, bus.ErrFenced) {
		t.Fatalf("the second writer got %v", err)
	}
	if err := put(second, 2, 0); !errors.Is(err, bus.ErrFenced) {
		t.Fatalf("a lost log took another message: %v", err)
	}
	if n := len(bustest.Messages(t, js, logStream)); n != 1 {
		t.Fatalf("%d messages in the log", n)
	}
}

// Several writers fold the same inputs with no lease between them, each
// starting over when it is refused. The log must come out as if one had run.
func TestCompetingWritersMakeOneLog(t *testing.T) {
	const inputs, writers = 3000, 4
	s := bustest.Run(t)
	s.Provisioned(1)
	var fenced atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		js := s.JetStream("writer" + strconv.Itoa(w))
		wg.Go(func() {
			for {
				err := foldOnce(t.Context(), js, inputs)
				if err == nil {
					return
				}
				if !errors.Is(err, bus.ErrFenced) {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				fenced.Add(1)
			}
		})
	}
	wg.Wait()
	want := 0
	messages := bustest.Messages(t, s.JetStream("reader"), logStream, logPrefix+".ev.>")
	for in := 1; in <= inputs; in++ {
		for idx := range in % 3 {
			if got := string(messages[want].Data); got != fmt.Sprintf("%d/%d", in, idx) {
				t.Fatalf("message %d is %s, want %d/%d", want, got, in, idx)
			}
			want++
		}
	}
	if len(messages) != want {
		t.Fatalf("%d messages, want %d", len(messages), want)
	}
	if fenced.Load() == 0 {
		t.Fatal("the writers never met: the test proves nothing")
	}
}

// A writer that starts from a snapshot newer than the tail that it read would
// leave out everything between.
func TestSnapshotBehindTheTailIsRefused(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	late, quick := open(t, js), open(t, js)
	if err := errors.Join(put(quick, 1, 0), quick.SaveSnapshot(bus.Position{In: 1}, []byte("state")), quick.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := late.Snapshot(t.Context()); !errors.Is(err, bus.ErrFenced) {
		t.Fatalf("got %v", err)
	}
}

// bigState makes every other snapshot one of several parts.
func bigState(in uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "state %d ", in), 1+int(in/100%2)*100_000)
}

func foldOnce(ctx context.Context, js jetstream.JetStream, inputs int) error {
	l, err := bus.OpenLog(ctx, js, logStream, logPrefix)
	if err != nil {
		return err
	}
	defer l.Close()
	snap, _, err := l.Snapshot(ctx)
	if err != nil {
		return err
	}
	for in := snap.In + 1; in <= uint64(inputs); in++ {
		for idx := range int(in % 3) {
			if l.Holds(bus.Position{In: in, Idx: idx}) {
				continue
			}
			if err := put(l, in, idx); err != nil {
				return err
			}
		}
		if in%100 == 0 {
			if err := l.SaveSnapshot(bus.Position{In: in}, bigState(in)); err != nil {
				return err
			}
		}
	}
	return l.Flush(ctx)
}

func TestSnapshotsOfEverySizeReplaceEachOther(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	l := open(t, js)
	for i, size := range []int{0, 10, 600 << 10, 3 << 20, 1 << 20, 5} {
		data := bytes.Repeat([]byte{byte('a' + i)}, size)
		in := uint64(i + 1)
		if err := errors.Join(l.SaveSnapshot(bus.Position{In: in}, data), l.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		got, ok, err := open(t, js).Snapshot(t.Context())
		if err != nil || !ok || got.In != in || !bytes.Equal(got.Data, data) {
			t.Fatalf("size %d: read in=%d ok=%v size=%d err=%v", size, got.In, ok, len(got.Data), err)
		}
	}
	heads := bustest.Messages(t, js, logStream, logPrefix+".snap")
	if len(heads) != 1 {
		t.Fatalf("%d snapshot heads are kept", len(heads))
	}
}

func TestUnfinishedSnapshotLeavesTheOneBefore(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	l := open(t, js)
	old := bytes.Repeat([]byte("o"), 2<<20)
	if err := errors.Join(l.SaveSnapshot(bus.Position{In: 1}, old), l.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	// What a writer that dies after the first part of the next one leaves.
	part := &nats.Msg{Subject: logPrefix + ".snap.1.0", Data: []byte("new"), Header: nats.Header{
		"Nats-Rollup": {"sub"}, bus.HeaderIn: {"2"}, bus.HeaderIdx: {"1"},
	}}
	if _, err := js.PublishMsg(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	again := open(t, js)
	got, ok, err := again.Snapshot(t.Context())
	if err != nil || !ok || got.In != 1 || !bytes.Equal(got.Data, old) {
		t.Fatalf("read in=%d ok=%v size=%d err=%v", got.In, ok, len(got.Data), err)
	}
	if err := errors.Join(again.SaveSnapshot(bus.Position{In: 3}, bytes.Repeat([]byte("n"), 2<<20)), again.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got, ok, _ := open(t, js).Snapshot(t.Context()); !ok || got.In != 3 {
		t.Fatalf("after the repair: in=%d ok=%v", got.In, ok)
	}
}

// The newest whole snapshot is never written over, whatever a writer has passed
// on its way: here a mark that the log holds already.
func TestHeldSnapshotDoesNotMoveTheSlot(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	big := bytes.Repeat([]byte("s"), 600<<10)
	l := open(t, js)
	if err := errors.Join(l.SaveSnapshot(bus.Position{In: 1}, big), l.SaveSnapshot(bus.Position{In: 2}, big), l.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	again := open(t, js)
	if _, ok, err := again.Snapshot(t.Context()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if !again.Saved(1) || again.Saved(2) {
		t.Error("Saved does not follow the tail")
	}
	if err := errors.Join(again.SaveSnapshot(bus.Position{In: 2}, big), again.SaveSnapshot(bus.Position{In: 3}, []byte("small")), again.SaveSnapshot(bus.Position{In: 4}, big), again.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), logStream)
	if err != nil {
		t.Fatal(err)
	}
	for in, part := range map[string]string{"2": ".snap.1.0", "4": ".snap.0.0"} {
		m, err := stream.GetLastMsgForSubject(t.Context(), logPrefix+part)
		if err != nil || m.Header.Get(bus.HeaderIn) != in {
			t.Errorf("%s: %v %v", part, m, err)
		}
	}
}

// A flush that meets a loss ends, whichever of the two comes first.
func TestFlushEndsWhenTheLogIsLost(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	for range 20 {
		winner, loser := open(t, js), open(t, js)
		tail, _ := winner.Tail()
		for i := range uint64(200) {
			_ = put(loser, tail.In+i+2, 1) // refused from the second on
			_ = put(winner, tail.In+i+1, 0)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_ = winner.Flush(ctx)
		if err := loser.Flush(ctx); errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("the flush hangs")
		}
		cancel()
		winner.Close()
		loser.Close()
	}
}

func TestLogSaysWhyWhenTheServerGoes(t *testing.T) {
	s := bustest.Run(t)
	l := open(t, s.Provisioned(1))
	if err := errors.Join(put(l, 1, 0), l.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	for in := uint64(2); put(l, in, 0) == nil; in++ {
	}
	<-l.Lost()
	if l.Err() == nil {
		t.Fatal("a lost log has no error")
	}
	s.Start()
}

// What somebody else published at the end of a log takes a place and no more.
func TestLogPassesOverForeignMessages(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	l := open(t, js)
	err := errors.Join(put(l, 1, 0), put(l, 2, 0), l.SaveSnapshot(bus.Position{In: 2}, []byte("state")), put(l, 3, 0), l.Flush(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	subject := topology.CallEvent(0, "", "incoming", "")
	for _, h := range []nats.Header{nil, {bus.HeaderIn: {"2"}, bus.HeaderIdx: {"0"}, jetstream.ExpectedLastSeqHeader: {"4"}}} {
		if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: h, Data: []byte("by hand")}); h == nil && err != nil {
			t.Fatal(err)
		}
	}
	copied, err := js.Stream(t.Context(), logStream)
	if err != nil {
		t.Fatal(err)
	}
	m, err := copied.GetMsg(t.Context(), 2)
	if err == nil {
		m.Header.Del(jetstream.ExpectedLastSeqHeader) // the server would refuse it
		_, err = js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Header: m.Header, Data: m.Data})
	}
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, js)
	if tail, ok := again.Tail(); !ok || tail != (bus.Position{In: 3}) {
		t.Fatalf("tail is %v %v", tail, ok)
	}
	if got := again.Foreign(); !slices.Equal(got, []uint64{6, 5}) {
		t.Fatalf("foreign messages: %v", got)
	}
	if s, ok, err := again.Snapshot(t.Context()); err != nil || !ok || s.In != 2 {
		t.Fatalf("snapshot of %d: %v %v", s.In, ok, err)
	}
	if err := errors.Join(put(again, 4, 0), again.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if tail, _ := open(t, js).Tail(); tail != (bus.Position{In: 4}) {
		t.Fatalf("tail is then %v", tail)
	}
}

func TestForeignSnapshotIsNone(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	l := open(t, js)
	if err := errors.Join(put(l, 1, 0), l.SaveSnapshot(bus.Position{In: 1}, []byte("state")), l.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), logPrefix+".snap", []byte("by hand")); err != nil {
		t.Fatal(err)
	}
	again := open(t, js)
	if _, ok, err := again.Snapshot(t.Context()); err != nil || ok {
		t.Fatalf("got %v %v", ok, err)
	}
}

func TestLogFullOfForeignMessagesNamesTheCure(t *testing.T) {
	js := bustest.Run(t).Provisioned(1)
	for range 1100 {
		if _, err := js.PublishAsync(topology.CallEvent(0, "", "incoming", ""), nil); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	_, err := bus.OpenLog(t.Context(), js, logStream, logPrefix)
	if err == nil || !strings.Contains(err.Error(), "nats stream rmm "+logStream) {
		t.Fatalf("got %v", err)
	}
}
