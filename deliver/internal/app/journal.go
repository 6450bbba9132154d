package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// journal is the one place from which deliver writes: outcomes and snapshots,
// in the order of the calls; and dead letters. Outcomes that wait are stored at once, as
// far as the log takes them so; everything else before what comes next.
type journal struct {
	log    *bus.Log
	atOnce int // outcomes, at most
	append func([]bus.Entry) error
	queue  chan entry
	lost   context.CancelCauseFunc // of the term
	ended  chan struct{}
	left   []schedule.Record // not stored, or not known to be; complete when ended is closed

	doubtful atomic.Int64  // records of Reapit's answers that are not stored yet
	waited   atomic.Bool   // for one less
	relieved chan struct{} // gets something when there is one less, and somebody waited for it
}

// entry is one thing to do with the log.
type entry struct {
	record *schedule.Record                   // an outcome, or
	stored func(event.Outcome, time.Duration) // which is told of it when the log has it
	do     func() error                       // anything else
}

const (
	// backlog is how many records may wait to be stored; who makes more waits.
	backlog = 4096
	// mostAtOnce is how many of them are stored at once. Where thousands were superseded
	// one after the other, Reapit's answers and the requests behind them waited for tens of
	// seconds.
	mostAtOnce = 100
)

// newJournal takes the log over: nobody else uses it until close returns.
func newJournal(log *bus.Log, lost context.CancelCauseFunc) *journal {
	j := &journal{
		log: log, atOnce: mostAtOnce, append: log.AppendAll, queue: make(chan entry, backlog), lost: lost, ended: make(chan struct{}),
		relieved: make(chan struct{}, 1),
	}
	if !log.Batches() {
		j.atOnce = 1
	}
	go j.write()
	return j
}

func (j *journal) write() {
	defer close(j.ended)
	var failed error
	for next := range j.queue {
		batch := []entry{next}
		for more := true; more && next.record != nil && len(batch) < j.atOnce; {
			if next, more = j.waiting(); more {
				batch = append(batch, next)
			}
		}
		if failed == nil {
			if failed = j.store(batch); failed != nil {
				j.lost(failed)
			}
		}
		for _, e := range batch {
			switch {
			case e.record == nil:
			case failed != nil:
				j.left = append(j.left, *e.record)
			default:
				j.relieve(e.record)
			}
		}
	}
}

// waiting takes what waits, if something does.
func (j *journal) waiting() (e entry, ok bool) {
	select {
	case e, ok = <-j.queue:
	default:
	}
	return e, ok
}

// store does what there is to do: store outcomes, and then, or only, something else.
func (j *journal) store(batch []entry) error {
	var entries []bus.Entry
	var outcomes []event.Outcome
	for _, next := range batch {
		if next.record == nil {
			continue
		}
		e, o, err := entryOf(*next.record)
		if err != nil {
			return err
		}
		entries, outcomes = append(entries, e), append(outcomes, o)
	}
	if len(entries) > 0 {
		began := time.Now()
		if err := j.append(entries); err != nil {
			return err
		}
		took := time.Since(began)
		for i, o := range outcomes {
			batch[i].stored(o, took)
		}
	}
	if last := batch[len(batch)-1]; last.record == nil {
		return last.do()
	}
	return nil
}

// close waits until everything is stored, or found to be lost.
func (j *journal) close() {
	close(j.queue)
	<-j.ended
	j.log.Close()
}

// outcome hands over one record; stored is called when the log has it.
func (j *journal) outcome(r schedule.Record, stored func(event.Outcome, time.Duration)) {
	if r.Answered() {
		j.doubtful.Add(1)
	}
	j.queue <- entry{record: &r, stored: stored}
}

// relieve notes that a record is stored, which may be one of an answer.
func (j *journal) relieve(r *schedule.Record) {
	if !r.Answered() {
		return
	}
	j.doubtful.Add(-1)
	if j.waited.Swap(false) {
		select {
		case j.relieved <- struct{}{}:
		default:
		}
	}
}

// mostDoubtful is how many requests may be under way or answered and not recorded;
// with more than 16 slots it is two for each. A crash repeats these notifications
// and no others: without a bound a slow NATS makes them hundreds (measured: 266).
const mostDoubtful = 32

