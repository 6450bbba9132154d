package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/delivery"
	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// vacancy is what there was at a moment when nobody delivered: this replica had
// the lease and sent nothing. Every term stores a snapshot before it sends
// anything. So whoever finds the same snapshot to be the newest knows that nobody
// has sent since, and that what was stored in CALLS since is on no screen. No
// clock has a part in it.
type vacancy struct {
	known    bool
	made     time.Time // when CALLS was made
	snapshot uint64    // the newest in the log; 0: none
	last     uint64    // the newest call event
}

// bound is the newest call event that may have been sent before a term that
// finds this snapshot, and goal as the newest call event.
func (v vacancy) bound(made time.Time, snapshot, goal uint64) uint64 {
	if v.same(made, snapshot) {
		return min(goal, v.last)
	}
	return goal
}

func (v vacancy) same(made time.Time, snapshot uint64) bool {
	return v.known && v.made.Equal(made) && v.snapshot == snapshot
}

// renewed is the vacancy after another look: the earlier of two between which
// nobody has delivered says more.
func (v vacancy) renewed(now vacancy) vacancy {
	if v.same(now.made, now.snapshot) {
		return v
	}
	return now
}

// soon is how long kept negotiators are waited for before anybody looks around.
const soon = 100 * time.Millisecond

// patient is after what time somebody who has the lease does more than look around:
// who reads has it for no longer than one request may take.
const patient = delivery.GatewayLimit + 10*time.Second

// prepare waits for the negotiators. What cannot be delivered meanwhile is seen
// to, so that somebody hears of it and nothing of it is believed to be shown.
// Where nothing is kept, they are read while nobody delivers.
func (e *engine) prepare(ctx context.Context) error {
	early, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	if e.directory.Wait(early) == nil {
		return nil
	}
	looking, stop := context.WithCancel(ctx)
	var looks sync.WaitGroup
	looks.Go(func() { e.lookOut(looking) })
	defer looks.Wait()
	defer stop()
	return e.directory.Wait(ctx)
}

// lookOut looks now and then whether nobody delivers.
func (e *engine) lookOut(ctx context.Context) {
	for ctx.Err() == nil {
		// A lease that is not to be had for so long is renewed by somebody who delivers.
		other := time.AfterFunc(2*e.ttl, func() { e.seen.unread(0) })
		led := time.AfterFunc(max(patient, 2*e.ttl), func() { e.seen.led.Store(true) })
		err := e.look(ctx)
		other.Stop()
		led.Stop()
		if err != nil && ctx.Err() == nil {
			e.log.Warn("what waits cannot be looked at", "error", bus.Offline(err))
		}
		pause(ctx, e.ttl)
	}
}

// look takes the lease for a moment. That is what shows that nobody has it.
func (e *engine) look(ctx context.Context) error {
	return e.leases.Hold(ctx, leaseKey, e.instance, e.ttl, func(held context.Context) error {
		v, in, err := e.vacancy(held)
		if err != nil || !bus.Held(held) {
			return err
		}
		e.vacant = e.vacant.renewed(v)
		e.seen.led.Store(false)
		e.seen.unread(v.last - min(in, v.last))
		return e.inquire(held)
	})
}

// inquire has the negotiators be read, if they wait for it, until one customer's
// are there or nothing is asked any more.
func (e *engine) inquire(held context.Context) error {
	if err := e.succeed(held); err != nil {
		return err
	}
	e.budget.slots.lead(held)
	for asks := true; asks && held.Err() == nil; asks = e.budget.slots.busy() {
		early, cancel := context.WithTimeout(held, quiet)
		err := e.directory.Wait(early)
		cancel()
		if err == nil {
			break
		}
	}
	e.budget.slots.follow()
	late, cancel := context.WithTimeout(context.WithoutCancel(held), min(lastAnswer, e.ttl/3))
	defer cancel()
	e.budget.slots.idle(late)
	return nil
}

// quiet is how long nobody asks anything who has nothing to ask.
const quiet = 250 * time.Millisecond

// vacancy reads what there is, and up to where the log has taken call events in.
func (e *engine) vacancy(ctx context.Context) (v vacancy, in uint64, err error) {
	v.known = true
	if v.snapshot, in, err = e.newest(ctx); err != nil {
		return v, 0, err
	}
	s, err := e.js.Stream(ctx, topology.Calls)
	if err != nil {
		return v, 0, fmt.Errorf("look up stream %s: %w", topology.Calls, err)
	}
	v.made, v.last = s.CachedInfo().Created.UTC(), s.CachedInfo().State.LastSeq
	return v, in, nil
}

// newest is the place of the newest snapshot, and the call event it goes up to.
func (e *engine) newest(ctx context.Context) (snapshot, in uint64, err error) {
	s, err := e.js.Stream(ctx, topology.Deliveries)
	if err != nil {
		return 0, 0, fmt.Errorf("look up stream %s: %w", topology.Deliveries, err)
	}
	head, err := s.GetLastMsgForSubject(ctx, topology.DeliveryLogPrefix+".snap")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("find the newest snapshot: %w", err)
	}
	in, err = strconv.ParseUint(head.Header.Get(bus.HeaderIn), 10, 64)
	if err != nil {
		in = 0 // somebody else wrote it
	}
	return head.Sequence, in, nil
}
