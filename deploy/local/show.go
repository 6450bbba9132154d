package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// hold is how long entries wait for what happened before them and is read later.
	hold = 200 * time.Millisecond
	tick = 50 * time.Millisecond
	// patience is how long the last notification of a sample may take.
	patience = 20 * time.Second
	// breath is between one sample and the next.
	breath = time.Second
)

var (
	// errDone ends a run that was to play once.
	errDone = errors.New("played once")
	// errStopped says that somebody stopped the run.
	errStopped = errors.New("stopped before every sample call was played")
)

// show plays and prints until ctx ends, something fails, or everything was played once.
func (d *demo) show(stop context.Context) error {
	ctx, cancel := context.WithCancelCause(stop)
	defer cancel(nil)
	seen, known := make(chan entry, 256), &tally{}
	screen := &screen{out: d.out, lines: newTimeline(d.paint)}
	w := newWriter(d.config.options.RealEnreach)
	readers, err := watch(ctx, cancel, d.stack, w, known, seen)
	if err != nil {
		return err
	}
	go d.guard(ctx, cancel)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		screen.run(seen)
	}()
	say := func(format string, args ...any) {
		seen <- entry{at: time.Now(), stage: stageNote, about: fmt.Sprintf(format, args...)}
	}
	p := &player{config: d.config, rteSim: d.stack.RTESim(), tally: known, say: say, paint: d.paint}
	cancel(p.run(ctx))
	readers()
	close(seen)
	<-shown
	if stop.Err() != nil {
		return errStopped
	}
	if cause := context.Cause(ctx); !errors.Is(cause, errDone) {
		return fmt.Errorf("the run ends: %w", cause)
	}
	return p.summary(d.out, screen.lines.took)
}

// guard ends the run when a process ends by itself.
func (d *demo) guard(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case err := <-d.stack.Failed():
		cancel(err)
	case <-ctx.Done():
	}
}