// bounded is the room that is left by what is not recorded yet.
func (j *journal) bounded(room schedule.Room, flying int) schedule.Room {
	j.waited.Store(true) // first, so that no relief from here on is missed
	left := max(0, max(mostDoubtful, 2*room.Slots)-int(j.doubtful.Load())-flying)
	if left >= room.Rate {
		j.waited.Store(false)
		return room
	}
	room.Rate, room.Spare = left, min(room.Spare, left/2)
	return room
}

// entryOf is a record as the log has it.
func entryOf(r schedule.Record) (bus.Entry, event.Outcome, error) {
	o := outcomeOf(r)
	e, err := event.NewOutcome(o, r.Delivery.Traceparent)
	if err != nil {
		return bus.Entry{}, o, err
	}
	header, body, err := event.Encode(e)
	return bus.Entry{
		Subject: topology.Delivery(o.Customer, o.NegotiatorID, string(o.Outcome), o.CallID), Header: nats.Header(header), Data: body,
		Position: bus.Position{In: r.Delivery.Position, Idx: r.Delivery.Index},
	}, o, err
}

// mark is closed when everything handed over before is stored; never, when
// something is lost.
func (j *journal) mark() <-chan struct{} {
	stored := make(chan struct{})
	j.queue <- entry{do: func() error {
		close(stored)
		return nil
	}}
	return stored
}

// flush waits until everything handed over before is stored, or ctx ends: it
// does when something is lost.
func (j *journal) flush(ctx context.Context) {
	select {
	case <-j.mark():
	case <-ctx.Done():
	}
}

// snapshot hands over a state that includes the call events up to in; stored is
// called when the log has it.
func (j *journal) snapshot(in uint64, data []byte, stored func(time.Duration)) {
	j.queue <- entry{do: func() error {
		began := time.Now()
		if err := j.log.SaveSnapshot(bus.Position{In: in}, data); err != nil {
			return err
		}
		stored(time.Since(began))
		return nil
	}}
}

func outcomeOf(r schedule.Record) event.Outcome {
	d := r.Delivery
	sub, _ := reapit.SubType(d.Call.Type)
	return event.Outcome{
		EventID: d.Call.EventID(), CallID: d.Call.CallID, OrganizationID: d.Call.OrganizationID,
		Customer: d.Customer, NegotiatorID: d.Negotiator, Users: d.Users, Type: d.Call.Type, SubType: sub,
		Outcome: r.Outcome, Cause: r.Cause, Reason: r.Reason, Attempts: d.Attempts, Status: d.Status, RequestID: d.RequestID,
		OccurredAt: d.Call.OccurredAt, ReceivedAt: d.Received, FirstTriedAt: utc(d.FirstTried), FinishedAt: r.At.UTC(),
		LatencyMS: r.At.Sub(d.Received).Milliseconds(),
		Redrive:   d.Redrive,
	}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// bury stores a dead letter and returns when the stream has it: only then may
// its source count as done. The only error is that of ctx.
func bury(ctx context.Context, js jetstream.JetStream, d event.DeadLetter, id, traceparent string, log *slog.Logger) error {
	e, err := event.NewDeadLetter(d, id, traceparent)
	if err != nil {
		return err
	}
	header, body, err := event.Encode(e)
	if err != nil {
		return err
	}
	msg := &nats.Msg{Subject: topology.DeadLetter(name, d.Reason), Header: nats.Header(header), Data: body}
	msg.Header.Set(jetstream.MsgIDHeader, id)
	for {
		if _, err = js.PublishMsg(ctx, msg); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("store dead letter %s: %w", id, context.Cause(ctx))
		}
		if errors.Is(err, nats.ErrMaxPayload) && (d.Event != nil || d.Request != nil || d.Body != nil) {
			d.Event, d.Request, d.Body = nil, nil, nil // the event id tells where to find them
			return bury(ctx, js, d, id, traceparent, log)
		}
		log.Warn("dead letter not stored yet", "error", bus.Offline(err), "event_id", d.EventID)
		pause(ctx, time.Second)
	}
}

// letterOf is the dead letter of a delivery that Reapit refused.
func letterOf(d schedule.Delivery, cause, detail string, r reapit.Result, now time.Time) event.DeadLetter {
	data, err := json.Marshal(d.Call)
	if err != nil {
		data = nil // the event id still tells where to find it
	}
	return event.DeadLetter{
		Service: name, Reason: cause, Detail: detail, At: now.UTC(), EventID: d.Call.EventID(), CallID: d.Call.CallID,
		Customer: d.Customer, NegotiatorID: d.Negotiator, Status: r.Status, Errors: r.Errors, Request: r.Body, Event: data,
	}
}
