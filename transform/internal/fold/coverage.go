package fold

import (
	"time"

	"ringstream/schemas/event"
)

// A live replica says so every second; this long without a word from any is a
// span in which an event may have gone unheard.
const uncovered = 3 * time.Second

// coverage follows whether some replica of ingest was listening. It goes by
// what the replicas say of their own time, because a message may be stored
// long after it was heard.
type coverage struct {
	Until time.Time `json:"until,omitzero"` // some replica listened until then
}

// gap takes a coverage event and reports whether nobody listened just before it.
func (c *coverage) gap(f event.Feed) bool {
	missing := !c.Until.IsZero() && f.At.Sub(c.Until) > uncovered
	if (f.Live || f.Type == event.Closed) && f.At.After(c.Until) {
		c.Until = f.At
	}
	return missing
}
