package schedule

import (
	"encoding/json"
	"fmt"
	"time"
)

// How long a call is remembered after its newest event was stored, by the
// stream's own clock: long enough to know a repeated event, and an open call
// until transform has closed it for sure.
const (
	closedMemory = time.Hour
	openMemory   = 24 * time.Hour
	sweepEvery   = 4096 // offers
	sweepPause   = time.Minute
)

// sweep forgets calls of which nothing is left to happen.
func (s *Schedule) sweep() {
	for id, c := range s.state.Calls {
		if c.over(s.state.Newest) {
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

func (c *call) over(newest time.Time) bool {
	memory := closedMemory
	for _, l := range c.Lanes {
		if len(l.Queue) > 0 {
			return false
		}
		if !l.idle() {
			memory = openMemory
		}
	}
	return newest.Sub(c.Last) > memory
}

// MarshalJSON writes a lane. What is under way counts as not yet tried, but as
// perhaps shown: nobody may be left to hear what came of it.
func (l *lane) MarshalJSON() ([]byte, error) {
	type plain lane
	saved := plain(*l)
	saved.Perhaps = l.Perhaps || l.busy && l.Queue[0].shows()
	return json.Marshal(saved)
}

// Save writes the state.
func (s *Schedule) Save() ([]byte, error) {
	data, err := json.Marshal(s.state)
	if err != nil {
		return nil, fmt.Errorf("save schedule: %w", err)
	}
	return data, nil
}

// Load reads what Save wrote.
func Load(p Policy, data []byte) (*Schedule, error) {
	s := New(p)
	if err := json.Unmarshal(data, &s.state); err != nil {
		return nil, fmt.Errorf("load schedule: %w", err)
	}
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
