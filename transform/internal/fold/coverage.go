package fold

import (
	"slices"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// known is a call that is remembered, and who of RTE's entities took part in it
// since when: whether all of them were listened to is not the call's to know.
type known struct {
	call.Call
	Begun   time.Time // when ingest first heard of it
	Parties []string  // users and queues
	Torn    bool      // messages of its time were lost from the stream itself
	timer   time.Time // of its entry in the timers that counts; zero: it has none
}

func (k *known) pack(p *call.Packer) {
	k.Pack(p)
	p.Time(&k.Begun)
	call.Each(p, &k.Parties, p.Text)
	p.Flag(&k.Torn)
}

// join takes what an event says of the call's life.
func (k *known) join(r event.Raw, recorded time.Time) {
	if k.Begun.IsZero() || recorded.Before(k.Begun) {
		k.Begun = recorded
	}
	for _, id := range []string{r.UserID, r.EntityID, r.TechQueueID} {
		if id != "" && !slices.Contains(k.Parties, id) {
			k.Parties = append(k.Parties, id)
		}
	}
}

// check marks the call if somebody who takes part in it, or everybody, was not
// listened to in its life. A replica that is late may fill the gap; but what is
// forgotten stays as it was.
func (k *known) check(covered func(entity string, from, until time.Time) bool, forgotten, until time.Time) {
	missed := k.Torn || !covered(coverage.Everything, k.Begun, until) ||
		slices.ContainsFunc(k.Parties, func(id string) bool { return !covered(id, k.Begun, until) })
	switch {
	case missed:
		k.MarkGap()
	case k.Gap && !k.Begun.Before(forgotten):
		k.FillGap()
	}
}

// How far back a gap is looked for in the life of a call that is as old.
const coverageAge = 6 * time.Hour

// listen takes a coverage event.
func (f *Fold) listen(e event.Feed) {
	f.coverage.Take(e)
	covered, forgotten, until := f.coverage.Checker(), f.coverage.Floor(), f.present()
	for _, c := range f.calls {
		if c.Open() {
			c.check(covered, forgotten, until)
		}
	}
}

// present is the latest time that anybody has told of.
func (f *Fold) present() time.Time { return later(f.clock, f.coverage.Newest()) }

// forget drops what the coverage events told of times that matter no more.
func (f *Fold) forget() {
	before := f.coverage.Settled()
	for _, c := range f.calls {
		if c.Begun.Before(before) {
			before = c.Begun
		}
	}
	f.coverage.Forget(later(before, f.coverage.Newest().Add(-coverageAge)))
}
