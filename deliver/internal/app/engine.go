package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// notifier is Reapit.
type notifier interface {
	Notify(ctx context.Context, n reapit.Notification, traceparent string) reapit.Result
	RefreshToken(customer string)
}

// mapper knows who is who.
type mapper interface {
	Wait(ctx context.Context) error
	Organization(id string) directory.Organization
	Lead(on bool)
}

// engine delivers, one term after the other: whenever the log, the lease or
// the stream fails, it drops everything and starts over from the log.
type engine struct {
	js        jetstream.JetStream
	leases    *bus.Leases
	reapit    notifier
	directory mapper
	budget    *budget
	deadlines schedule.Deadlines
	slots     int
	group     bool
	format    string
	shadow    bool
	ttl       time.Duration
	drain     time.Duration // how long the requests under way are waited for at the end
	instance  string
	seen      *observer
	log       *slog.Logger
	now       func() time.Time
	vacant    vacancy // as seen last
}

const leaseKey = "deliver"

// restart is the pause between two terms of one replica.
const restart = 250 * time.Millisecond

// run works until stop ends, and then finishes in order; the end of life
// breaks off. Only one replica at a time has the lease and works.
func (e *engine) run(stop, life context.Context) {
	for stop.Err() == nil && life.Err() == nil {
		err := e.candidate(stop, life)
		e.seen.role(standby)
		if stop.Err() != nil || life.Err() != nil {
			return
		}
		e.seen.ended(err)
		e.log.Warn("term ended; starting over from the log", "error", bus.Offline(err))
		pause(stop, restart)
	}
}

// candidate waits for negotiators and the lease and works one term. A replica
// that knows nobody's negotiators does not lead; the events of customers whose
// list is not there wait in the schedule.
func (e *engine) candidate(stop, life context.Context) error {
	waiting, cancel := context.WithCancel(life)
	defer cancel()
	// What waits is given up at once; what works drains under the lease.
	working := make(chan struct{})
	defer context.AfterFunc(stop, func() {
		select {
		case <-working:
		default:
			cancel()
		}
	})()
	if err := e.prepare(waiting); err != nil {
		return err
	}
	// A lease that is not to be had for so long is renewed by somebody who delivers.
	other := time.AfterFunc(2*e.ttl, e.seen.done)
	defer other.Stop()
	return e.leases.Hold(waiting, leaseKey, e.instance, e.ttl, func(held context.Context) error {
		other.Stop()
		close(working)
		e.seen.role(leading)
		e.log.Info("delivering")
		if e.shadow {
			e.log.Warn("nothing is sent to Reapit (DELIVER_SHADOW), and nothing by other replicas while this one has the lease")
		}
		return e.reign(stop, held)
	})
}

// reign works under one lease. A foreign message in the log ends a term and no
// reign: nobody else delivers, so what Reapit has answered still holds.
func (e *engine) reign(stop, held context.Context) error {
	if err := e.succeed(held); err != nil {
		return err
	}
	e.budget.slots.lead(held)
	defer e.budget.slots.follow()
	defer e.reads(held)()
	var answered []schedule.Record
	for {
		var err error
		answered, err = e.term(stop, held, answered)
		if !errors.Is(err, bus.ErrFenced) || !bus.Held(held) || stop.Err() != nil {
			return err
		}
		e.seen.ended(err)
		e.log.Warn("somebody else wrote into the log; starting over from it", "error", err, "answered_meanwhile", len(answered))
		pause(held, restart)
	}
}

// readLater is for how long, after somebody was killed, the negotiators wait for the
// first notification: a reading that hangs must not have the only slot.
const readLater = 5 * time.Second

// reads has the negotiators read while this replica leads, until rest is called.
func (e *engine) reads(held context.Context) (rest func()) {
	ctx, cancel := context.WithCancel(held)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if e.budget.slots.proven(ctx, readLater) {
			e.directory.Lead(true)
		}
	})
	return func() {
		cancel()
		waiting.Wait()
		e.directory.Lead(false)
	}
}

// succeed has the budget count what the one before may have just made: one that
// is stopped in order gives the lease away at once. It tells of it, and of what it
// leaves behind, in its last snapshot; until that is read, and after one that was
// killed, it may be all.
func (e *engine) succeed(ctx context.Context) error {
	log, err := e.js.Stream(ctx, topology.Deliveries)
	if err != nil {
		return fmt.Errorf("read the state of the log: %w", err)
	}
	e.budget.succeed(log.CachedInfo().State.LastTime)
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
