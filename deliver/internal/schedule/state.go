package schedule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ringstream/schemas/event"
)

// How long a call is remembered after its newest event was stored, by the
// stream's own clock.
//
// Of a call that is over something may come for as long as transform knows it
// (CLOSED_MEMORY, 10 minutes): it rings again, and its users are still the
// negotiators that they were. Until its deadline (DEADLINE_ENDED, 10 minutes too)
// an operator may have its end tried again. What is later begins as a call of its
// own, and transform numbers it on. Two minutes more are for a transform or a
// CALLS that lags. What the stream repeats after a power loss it repeats at once,
// but for the outage, which does not count. All that is remembered is in every
// snapshot, and grows for that long: no longer than need be.
//
// An open call is remembered until transform has closed it for sure.
const (
	closedMemory = 12 * time.Minute
	openMemory   = 24 * time.Hour
	mostSilence  = time.Minute // that counts, between two events
	sweepEvery   = 4096        // offers
	sweepPause   = time.Minute
)

// memory is how long a call that is over is remembered: also for as long as
// anything but a miss, which needs no call to be known, may be sent.
func (d Deadlines) memory() time.Duration {
	return max(closedMemory, d[event.Incoming], d[event.Answered], d[event.Ended])
}

// pass takes in when an event was stored.
func (s *Schedule) pass(stored time.Time) {
	silence := stored.Sub(s.state.Newest)
	if silence <= 0 {
		return
	}
	if !s.state.Newest.IsZero() {
		s.state.Silent += max(0, silence-mostSilence)
	}
	s.state.Newest = stored
}

// happened notes that something of a call was stored.
func (s *Schedule) happened(c *call, stored time.Time) {
	if stored.After(c.Last) {
		c.Last, c.Silent = stored, s.state.Silent
	}
}

// age is how long nothing has happened in a call.
func (s *Schedule) age(c *call) time.Duration {
	return s.state.Newest.Sub(c.Last) - (s.state.Silent - c.Silent)
}

// sweep forgets calls of which nothing is left to happen.
func (s *Schedule) sweep() {
	for id, c := range s.state.Calls {
		if s.over(c) {
			delete(s.state.Calls, id)
		}
	}
}

// sweepKnown forgets outcomes whose events did not come again.
func (s *Schedule) sweepKnown() {
	waiting := map[string]bool{}
	for _, all := range s.state.Unresolved {
		for _, u := range all {
			waiting[u.Call.EventID()] = true
		}
	}
	for id, known := range s.state.Known {
		if !waiting[id] && s.state.Newest.Sub(known[0].At) > openMemory {
			delete(s.state.Known, id)
		}
	}
}

func (s *Schedule) over(c *call) bool {
	memory := s.deadlines.memory()
	for _, l := range c.Lanes {
		if len(l.Queue) > 0 {
			return false
		}
		if !l.idle() {
			memory = openMemory
		}
	}
	return s.age(c) > memory
}

// Save writes the state behind what is there. What is under way counts as not yet
// tried, but as perhaps shown: nobody may be left to hear what came of it. It is
// written call by call: json makes a whole in several copies of it, which the garbage
// collector would take for a heap that much larger.
func (s *Schedule) Save(to *bytes.Buffer) error {
	defer s.perhapsShown()()
	start, rest := to.Len(), s.state
	rest.Calls = nil
	to.Grow(s.size + s.size/8)
	write := json.NewEncoder(to)
	value := func(v any, behind string) error {
		if err := write.Encode(v); err != nil {
			return fmt.Errorf("save schedule: %w", err)
		}
		to.Truncate(to.Len() - len("\n")) // which ends what an Encoder writes
		_, err := to.WriteString(behind)
		return err
	}
	if err := value(rest, ""); err != nil {
		return err
	}
	to.Truncate(to.Len() - len("}"))
	between := `,"calls":{`
	for _, id := range slices.Sorted(maps.Keys(s.state.Calls)) {
		to.WriteString(between)
		if err := errors.Join(value(id, ":"), value(s.state.Calls[id], "")); err != nil {
			return err
		}
		between = ","
	}
	if len(s.state.Calls) > 0 {
		to.WriteByte('}')
	}
	to.WriteByte('}')
	s.size = to.Len() - start
	return nil
}

// perhapsShown marks the lanes of what is under way, until it is undone.
func (s *Schedule) perhapsShown() (undo func()) {
	var marked []*lane
	for _, f := range s.flying {
		for _, l := range f.lanes {
			if !l.Perhaps && l.Queue[0].shows() {
				l.Perhaps, marked = true, append(marked, l)
			}
		}
	}
	return func() {
		for _, l := range marked {
			l.Perhaps = false
		}
	}
}

// Load reads what Save wrote.
func Load(p Policy, data []byte) (*Schedule, error) {
	s := New(p)
	if err := json.Unmarshal(data, &s.state); err != nil {
		return nil, fmt.Errorf("load schedule: %w", err)
	}
	s.size = len(data)
	for _, c := range s.state.Calls {
		if c.Who == nil {
			c.Who = map[string]string{}
		}
		if c.Lanes == nil {
			c.Lanes = map[string]*lane{}
		}
		for _, l := range c.Lanes {
			s.agenda.touch(l)
		}
	}
	if s.state.Parked == nil {
		s.state.Parked = map[string]*park{}
	}
	if s.state.Redriven == nil {
		s.state.Redriven = map[string]redriven{}
	}
	if s.state.Unresolved == nil {
		s.state.Unresolved = map[string][]*unresolved{}
	}
	for _, all := range s.state.Unresolved {
		for _, u := range all {
			s.awaits(u)
		}
	}
	if s.state.Known == nil {
		s.state.Known = map[string][]Recorded{}
	}
	return s, nil
}
