package app

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/telemetry"
	"ringstream/transform/internal/fold"
)

// replica works on those partitions that rendezvous hashing gives it among the
// replicas alive, each under a lease of its own.
type replica struct {
	js       jetstream.JetStream
	leases   *bus.Leases
	settings Settings
	restart  *restarts
	merge    *merging
	log      *slog.Logger
	seen     *observer
	name     string
}

// run works until ctx ends or a partition cannot go on.
func (r replica) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.restart, r.merge = newRestarts(), newMerging(r.js, r.log, r.seen)
	var working sync.WaitGroup
	defer working.Wait()
	mine := map[int]context.CancelFunc{}
	working.Go(func() { r.look(ctx) })
	working.Go(func() { r.merge.run(ctx) })
	r.seen.duties.Undone(membership, "not among the replicas yet")
	err := r.leases.Join(ctx, Name, r.name, r.settings.LeaseTTL, func(members []string) {
		r.log.Info("replicas changed", "members", len(members))
		r.seen.duties.Done(membership)
		for p := range r.settings.Partitions {
			stop, busy := mine[p]
			switch owner := bus.Owner(strconv.Itoa(p), members); {
			case owner == r.name && !busy:
				work, end := context.WithCancel(ctx)
				mine[p] = end
				r.seen.assigned(p, true)
				working.Go(func() { r.partition(work, cancel, p) })
			case owner != r.name && busy:
				stop()
				delete(mine, p)
				r.seen.assigned(p, false)
			}
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// membership is the duty of being one of the replicas.
const membership = "membership"

// partition holds the lease and folds, again after every interruption, until
// ctx ends.
func (r replica) partition(ctx context.Context, fail context.CancelCauseFunc, p int) {
	log := r.log.With(telemetry.Partition, p)
	f := fold.Partition{JS: r.js, Number: p, Limits: r.settings.Limits, Log: log, Observe: r.seen}
	for ctx.Err() == nil {
		err := r.leases.Hold(ctx, Name+"."+lease(p), r.name, r.settings.LeaseTTL, func(held context.Context) error {
			r.seen.held(p, true)
			defer r.seen.held(p, false)
			r.merge.hold(p, true)
			defer r.merge.hold(p, false)
			return r.terms(held, f, log)
		})
		if errors.Is(err, fold.ErrRecreated) {
			fail(err)
			return
		}
		if ctx.Err() == nil {
			r.seen.interrupted(p, err)
			log.Warn("lease lost; taking it again when it is free", telemetry.Error, err)
			pause(ctx, firstRest) // a server that refuses at once is not asked all the time
		}
	}
}

// How long a fold that fails rests, and how long one has to go on for the next
// rest to be short again.
const (
	firstRest   = 100 * time.Millisecond
	longestRest = 5 * time.Second
	steady      = 10 * time.Second
)

// terms folds under the lease; a log that was lost is opened anew.
func (r replica) terms(ctx context.Context, f fold.Partition, log *slog.Logger) error {
	rest := &backoff.ExponentialBackOff{InitialInterval: firstRest, Multiplier: 2, MaxInterval: longestRest, RandomizationFactor: 0.2}
	rest.Reset()
	for {
		begun := time.Now()
		err := r.restart.run(ctx, f.Run)
		r.seen.refused(f.Number, err)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fold.ErrRecreated):
			return err
		case time.Since(begun) > steady:
			rest.Reset()
		}
		r.seen.interrupted(f.Number, err)
		log.Warn("fold interrupted; starting over from the snapshot", telemetry.Error, err)
		pause(ctx, rest.NextBackOff())
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
