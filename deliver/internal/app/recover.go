package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

// snapshotVersion changes with the shape of what is saved. A snapshot of
// another version is not read: the log and the stream hold all that is in it.
const snapshotVersion = 2

// snapshot is what deliver saves in its log.
type snapshot struct {
	Version  int             `json:"version"`
	In       uint64          `json:"in"`             // newest call event that it includes
	Stream   time.Time       `json:"stream"`         // when the CALLS was made that In is a position in
	Since    time.Time       `json:"since,omitzero"` // what was heard of before it is not the log's
	Last     bool            `json:"last,omitempty"` // of a term that ended in order: nothing was sent behind it, by none before it either
	Used     used            `json:"used"`
	Spent    []int64         `json:"spent,omitzero"` // of the last one: how many ms before it the requests of its last second ended
	Owed     []owed          `json:"owed,omitzero"`  // likewise: requests that Reapit may be at still
	Schedule json.RawMessage `json:"schedule,omitempty"`
}

// memory is the state of a term.
type memory struct {
	*schedule.Schedule
	in     uint64    // newest call event taken in
	made   time.Time // when the stream of call events was made
	since  time.Time // call events that were heard of before it are passed over
	doubt  time.Time // call events stored up to then may have been sent, and nobody is left to tell
	head   uint64    // where the newest snapshot is; 0: there is none
	spent  used      // requests of the day, as far as the log tells
	left   []int64   // what the one before said of the requests of its last second; nil: nothing
	owed   []owed    // and of requests that it left behind
	leftAt time.Time
}

// recall rebuilds the memory from the newest snapshot and the outcomes behind
// it, and of what the term before it under the same lease knows, and returns the
// records that follow from these.
func (e *engine) recall(ctx context.Context, log *bus.Log, before []schedule.Record) (memory, []schedule.Record, error) {
	m := memory{
		Schedule: schedule.New(e.policy()), spent: used{Day: dayOf(e.now())},
	}
	var err error
	if m.made, err = e.made(ctx); err != nil {
		return m, nil, err
	}
	if m.head, _, err = e.newest(ctx); err != nil {
		return m, nil, err
	}
	saved, found, err := log.Snapshot(ctx)
	if err != nil {
		return m, nil, err
	}
	from := uint64(1)
	switch {
	case !found:
		m.doubt = farAway
		if m.since, err = e.beginning(ctx); err != nil {
			return m, nil, err
		}
	case e.restore(saved, &m):
		from = saved.Seq + 1
	}
	var records []schedule.Record
	stored := map[string]bool{}
	err = bus.ReadAll(ctx, e.js, topology.Deliveries, []string{"deliveries.>"}, from, func(msg bus.Message) error {
		var o event.Outcome
		err := json.Unmarshal(msg.Data, &o)
		if !bus.Own(msg.Header, msg.Seq) || err != nil {
			e.log.Error("somebody else has written into the log of outcomes; passed over", telemetry.Stream, topology.Deliveries,
				telemetry.Seq, msg.Seq, "error", err)
			return nil
		}
		if dayOf(o.FinishedAt) == m.spent.Day {
			m.spent.Requests += o.Attempts
		}
		stored[o.ID()] = true
		records = append(records, m.Settle(recorded(o), e.now())...)
		return nil
	})
	for _, r := range before {
		if o := outcomeOf(r); !stored[o.ID()] {
			records = append(append(records, r), m.Settle(recorded(o), e.now())...)
		}
	}
	e.budget.recall(m.spent)
	if m.left != nil && len(stored) == 0 {
		e.budget.succeeded(m.leftAt, m.left, m.owed)
	}
	if !m.doubt.IsZero() {
		m.Doubt()
	}
	return m, records, err
}

func (e *engine) policy() schedule.Policy {
	return schedule.Policy{Deadlines: e.deadlines, Group: e.group}
}

func recorded(o event.Outcome) schedule.Recorded {
	return schedule.Recorded{
		EventID: o.EventID, CallID: o.CallID, Customer: o.Customer, Negotiator: o.NegotiatorID, Users: o.Users, Outcome: o.Outcome, Cause: o.Cause, At: o.FinishedAt,
		Perhaps: perhaps(o), Redrive: o.Redrive,
	}
}

