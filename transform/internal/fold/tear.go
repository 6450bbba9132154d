package fold

import "time"

// tear is a place at which the stream has lost what was not folded yet. What
// the calls of that time were is not to be known any more: those known before,
// and those first heard within a ring limit behind it, say that there is a gap.
type tear struct {
	Until time.Time `json:"until,omitzero"`
	fresh bool      // nothing behind it was folded yet
}

// begin dates the tear by the first input behind it.
func (t *tear) begin(clock time.Time, limit time.Duration) {
	if t.fresh {
		t.fresh, t.Until = false, clock.Add(limit)
	}
}

// tear notes that the inputs behind the newest one are lost.
func (f *Fold) tear() {
	f.torn.fresh = true
	for _, c := range f.calls {
		c.Torn = true
		c.MarkGap()
	}
}

// told goes on behind an event that a log holds, of an input that is lost: no
// two events of a call share an id.
func (f *Fold) told(callID string, seq int, at time.Time) {
	if c := f.calls[callID]; c != nil {
		c.Told(seq)
		return
	}
	if f.numbers.of(callID) < seq {
		f.numbers.keep(callID, seq, at)
	}
}
