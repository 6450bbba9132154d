package program

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// endLimit is what ends that may hang are given, such as those of probes and of
// traces: two of them are within the grace.
const endLimit = grace/2 - 100*time.Millisecond

// Cleanups are run backwards; each is named, so that an error says whose it is.
type Cleanups struct{ all []cleanup }

type cleanup struct {
	name string
	run  func() error
}

// Add takes the clean-up of what was just acquired.
func (c *Cleanups) Add(name string, run func() error) {
	c.all = append(c.all, cleanup{name, run})
}

// Run joins what goes wrong to err.
func (c *Cleanups) Run(err *error) {
	for i := len(c.all) - 1; i >= 0; i-- {
		if e := c.all[i].run(); e != nil {
			*err = errors.Join(*err, fmt.Errorf("%s: %w", c.all[i].name, e))
		}
	}
}

// Background runs work until the returned function is called, which waits for it.
func Background(work func(context.Context)) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	return func() error {
		cancel()
		running.Wait()
		return nil
	}
}

// Bounded gives an end that may hang a limit within the grace.
func Bounded(end func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), endLimit)
		defer cancel()
		return end(ctx)
	}
}

// Lingering is a context that ends d after ctx has ended: the time to drain.
func Lingering(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-late.Done():
		}
	})
	return late, func() {
		stop()
		cancel()
	}
}

// Asked takes the end of ctx for no error: the process was asked to stop.
func Asked(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}
