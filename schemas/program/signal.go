package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// grace is what a program that honours SHUTDOWN_TIMEOUT to the second is
// allowed on top, before it is called stuck.
const grace = 2 * time.Second

// A second signal that comes this soon is the same request: a terminal and a
// parent that passes it on both send one.
const sameSignal = time.Second

func (c *call[T]) drainLimit() time.Duration {
	if s, ok := any(c.settings).(interface{ common() Common }); ok {
		return s.common().ShutdownTimeout + grace
	}
	return 20*time.Second + grace
}

func underSignals(log *slog.Logger, limit time.Duration, work func(context.Context) error) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	return until(signals, log, limit, work)
}

// until runs work and cancels it at the first signal. It leaves work behind at
// the second signal and after the limit.
func until(signals <-chan os.Signal, log *slog.Logger, limit time.Duration, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()

	var late <-chan time.Time
	var first time.Time
	for {
		select {
		case err := <-done:
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case s := <-signals:
			if ctx.Err() != nil && time.Since(first) < sameSignal {
				continue
			}
			if ctx.Err() != nil {
				return fmt.Errorf("stopped at once by a second signal (%s)", s)
			}
			log.Info("stopping", "signal", s.String())
			cancel()
			first = time.Now()
			late = time.After(limit)
		case <-late:
			return fmt.Errorf("still busy %s after the signal: SHUTDOWN_TIMEOUT has passed", limit)
		}
	}
}
