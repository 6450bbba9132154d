package replay

import (
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
)

// lapses counts the gaps of coverage that begin while it looks. A gap is certain
// when every replica of ingest has spoken of the time.
type lapses struct {
	ledger coverage.Ledger
	until  time.Time // up to then they are counted
}

func (l *lapses) take(f event.Feed) { l.ledger.Take(f) }

func (l *lapses) count() (n int) {
	settled := l.ledger.Settled()
	if !settled.After(l.until) {
		return 0
	}
	if !l.until.IsZero() {
		for _, g := range l.ledger.Gaps(coverage.Window{From: l.until, Until: settled}) {
			if g.From.After(l.until) {
				n++
			}
		}
	}
	l.until = settled
	l.ledger.Forget(settled.Add(-coverage.Silence))
	return n
}
