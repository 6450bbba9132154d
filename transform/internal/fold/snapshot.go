package fold

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/transform/internal/call"
)

// snapshotVersion changes with the format of the snapshot or of call.Call. A
// snapshot of another version is ignored, and the state folded anew.
const snapshotVersion = 4

type snapshot struct {
	Version  int              `json:"version"`
	Last     Mark             `json:"last"`
	Clock    time.Time        `json:"clock"`
	Coverage *coverage.Ledger `json:"coverage"`
	Calls    []byte           `json:"calls"` // packed, by their ids
	Numbers  []byte           `json:"numbers,omitempty"`
	Torn     tear             `json:"torn,omitzero"`
}

// Snapshot is the state as bytes; equal states give equal bytes.
func (f *Fold) Snapshot() ([]byte, error) {
	s := snapshot{Version: snapshotVersion, Last: f.Last(), Clock: f.clock, Coverage: &f.coverage, Numbers: f.numbers.encode(), Torn: f.torn}
	p := call.NewPacker()
	for _, id := range slices.Sorted(maps.Keys(f.calls)) {
		f.calls[id].pack(p)
	}
	s.Calls = p.Bytes()
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	return b, nil
}

// Restore makes a fold from a snapshot. It reports false when the snapshot is
// of another version.
func Restore(limits call.Limits, b []byte) (*Fold, bool, error) {
	var of struct{ Version int } // first of all: the rest of another version may not fit
	if err := json.Unmarshal(b, &of); err != nil {
		return nil, false, fmt.Errorf("read snapshot: %w", err)
	}
	if of.Version != snapshotVersion {
		return nil, false, nil
	}
	f := New(limits)
	s := snapshot{Coverage: &f.coverage}
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, false, fmt.Errorf("read snapshot: %w", err)
	}
	f.seq, f.stored, f.clock, f.torn = s.Last.Seq, s.Last.Stored, s.Clock, s.Torn
	var err error
	if f.numbers, err = decodeNumbers(s.Numbers); err != nil {
		return nil, false, fmt.Errorf("read snapshot: %w", err)
	}
	for p := call.NewUnpacker(s.Calls); len(p.Bytes()) > 0; {
		c := new(known)
		if c.pack(p); p.Err() != nil {
			return nil, false, fmt.Errorf("read snapshot: %w", p.Err())
		}
		f.calls[c.ID] = c
		f.count(c, +1)
		f.arm(c)
	}
	return f, true, nil
}
