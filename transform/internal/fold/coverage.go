package fold

import (
	"maps"
	"time"

	"ringstream/schemas/event"
)

// A live replica says so every second; this long without a word from any is a
// span in which an event may have gone unheard.
const uncovered = 3 * time.Second

// coverage follows whether some replica of ingest was listening. It goes by
// what the replicas say of their own time, because a message may be stored
// long after it was heard.
//
// A connection covers from its first live word until its hub was last heard on
// it. Between two pings of a quiet hub nobody knows yet how far it reaches:
// nothing is missing then as long as its replica calls it live.
type coverage struct {
	Until     time.Time           `json:"until,omitzero"` // some replica listened until then
	Listening map[string]listener `json:"listening,omitempty"`
}

// listener is what a replica that calls itself live said of its connection.
type listener struct {
	Epoch string    `json:"epoch"`
	Since time.Time `json:"since"` // first live word
	Heard time.Time `json:"heard"` // the hub's last word
	Said  time.Time `json:"said"`  // the replica's last word
}

// gap takes a coverage event and reports whether nobody listened just before it.
func (c *coverage) gap(f event.Feed) bool {
	maps.DeleteFunc(c.Listening, func(_ string, l listener) bool { return f.At.Sub(l.Said) > uncovered })
	c.hear(f)
	if c.extend() {
		return false
	}
	end := f.At
	for _, l := range c.Listening {
		if l.Since.Before(end) {
			end = l.Since
		}
	}
	missing := !c.Until.IsZero() && end.Sub(c.Until) > uncovered
	if len(c.Listening) > 0 { // they begin what comes after the gap
		c.Until = end
		c.extend()
	}
	return missing
}

// hear takes what a replica says of its connection. A closed one counts up to
// its end.
func (c *coverage) hear(f event.Feed) {
	l, known := c.Listening[f.Instance]
	if !known || l.Epoch != f.Epoch {
		l = listener{Epoch: f.Epoch, Since: f.At}
		known = false
	}
	if heard := heardBy(f); heard.After(l.Heard) {
		l.Heard = heard
	}
	l.Said = f.At
	if known && !f.Live {
		c.Listening[f.Instance] = l
		c.extend()
	}
	if !f.Live {
		delete(c.Listening, f.Instance)
		return
	}
	if c.Listening == nil {
		c.Listening = map[string]listener{}
	}
	c.Listening[f.Instance] = l
}

// heardBy is how far an event says that its connection reaches. Events from
// before there was heardAt say it by their time.
func heardBy(f event.Feed) time.Time {
	if f.HeardAt.IsZero() && (f.Live || f.Type == event.Closed) {
		return f.At
	}
	return f.HeardAt
}

// extend carries Until on by the connections that were there already, and
// reports whether there is one.
func (c *coverage) extend() (bridged bool) {
	for again := true; again; {
		again = false
		for _, l := range c.Listening {
			if l.Since.Sub(c.Until) > uncovered {
				continue
			}
			bridged = true
			if l.Heard.After(c.Until) {
				c.Until, again = l.Heard, true
			}
		}
	}
	return bridged
}