// farAway is behind every call event.
var farAway = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// untold is for how long after a snapshot call events may be taken in and sent
// without a further one, with time to spare for clocks that differ.
const untold = snapshotPause + 10*time.Second

// beginning is since when the log, which has no snapshot, can tell what was
// done. What was heard of before is passed over: nobody wants the missed calls of
// the day before the first start, nor those that were shown before a loss again.
func (e *engine) beginning(ctx context.Context) (time.Time, error) {
	s, err := e.js.Stream(ctx, topology.Deliveries)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up stream %s: %w", topology.Deliveries, err)
	}
	first := e.now()
	if state := s.CachedInfo().State; state.Msgs > 0 {
		first = state.FirstTime
	}
	since := first.Add(-e.deadlines[event.Incoming]).UTC()
	e.log.Warn("the log of outcomes begins here: a first start, or it was lost; call events from before are not sent",
		telemetry.Stream, topology.Deliveries, "since", since)
	return since, nil
}

// perhaps reports whether a request for the delivery may have been acted upon.
// The log tells only the last status and how many attempts there were, so what
// is not certain counts as may have.
func perhaps(o event.Outcome) bool {
	refused := o.Attempts == 1 && o.Status >= 300 && o.Status < 500
	return o.Attempts > 0 && !refused
}

// restore reads a snapshot; it reports false for one that does not fit.
func (e *engine) restore(saved bus.Snapshot, m *memory) bool {
	var s snapshot
	err := json.Unmarshal(saved.Data, &s)
	m.since, m.doubt = s.Since, farAway
	if err != nil || s.Version != snapshotVersion {
		e.log.Warn("snapshot not usable; starting from the first call event", "version", s.Version, "error", err)
		return false
	}
	if !s.Stream.Equal(m.made) {
		e.log.Warn("stream of call events was made anew; starting from its first event", "then", s.Stream, "now", m.made)
		return false
	}
	loaded, err := schedule.Load(e.policy(), s.Schedule)
	if err != nil {
		e.log.Warn("snapshot not usable; starting from the first call event", "error", err)
		return false
	}
	m.Schedule, m.in, m.doubt = loaded, s.In, saved.Stored.Add(untold)
	if s.Last {
		m.doubt, m.left, m.owed, m.leftAt = time.Time{}, s.Spent, s.Owed, saved.Stored
	}
	if s.Used.Day == m.spent.Day {
		m.spent = s.Used
	}
	return true
}

// made is when CALLS was made. Positions in one that was made anew, from the
// logs that it merges, are other positions.
func (e *engine) made(ctx context.Context) (time.Time, error) {
	s, err := e.js.Stream(ctx, topology.Calls)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up stream %s: %w", topology.Calls, err)
	}
	return s.CachedInfo().Created.UTC(), nil
}

// goal is the last call event that exists now. Nothing is sent before it was
// taken in: what comes later in a call may forbid what came before.
func (e *engine) goal(ctx context.Context) (uint64, error) {
	s, err := e.js.Stream(ctx, topology.Calls)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", topology.Calls, err)
	}
	m, err := s.GetLastMsgForSubject(ctx, ">")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find the last call event: %w", err)
	}
	return m.Sequence, nil
}

// save is a snapshot, whose schedule is written behind the rest of it.
func (m memory) save(u used, last bool, spent []int64, left []owed) ([]byte, error) {
	data, err := json.Marshal(snapshot{Version: snapshotVersion, In: m.in, Stream: m.made, Since: m.since, Last: last, Used: u, Spent: spent, Owed: left})
	if err != nil {
		return nil, fmt.Errorf("save snapshot: %w", err)
	}
	to := bytes.NewBuffer(append(data[:len(data)-len("}")], `,"schedule":`...))
	if err := m.Save(to); err != nil {
		return nil, err
	}
	to.WriteByte('}')
	return to.Bytes(), nil
}
