package app

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

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
	log      *slog.Logger
	seen     *observer
	name     string
}

// run works until ctx ends or a partition cannot go on.
func (r replica) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var working sync.WaitGroup
	defer working.Wait()
	mine := map[int]context.CancelFunc{}
	err := r.leases.Join(ctx, Name, r.name, r.settings.LeaseTTL, func(members []string) {
		r.log.Info("replicas changed", "members", len(members))
		for p := range r.settings.Partitions {
			stop, busy := mine[p]
			switch owner := bus.Owner(strconv.Itoa(p), members); {
			case owner == r.name && !busy:
				work, end := context.WithCancel(ctx)
				mine[p] = end
				working.Go(func() { r.partition(work, cancel, p) })
			case owner != r.name && busy:
				stop()
				delete(mine, p)
			}
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// partition holds the lease and folds, again after every interruption, until
// ctx ends.
func (r replica) partition(ctx context.Context, fail context.CancelCauseFunc, p int) {
	log := r.log.With(telemetry.Partition, p)
	f := fold.Partition{JS: r.js, Number: p, Limits: r.settings.Limits, Log: log, Observe: r.seen}
	for ctx.Err() == nil {
		err := r.leases.Hold(ctx, Name+".partition."+strconv.Itoa(p), r.name, r.settings.LeaseTTL, func(held context.Context) error {
			r.seen.held(p, true)
			defer r.seen.held(p, false)
			return r.terms(held, f, log)
		})
		if errors.Is(err, fold.ErrRecreated) {
			fail(err)
			return
		}
		if ctx.Err() == nil {
			log.Warn("lease lost; taking it again when it is free", telemetry.Error, err)
		}
	}
}

// terms folds under the lease; a log that was lost is opened anew.
func (r replica) terms(ctx context.Context, f fold.Partition, log *slog.Logger) error {
	for {
		err := f.Run(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fold.ErrRecreated):
			return err
		case errors.Is(err, bus.ErrFenced):
			r.seen.fenced(f.Number)
		}
		log.Warn("fold interrupted; starting over from the snapshot", telemetry.Error, err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(restPause):
		}
	}
}

// restPause keeps a fold that fails at once from spinning.
const restPause = 100 * time.Millisecond
