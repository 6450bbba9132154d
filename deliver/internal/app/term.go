package app

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

// errFrozen means that this process stood still for longer than its lease, or
// that the lease was not renewed in time.
var errFrozen = errors.New("the lease ended before anybody noticed")

// term is one reign over the log: from reading it to losing it. All of it but
// attempts, reader and journal runs in one goroutine.
type term struct {
	*engine
	ctx     context.Context //nolint:containedctx // the term is what the context is the life of
	posts   context.Context //nolint:containedctx // of the requests, which may outlive the log
	cancel  context.CancelCauseFunc
	memory  memory
	journal *journal
	inputs  chan input
	reports chan schedule.Report
	asks    chan ask
	waits   map[string]chan struct{} // of requests that may be taken back
	workers sync.WaitGroup

	goal    uint64   // nothing is sent before this call event was taken in
	nearer  approach // to the end of them
	caught  bool     // up with all of them
	doubted uint64   // what comes behind it was not sent by anybody before
	late    lateness
	unread  uint64
	changes int // records since the newest snapshot
	taken   int // inputs since the newest snapshot
	savedAt time.Time
	kept    atomic.Int64 // when the newest snapshot that is stored was made, in Unix ns
}

// term works until stop ends (nil) or something is lost (an error). It is told
// what the term before it under the same lease could not store of Reapit's
// answers, and tells the same.
func (e *engine) term(stop, held context.Context, before []schedule.Record) (left []schedule.Record, err error) {
	ctx, cancel := context.WithCancelCause(held)
	defer cancel(nil)
	log, err := bus.OpenSerialLog(ctx, e.js, topology.Deliveries, topology.DeliveryLogPrefix)
	if err != nil {
		return before, err
	}
	if !log.Batches() {
		e.log.Warn("outcomes are stored one by one, and after an outage rings wait for them: the stream is an older version's",
			telemetry.Stream, topology.Deliveries, "do", "nats stream edit "+topology.Deliveries+" --allow-fast")
	}
	m, records, err := e.recall(ctx, log, before)
	if err != nil {
		log.Close()
		return before, err
	}
	e.budget.slots.anew()
	posts, breakOff := context.WithCancel(held)
	t := &term{
		engine: e, ctx: ctx, posts: posts, cancel: cancel, memory: m, journal: newJournal(log, cancel),
		inputs: make(chan input, 256), reports: make(chan schedule.Report, e.slots), asks: make(chan ask), waits: map[string]chan struct{}{},
		savedAt: e.now(),
	}
	defer func() { left = append(left, t.end(err, breakOff)...) }()
	t.nearer.look(e.now())
	if t.goal, err = e.goal(ctx); err != nil {
		return before, err
	}
	t.doubted = e.vacant.bound(m.made, m.head, t.goal)
	t.record(records)
	t.snapshot(false) // takes the log: whoever else still writes to it is fenced from here on
	t.journal.flush(ctx)
	t.workers.Go(t.read)
	t.workers.Go(t.redrives)
	return nil, t.loop(stop)
}

func (t *term) loop(stop context.Context) error {
	for stop.Err() == nil {
		if err := t.turn(stop.Done()); err != nil {
			return err
		}
	}
	return t.finish()
}

// turn sends what may go out and takes in what comes next, if that is before enough.
func (t *term) turn(enough <-chan struct{}) error {
	timer := time.NewTimer(t.step())
	defer timer.Stop()
	woken := func() {}
	select {
	case <-t.ctx.Done():
	case <-enough:
	case in := <-t.inputs:
		woken = func() { t.take(in) }
	case r := <-t.reports:
		woken = func() { t.hear(r) }
	case a := <-t.asks:
		woken = func() { t.takeOn(a) }
	case <-t.journal.relieved:
	case <-timer.C:
	}
	if err := t.alive(); err != nil {
		return err
	}
	woken()
	return nil
}

