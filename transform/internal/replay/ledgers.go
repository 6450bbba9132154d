package replay

import (
	"maps"
	"slices"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
)

// ledgers are what all replicas together have listened to, and what each did.
type ledgers struct {
	*coverage.Ledger
	each map[string]*coverage.Ledger
}

func newLedgers() *ledgers {
	return &ledgers{new(coverage.Ledger), map[string]*coverage.Ledger{}}
}

func (l *ledgers) take(f event.Feed) {
	l.Take(f)
	if l.each[f.Instance] == nil {
		l.each[f.Instance] = new(coverage.Ledger)
	}
	l.each[f.Instance].Take(f)
}

// names of the replicas, in order.
func (l *ledgers) names() []string { return slices.Sorted(maps.Keys(l.each)) }

// gone reports whether a replica is not expected any more.
func (l *ledgers) gone(name string) bool {
	_, expected := l.Replicas()[name]
	return !expected
}

// gaps are those that are asked for.
func (a asked) gaps(l *coverage.Ledger, w coverage.Window) []coverage.Gap {
	if a.entity == "" {
		return l.Gaps(w)
	}
	return l.GapsOf(a.entity, w)
}
