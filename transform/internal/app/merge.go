package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

const (
	mergeInterval = 500 * time.Millisecond
	mergeAnswer   = time.Second            // what a look waits for an answer
	mergeSpread   = 500 * time.Millisecond // so that of several replicas one asks first, and the others see it
	mergeRefused  = 5 * time.Minute        // until somebody without permission tries again
)

// merging keeps CALLS up with the logs that this replica holds. The server
// merges them, but takes up to a minute to notice that the one that had fed it
// is gone, which is longer than a pop is worth anything; a new leader of CALLS
// asks its sources at once.
type merging struct {
	js   jetstream.JetStream
	log  *slog.Logger
	seen *observer

	mu   sync.Mutex
	held map[int]bool

	partitions map[int]*merged // those held, as far as run has seen
	forbidden  bool            // told
	barred     time.Time       // until when nobody is asked, after a refusal
}

// merged is what is known of the merge of one log.
type merged struct {
	course
	newest, last uint64 // call event, and message, of the log
	verdict      remedy
	warned       bool
}

func newMerging(js jetstream.JetStream, log *slog.Logger, seen *observer) *merging {
	return &merging{js: js, log: log, seen: seen, held: map[int]bool{}, partitions: map[int]*merged{}}
}

// hold states whether this replica holds a partition.
func (m *merging) hold(partition int, held bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held {
		m.held[partition] = true
		return
	}
	delete(m.held, partition)
}

// run looks, and does what there is to do, until ctx ends.
func (m *merging) run(ctx context.Context) {
	for ctx.Err() == nil {
		rest := mergeInterval
		if err := m.round(ctx); errors.Is(err, bus.ErrNotAllowed) {
			m.refused(err)
			rest = mergeRefused
		}
		pause(ctx, rest)
	}
}

// round looks, and where there is something to do, again after a moment: by then
// another replica may have done it.
func (m *merging) round(ctx context.Context) error {
	first, stalled, err := m.look(ctx)
	if err != nil || len(stalled) == 0 {
		return err
	}
	pause(ctx, rand.N(mergeSpread))
	again, stalled, err := m.look(ctx)
	if err != nil || len(stalled) == 0 || again.Leader != first.Leader || !again.Elected.Equal(first.Elected) {
		return err
	}
	return m.asked(time.Now(), m.restart(ctx, again, stalled))
}

// asked takes in what came of asking: who may not is not heard for a while, and goes on looking.
func (m *merging) asked(now time.Time, err error) error {
	if !errors.Is(err, bus.ErrNotAllowed) {
		return err
	}
	m.refused(err)
	m.barred = now.Add(mergeRefused)
	return nil
}

// look returns who leads CALLS and which partitions want another leader.
func (m *merging) look(ctx context.Context) (calls bus.Merge, stalled []int, err error) {
	held := m.keep()
	if len(held) == 0 {
		return calls, nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, mergeAnswer)
	defer cancel()
	if calls, err = bus.LookUpMerge(ctx, m.js, topology.Calls); err != nil {
		for _, p := range held {
			m.partitions[p].course = m.partitions[p].missed()
			m.judge(p, time.Now(), calls)
		}
		return calls, nil, err
	}
	m.readEnds(ctx, calls, held)
	for _, p := range held {
		if m.judge(p, time.Now(), calls) == stepDown {
			stalled = append(stalled, p)
		}
	}
	return calls, stalled, nil
}

// keep returns what is held, and forgets what is not any more.
func (m *merging) keep() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.partitions {
		if !m.held[p] {
			delete(m.partitions, p)
			m.seen.unmerged(p)
		}
	}
	for p := range m.held {
		if m.partitions[p] == nil {
			m.partitions[p] = &merged{}
		}
	}
	return slices.Sorted(maps.Keys(m.held))
}

// readEnds reads the ends of the logs; one whose leader does not answer holds no
// other one up.
func (m *merging) readEnds(ctx context.Context, calls bus.Merge, held []int) {
	var reading sync.WaitGroup
	for _, p := range held {
		at := m.partitions[p]
		reading.Go(func() {
			if g, ok := m.sight(ctx, p, at, calls); ok {
				at.course = at.saw(time.Now(), g)
			} else {
				at.course = at.missed()
			}
		})
	}
	reading.Wait()
}

// sight compares a log with what CALLS has of it, and reports false when one of
// them does not tell: a leader just elected knows no sources yet.
func (m *merging) sight(ctx context.Context, p int, at *merged, calls bus.Merge) (sight, bool) {
	in, ok := calls.Sources[topology.CallLog(p)]
	if !ok {
		return sight{}, false
	}
	newest, last, err := bus.Newest(ctx, m.js, topology.CallLog(p), topology.CallLogPrefix(p)+".ev.", max(in.Seq, at.last))
	switch {
	case err != nil:
		return sight{}, false
	case last < at.last: // it is another log
		at.newest, at.last = 0, 0
		return sight{}, false
	case newest > 0:
		at.newest = newest
	}
	at.last = last
	if !calls.Told {
		return sight{newest: in.Seq, merged: in.Seq, silent: in.Silent}, true
	}
	return sight{newest: at.newest, merged: in.Seq, silent: in.Silent}, true
}

// judge says what to do about a partition, and tells what is new about it.
func (m *merging) judge(p int, now time.Time, calls bus.Merge) remedy {
	at := m.partitions[p]
	before := at.verdict
	at.verdict = judge(now, at.course, chair{leads: calls.Leads, replicas: calls.Replicas, standby: calls.Standby})
	if at.verdict == stepDown && now.Before(m.barred) {
		at.verdict = barred
	}
	switch {
	case at.verdict == nothing && at.warned && !at.at.IsZero():
		at.warned = false
		m.log.Info("CALLS follows the call log again", telemetry.Partition, p)
	case at.verdict != before && (at.verdict == single || at.verdict == thin):
		m.warn(p, at, calls)
	}
	m.seen.merging(p, at.lag(now), string(at.verdict))
	return at.verdict
}

func (m *merging) warn(p int, at *merged, calls bus.Merge) {
	at.warned = true
	m.log.Warn("CALLS does not follow a call log: "+string(at.verdict), telemetry.Partition, p, "stands_at", at.course.last.merged, "log_at", at.newest,
		"unheard", at.course.last.silent.Round(time.Millisecond).String(), "leader", calls.Leader, "leads", calls.Leads.Round(time.Millisecond).String())
}

// restart asks the leader of CALLS to step down.
func (m *merging) restart(ctx context.Context, calls bus.Merge, stalled []int) error {
	now := time.Now()
	for _, p := range stalled {
		m.warn(p, m.partitions[p], calls)
		m.partitions[p].course = m.partitions[p].asked(now)
	}
	ctx, cancel := context.WithTimeout(ctx, mergeAnswer)
	defer cancel()
	err := bus.StepDown(ctx, m.js, topology.Calls)
	if err == nil {
		m.seen.restarts.Inc()
	} else if !errors.Is(err, bus.ErrNotAllowed) {
		m.log.Warn("CALLS keeps its leader for now", telemetry.Error, err)
	}
	return err
}

// refused tells once what is missing.
func (m *merging) refused(err error) {
	if !m.forbidden {
		m.log.Warn("after a failover of NATS, CALLS may follow its logs up to a minute late: transform may not ask its leader to step down",
			telemetry.Error, err, "needed", "publish to $JS.API.STREAM.INFO.CALLS and $JS.API.STREAM.LEADER.STEPDOWN.CALLS")
	}
	m.forbidden = true
}
