package app

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/ingest/internal/rtesim"
	"ringstream/ingest/internal/spool"
	"ringstream/schemas/bustest"
)

// A spool that cannot be read any more must be opened anew: the process ends and
// says why, also while the reader waits for room.
func TestSpoolThatCannotBeReadEndsTheProcess(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	settings := r.settings("a")
	settings.SpoolMaxBytes = 1 << 20
	overfill(t, settings.SpoolDir)
	r.nats.Stop()
	p := r.start(settings, fast())
	r.connected()
	bustest.Eventually(t, "subscribed", func() bool { return p.metric(`ringstream_ingest_subscriptions{state="held"}`) != "0" })
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = r.sim.Send(t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: 6000, Calls: 60})
	}()
	bustest.Eventually(t, "no room", func() bool { return p.metric("ringstream_ingest_unsafe_messages") == "4096" })
	paths, err := filepath.Glob(filepath.Join(settings.SpoolDir, "*.spool"))
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		t.Fatal(err)
	}
	r.nats.Start()
	select {
	case err := <-p.ended:
		if p.ended <- err; !errors.Is(err, os.ErrNotExist) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("still running")
	}
	<-sent
}

// overfill leaves more in a spool than it may have from now on.
func overfill(t *testing.T, dir string) {
	t.Helper()
	queue, _, err := spool.Open(dir, 4<<20, spool.Codec[[]byte]{
		Append: func(dst, b []byte) []byte { return append(dst, b...) }, Read: bytes.Clone,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := queue.Push(t.Context(), make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if lost, err := queue.Close(); err != nil || lost > 0 {
		t.Fatal(lost, err)
	}
}

// Who reads the log is told that what is heard is in memory only, and when it is not any more.
func TestSpoolThatTakesNothingIsLogged(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	var said lines
	r.log = slog.New(slog.NewTextHandler(&said, nil))
	settings := r.settings("a")
	settings.SpoolMaxBytes = 1 << 20
	overfill(t, settings.SpoolDir)
	r.nats.Stop()
	r.start(settings, fast())
	r.connected()
	if _, err := r.sim.Send(t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: 1}); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "an error", func() bool {
		return strings.Contains(said.String(), `level=ERROR msg="what is heard cannot be kept on disk`)
	})
	r.nats.Start()
	bustest.Eventually(t, "the all-clear", func() bool {
		return strings.Contains(said.String(), `level=INFO msg="what is heard is kept on disk again"`)
	})
	if n := strings.Count(said.String(), "cannot be kept on disk"); n != 1 {
		t.Errorf("told %d times", n)
	}
}
