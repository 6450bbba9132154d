package program

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		takes time.Duration // to drain
		err   error         // of the drain
		want  string
		after time.Duration
	}{
		"drained in time":     {5 * time.Second, nil, "", 5 * time.Second},
		"cancelled is clean":  {0, context.Canceled, "", 0},
		"a failed drain":      {time.Second, broken, "broken", time.Second},
		"outstays the limit":  {time.Hour, nil, "SHUTDOWN_TIMEOUT", 20 * time.Second},
		"just within a limit": {20*time.Second - 1, nil, "", 20*time.Second - 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 1)
				signals <- syscall.SIGTERM
				left := make(chan struct{}) // behind
				defer close(left)
				start := time.Now()
				err := until(signals, slog.New(slog.DiscardHandler), 20*time.Second, func(ctx context.Context) error {
					<-ctx.Done()
					select {
					case <-time.After(tc.takes):
					case <-left:
					}
					return tc.err
				})
				if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				if took := time.Since(start); took != tc.after {
					t.Errorf("took %s, want %s", took, tc.after)
				}
			})
		})
	}
}

func TestCancelledWithoutASignalIsAFailure(t *testing.T) {
	err := until(nil, slog.New(slog.DiscardHandler), time.Second, func(context.Context) error { return context.Canceled })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A second signal stops at once, unless it comes so soon that it is the first
// one told twice.
func TestSecondSignal(t *testing.T) {
	for name, tc := range map[string]struct {
		pause time.Duration
		want  string
	}{
		"told twice": {time.Millisecond, ""},
		"meant":      {2 * time.Second, "second signal (interrupt)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 1)
				signals <- syscall.SIGTERM
				left := make(chan struct{})
				defer close(left)
				err := until(signals, slog.New(slog.DiscardHandler), 20*time.Second, func(ctx context.Context) error {
					<-ctx.Done()
					time.AfterFunc(tc.pause, func() { signals <- syscall.SIGINT })
					select {
					case <-time.After(5 * time.Second):
					case <-left:
					}
					return nil
				})
				if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
			})
		})
	}
}
