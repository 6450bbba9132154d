package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// tally remembers which notifications arrived and which deliver calls delivered.
type tally struct {
	mu        sync.Mutex
	arrived   []arrival
	delivered []arrival
}

func (t *tally) arrive(a arrival) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived = append(t.arrived, a)
}

func (t *tally) deliver(a arrival) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delivered = append(t.delivered, a)
}

// forget drops what was played before; a demonstration may run for days.
func (t *tally) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived, t.delivered = nil, nil
}

// of gives what arrived of some calls, and what was recorded of them.
func (t *tally) of(callIDs []string) (arrived, delivered []arrival) {
	t.mu.Lock()
	defer t.mu.Unlock()
	other := func(a arrival) bool { return !slices.Contains(callIDs, a.callID) }
	return slices.DeleteFunc(slices.Clone(t.arrived), other), slices.DeleteFunc(slices.Clone(t.delivered), other)
}

// await returns once a sample's notifications have arrived and are recorded, or
// what still differs after patience.
func (t *tally) await(ctx context.Context, s sample, callIDs []string, patience time.Duration) []string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		wrong := t.differences(s, callIDs)
		if wrong == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return wrong
		case <-poll.C:
		}
	}
}

func (t *tally) differences(s sample, callIDs []string) []string {
	arrived, delivered := t.of(callIDs)
	wrong := s.differences(arrived)
	for _, difference := range s.differences(delivered) {
		wrong = append(wrong, "in DELIVERIES, "+difference)
	}
	return wrong
}
