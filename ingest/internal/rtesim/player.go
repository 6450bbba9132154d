package rtesim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"ringstream/ingest/internal/rte"
)

// Limits of one play, so that a request cannot take all memory.
const (
	maxRepeat     = 100_000
	maxRemembered = 100
)

// Play says what to play.
type Play struct {
	Scenario Scenario
	Speed    float64       // 2 is twice as fast; 0 means 1
	Repeat   int           // 0 means 1
	Every    time.Duration // between the starts of repetitions; 0: one after another
	// Subscribers is how many connections must have subscribed something of the
	// scenario before it starts, for at most Patience; with All everything of it.
	Subscribers int
	All         bool
	Patience    time.Duration // 0 means 30 s
}

// Playing is a play that was started.
type Playing struct {
	ID        string     `json:"id"`
	Scenario  string     `json:"scenario"`
	CallIDs   []string   `json:"callIds"`   // by repetition, then by call
	Events    int        `json:"events"`    // published so far
	Receivers int        `json:"receivers"` // deliveries to connections so far
	Started   time.Time  `json:"started"`
	Finished  *time.Time `json:"finished"`
	Error     string     `json:"error,omitempty"`
}

// player plays scenarios on the hub.
type player struct {
	hub *hub

	mu      sync.Mutex
	plays   []*play // the newest, oldest first
	playing sync.WaitGroup
}

type play struct {
	mu    sync.Mutex
	state Playing
	stop  context.CancelFunc
	done  chan struct{}
}

func (p *play) snapshot() Playing {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.CallIDs = slices.Clone(s.CallIDs)
	return s
}

func (r Play) complete() (Play, error) {
	r.Speed, r.Repeat, r.Patience = cmp.Or(r.Speed, 1), cmp.Or(r.Repeat, 1), cmp.Or(r.Patience, 30*time.Second)
	switch {
	case r.Speed < 0:
		return r, errors.New("speed must be positive")
	case r.Repeat < 0 || r.Repeat > maxRepeat:
		return r, fmt.Errorf("repeat must be between 1 and %d", maxRepeat)
	case r.Every < 0:
		return r, errors.New("every must not be negative")
	}
	return r, nil
}

// start waits for the subscribers and starts. life ends the play, ctx only the
// waiting.
func (p *player) start(ctx, life context.Context, r Play) (*play, error) {
	r, err := r.complete()
	if err != nil {
		return nil, err
	}
	wanted, err := r.Scenario.subscriptions() // also tells whether every name in it is known
	if err != nil {
		return nil, err
	}
	p.hub.rules.know(r.Scenario.eventTypes())
	if err := p.await(ctx, r, wanted); err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(life)
	started := &play{stop: stop, done: make(chan struct{}), state: Playing{
		ID: uuid.NewString(), Scenario: r.Scenario.Name, Started: time.Now().UTC(),
	}}
	calls := r.Scenario.newCalls(r.Repeat)
	for _, c := range calls {
		started.state.CallIDs = append(started.state.CallIDs, c.id)
	}
	p.remember(started)
	p.playing.Go(func() {
		defer close(started.done)
		defer stop()
		started.finish(p.run(life, started, r, calls))
	})
	return started, nil
}

func (p *player) remember(s *play) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plays = append(p.plays, s)
	if extra := len(p.plays) - maxRemembered; extra > 0 {
		p.plays = slices.Delete(p.plays, 0, extra)
	}
}

func (p *play) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().UTC()
	p.state.Finished = &now
	if err != nil {
		p.state.Error = err.Error()
	}
}

// await returns once enough connections are subscribed.
func (p *player) await(ctx context.Context, r Play, wanted []rte.EntitySubscription) error {
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	for {
		changed := p.hub.changed.wait()
		n := 0
		for _, c := range p.hub.listeners() {
			if c.listens(wanted, r.All) {
				n++
			}
		}
		if n >= r.Subscribers {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d subscribers, there are %d: %w", r.Subscribers, n, ctx.Err())
		}
	}
}

func (c *conn) listens(wanted []rte.EntitySubscription, all bool) bool {
	missing := func(k rte.EntitySubscription) bool { _, ok := c.subs.find(k); return !ok }
	if all {
		return !slices.ContainsFunc(wanted, missing)
	}
	return slices.ContainsFunc(wanted, func(k rte.EntitySubscription) bool { return !missing(k) })
}

// call is one call of one repetition.
type call struct {
	id   string
	plan callPlan
}

func (s Scenario) newCalls(repeat int) []call {
	var calls []call
	for range repeat {
		for _, plan := range s.Calls {
			c := call{uuid.NewString(), plan}
			for _, f := range plan.settings {
				if f.name == "callId" {
					c.id = f.text()
				}
			}
			calls = append(calls, c)
		}
	}
	return calls
}

// identity are the fields in which calls differ from one another.
func (c call) identity() []field {
	leg := uuid.NewSHA1(uuid.NameSpaceOID, []byte(c.id)).String()
	return []field{textField("callId", c.id), textField("legId", leg[:8]), textField("agentLegId", leg[9:13])}
}

// moment is one event of one call, due some time after the start.
type moment struct {
	due  time.Duration
	call call
	plan eventPlan
}

// timeline lists one repetition in the order of time; what is due at once keeps
// the order of the file.
func timeline(calls []call) []moment {
	var line []moment
	for _, c := range calls {
		for _, e := range c.plan.events {
			line = append(line, moment{c.plan.start + e.offset, c, e})
		}
	}
	slices.SortStableFunc(line, func(a, b moment) int { return cmp.Compare(a.due, b.due) })
	return line
}

func (p *player) run(ctx context.Context, s *play, r Play, calls []call) error {
	start := time.Now()
	size := len(r.Scenario.Calls)
	if r.Every > 0 {
		// Repetitions overlap: one timeline for all, merged ahead of time.
		for i := range calls {
			calls[i].plan.start += time.Duration(float64(r.Every*time.Duration(i/size)) * r.Speed)
		}
		size = len(calls)
	}
	for repetition := range slices.Chunk(calls, size) {
		if r.Every == 0 {
			start = time.Now()
		}
		if err := p.runOnce(ctx, s, r, timeline(repetition), start); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) runOnce(ctx context.Context, s *play, r Play, line []moment, start time.Time) error {
	for _, m := range line {
		due := start.Add(time.Duration(float64(m.due) / r.Speed))
		if err := until(ctx, due); err != nil {
			return err
		}
		o, err := r.Scenario.compose(m.plan.eventSpec, m.call.plan.settings, m.call.identity(), time.Now())
		if err != nil {
			return err
		}
		for range m.plan.times {
			n, err := p.hub.publish(ctx, o)
			if err != nil {
				return err
			}
			s.mu.Lock()
			s.state.Events++
			s.state.Receivers += n
			s.mu.Unlock()
		}
	}
	return nil
}

func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// list shows the plays, or the one with an id.
func (p *player) list(id string) []*play {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.plays), func(s *play) bool { return id != "" && s.state.ID != id })
}

// stopAll stops every play and forgets it.
func (p *player) stopAll() {
	for _, s := range p.list("") {
		s.stop()
		<-s.done
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plays = nil
}
