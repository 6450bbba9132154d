package replay

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/fold"
)

// previous is a server with what an earlier build has written, c7df03d: calls in
// every state, and of each partition a log with a snapshot before its end. Of its
// streams nothing expires, so that they are there for ever.
func previous(t *testing.T) *office {
	dir := t.TempDir()
	unpack(t, "testdata/previous.tar.gz", dir)
	s := bustest.RunIn(t, dir)
	r := &rig{T: t, server: s, js: s.JetStream("test"), n: 100_000}
	return &office{rig: r, ended: map[string]bool{}, out: new(screen), errs: new(screen)}
}

func unpack(t *testing.T, file, dir string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for all := tar.NewReader(z); ; {
		h, err := all.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Clean("/"+h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(to, 0o700)
		} else {
			var b []byte
			if b, err = io.ReadAll(all); err == nil {
				err = os.WriteFile(to, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// startings notes where each partition went on.
type startings struct {
	unobserved
	mu   sync.Mutex
	from map[int]uint64
}

func (s *startings) Started(p int, from uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from[p] = from
}

// What an earlier build has written is gone on from: its snapshots are read, its
// call events are those that this build would tell, and what comes then is told
// once. If a snapshot or the call model is to change, this says what it costs.
func TestStreamsOfAnEarlierBuildAreGoneOnFrom(t *testing.T) {
	t.Parallel()
	o := previous(t)
	if out, errs, code := o.replay("diff"); code != Clean {
		t.Errorf("diff: exit %d, said %q\n%s", code, errs, out)
	}
	before := bustest.Messages(t, o.js, topology.Calls)
	ctx, stop := context.WithCancel(t.Context())
	seen := &startings{from: map[int]uint64{}}
	var running sync.WaitGroup
	for p := range partitions {
		part := fold.Partition{JS: o.server.JetStream("transform"), Number: p, Limits: quick, Log: slog.New(slog.DiscardHandler), Observe: seen}
		running.Go(func() { _ = part.Run(ctx) })
	}
	o.beat() // long after: every time limit is over
	o.heard(answered)
	o.await(len(o.told()))
	stop()
	running.Wait()
	for p := range partitions {
		if seen.from[p] < 2000 {
			t.Errorf("partition %d was folded from %d on: its snapshot was not read", p, seen.from[p])
		}
	}
	after := bustest.Messages(t, o.js, topology.Calls)
	if more := len(after) - len(before); more < 3+5 {
		t.Errorf("only %d call events came of it", more)
	}
	for i, m := range before {
		if string(m.Data) != string(after[i].Data) || m.Header.Get(bus.HeaderIn) != after[i].Header.Get(bus.HeaderIn) {
			t.Fatalf("event %d is another one now", i)
		}
	}
	if out, errs, code := o.replay("diff"); code != Clean {
		t.Errorf("diff: exit %d, said %q\n%s", code, errs, out)
	}
}

// So does replay watch.
func TestWatchReadsTheSnapshotsOfAnEarlierBuild(t *testing.T) {
	t.Parallel()
	o := previous(t)
	code := make(chan int, 1)
	go func() { code <- o.watch("--for", "4s") }()
	bustest.Eventually(t, "it watches from a snapshot", func() bool { return watchedFrom(o.errs.String()) > 2000 })
	o.beat()
	o.heard(answered)
	stop := o.rig.transform()
	o.await(len(o.told()))
	if c := <-code; c != Clean || o.out.String() != "" {
		t.Errorf("exit %d, found\n%s", c, o.out)
	}
	stop()
}
