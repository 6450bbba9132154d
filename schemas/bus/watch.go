package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/probe"
)

// Standing is what a process knows of the streams and buckets that it uses, for
// its metrics.
type Standing struct {
	mu     sync.Mutex
	differ bool
	silent time.Time // zero: the last look was answered
}

// NewStanding returns that of a process that has asked for nothing yet.
func NewStanding() *Standing { return &Standing{silent: time.Now()} }

// Differ reports whether something was missing or not as the contract says when
// that was looked at last.
func (s *Standing) Differ() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.differ
}

// Unanswered is for how long no look has been answered: there is no connection,
// or no leader and so no majority.
func (s *Standing) Unanswered() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent.IsZero() {
		return 0
	}
	return time.Since(s.silent)
}

// saw takes in what a look began then has found.
func (s *Standing) saw(begun time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil, errors.Is(err, ErrMissing), errors.Is(err, ErrDiffers):
		s.differ, s.silent = err != nil, time.Time{}
	case s.silent.IsZero():
		s.silent = begun
	}
}

// watchInterval is how often a running service looks whether its streams are
// still there.
const watchInterval = 10 * time.Second

// longestSilence is how long NATS may leave looks unanswered: longer than a
// majority of the servers takes to choose a leader.
const longestSilence = 20 * time.Second

// Watch states on the board whether the streams and buckets that a service uses
// are as the contract says, again and again until ctx ends: without them it
// would look healthy and do nothing. Prepare has found them so before. A server that does not answer tells nothing
// about them, until that has gone on for too long. In create mode a missing bucket is created again, for it holds
// nothing that time does not bring back; a missing stream is not.
func Watch(ctx context.Context, js jetstream.JetStream, cfg Config, uses []string, board *probe.Board, seen *Standing) {
	var found atomic.Pointer[probe.Result]
	found.Store(&probe.Result{OK: true, Detail: asContract})
	seen.saw(time.Now(), nil)
	board.Func("streams", func() probe.Result {
		if silent := seen.Unanswered(); silent > longestSilence {
			return probe.Result{Detail: fmt.Sprintf("NATS has given no answer about them for %s (limit %s)", silent.Round(time.Second), longestSilence)}
		}
		return *found.Load()
	})
	for pause(ctx, watchInterval) {
		begun := time.Now()
		err := Verify(ctx, js, cfg.Layout(), uses...)
		if ctx.Err() != nil {
			return
		}
		seen.saw(begun, err)
		if errors.Is(err, ErrMissing) && cfg.Provision == ProvisionCreate {
			_ = createBuckets(ctx, js, cfg.Layout()) // the next round tells
		}
		switch {
		case err == nil:
			found.Store(&probe.Result{OK: true, Detail: asContract})
		case errors.Is(err, ErrMissing), errors.Is(err, ErrDiffers):
			found.Store(&probe.Result{Detail: err.Error()})
		}
	}
}
