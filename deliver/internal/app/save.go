package app

import (
	"time"
)

// When a snapshot is due.
const (
	snapshotChanges = 5000 // records, or inputs
	snapshotPause   = time.Minute
)

// save appends a snapshot when one is due: of many changes when nobody waits, or
// when there are twice as many.
func (t *term) save() {
	most := max(t.changes, t.taken)
	idle := len(t.inputs) == 0 && t.memory.Flying() == 0
	old := most > 0 && t.now().Sub(t.savedAt) >= snapshotPause
	if old || most >= snapshotChanges && idle || most >= 2*snapshotChanges {
		t.snapshot(false)
	}
}

// snapshot saves the state; behind the last one nothing is sent.
func (t *term) snapshot(last bool) {
	var spent []int64
	var left []owed
	if last {
		spent, left = t.budget.spentLately(), t.budget.slots.owes()
	}
	data, err := t.memory.save(t.budget.state(), last, spent, left)
	if err != nil {
		t.cancel(err)
		return
	}
	at := t.now()
	t.changes, t.taken, t.savedAt = 0, 0, at
	t.journal.snapshot(t.memory.in, data, func(took time.Duration) {
		t.kept.Store(at.UnixNano())
		t.seen.snapshot(took)
	})
}