// alive notices that the process was frozen, before it does harm: somebody
// else may be delivering by now.
func (t *term) alive() error {
	if t.ctx.Err() == nil && !bus.Held(t.ctx) {
		t.cancel(errFrozen)
	}
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return nil
}

// step sends what may go out and tells how long to wait for the next.
func (t *term) step() time.Duration {
	longest := t.ttl / 3
	if !t.caughtUp() {
		t.seen.state(t.memory, t.unread, 0)
		return longest
	}
	t.seen.done()
	t.learn()
	t.recall()
	plan := t.memory.Next(t.now(), t.journal.bounded(t.budget.room(), t.memory.Flying()))
	t.record(plan.Record)
	before := t.before(plan)
	for i, q := range plan.Send {
		claim := t.budget.claim()
		ctx := claim.in(t.recallable(t.posts, q))
		t.workers.Go(func() {
			defer claim.drop()
			t.attempt(ctx, q, before[i])
		})
	}
	t.save()
	t.seen.state(t.memory, t.unread, plan.Waiting)
	return min(t.until(plan), longest)
}

// caughtUp reports whether all was taken in that there is to know, at the beginning
// and whenever something came late. Catching up takes time, in which what was to be
// shown may have ended: who has done it looks again, until there was nothing more, or
// so little that it was soon taken in, or it helps no more.
func (t *term) caughtUp() bool {
	for !t.caught && t.memory.in >= t.goal {
		if t.caught = t.nearer.enough(t.now()); t.caught {
			break
		}
		t.nearer.look(t.now())
		goal, err := t.engine.goal(t.ctx)
		if err != nil {
			t.cancel(err)
			return false
		}
		t.caught, t.goal = goal <= t.memory.in, max(t.goal, goal)
	}
	return t.caught
}

// until is how long a plan holds. What it sent took of the rate, and so whoever
// still waits may go when there is more.
func (t *term) until(plan schedule.Plan) time.Duration {
	due := plan.Due
	if more := t.budget.room().More; plan.Waiting > 0 && !more.IsZero() && (due.IsZero() || more.Before(due)) {
		due = more
	}
	if due.IsZero() {
		return math.MaxInt64
	}
	return max(due.Sub(t.now()), 0)
}

// before tells for each request of a plan what is closed when all is stored that
// must be before it goes out; nil where nothing must. Whoever takes over after a
// crash must know what may have been sent: what is behind the newest snapshot by
// less than its pause, and in each lane only what comes next. The request waits for
// it, and nothing else: a call that rings need not wait for another's outcome.
func (t *term) before(plan schedule.Plan) []<-chan struct{} {
	waits := make([]<-chan struct{}, len(plan.Send))
	if len(waits) == 0 {
		return waits
	}
	old := t.now().Sub(time.Unix(0, t.kept.Load())) >= snapshotPause
	if old && t.now().Sub(t.savedAt) >= snapshotPause {
		t.snapshot(false)
	}
	if !old && !slices.Contains(plan.Behind, true) {
		return waits
	}
	stored := t.journal.mark()
	for i, behind := range plan.Behind {
		if old || behind {
			waits[i] = stored
		}
	}
	return waits
}

// hear takes in one report and what else has already been reported.
func (t *term) hear(r schedule.Report) {
	t.report(r)
	for range cap(t.reports) {
		select {
		case r := <-t.reports:
			t.report(r)
		default:
			return
		}
	}
}

// report takes in what came of an attempt. What follows in the lane goes out
// behind the stored outcome, as the plan says. After a crash only the newest
// notification of a lane is in doubt, and a repetition cannot come behind a
// later one.
func (t *term) report(r schedule.Report) {
	t.seen.progress.Done()
	delete(t.waits, r.ID)
	t.record(t.memory.Result(r))
}

func (t *term) record(records []schedule.Record) {
	for _, r := range records {
		t.changes++
		t.journal.outcome(r, func(o event.Outcome, took time.Duration) {
			t.seen.appended(took)
			t.seen.outcome(r, o)
		})
	}
}
