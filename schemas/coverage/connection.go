package coverage

import (
	"math"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// moment is a time in Unix nanoseconds.
type moment = int64

const forever moment = math.MaxInt64

// The times that are believed. Others would not fit.
var (
	earliest = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func believed(t time.Time) bool { return t.After(earliest) && t.Before(latest) }

func timeOf(m moment) time.Time { return time.Unix(0, m).UTC() }

// momentOf returns 0 for what is not believed.
func momentOf(t time.Time) moment {
	if !believed(t) {
		return 0
	}
	return t.UnixNano()
}

// replica is one instance of ingest.
type replica struct {
	name    string
	said    moment      // its last word
	on      *connection // nil while it has none
	ended   string      // epoch of the one before, which may be repeated
	stopped bool        // it said that it was asked to
	gone    bool        // silent for so long that it is no longer expected
}

// connection is one epoch of a replica.
type connection struct {
	Replica string `json:"replica"`
	Epoch   string `json:"epoch"`
	Since   moment `json:"since"`
	Said    moment `json:"said"`           // the replica's last word of it
	Heard   moment `json:"heard"`          // the hub's last word on it
	Live    bool   `json:"live,omitempty"` // has been called live
	Stands  bool   `json:"stands,omitempty"`
	Answers bool   `json:"answers,omitempty"` // its hub answers pings: Heard tells more than Said
	All     bool   `json:"all,omitempty"`     // it began before the stream does: what it holds is not known
	Held    int    `json:"held,omitempty"`    // items
	Over    bool   `json:"over,omitempty"`
	Why     string `json:"why,omitempty"` // it is over
}

// hear takes what the replica says of its connection.
func (c *connection) hear(f event.Feed, at moment) {
	c.Heard = max(c.Heard, heardBy(f))
	c.Said = max(c.Said, at)
	c.Answers = f.Answers
	c.Stands = f.Live || !c.Live && c.Said-c.Heard <= c.lately() // before it is live it is still subscribing
	c.Live = c.Live || f.Live
}

// lately is for how long its hub may say nothing.
func (c *connection) lately() moment {
	if c.Answers {
		return int64(Silence)
	}
	return int64(lately)
}

// heardBy is how far an event says that its connection reaches. Events from
// before there was heardAt say it by their time.
func heardBy(f event.Feed) moment {
	if f.HeardAt.IsZero() && (f.Live || f.Type == event.Closed) {
		return momentOf(f.At)
	}
	return momentOf(f.HeardAt)
}

// reach is how far the connection covers, as far as is known now.
func (c *connection) reach(now moment) moment {
	switch {
	case !c.Stands:
		return c.Heard
	case !c.Over && now-c.Said <= int64(Silence):
		return forever
	case c.Answers: // the next answer would have come within a heartbeat
		return max(c.Heard, min(c.Said, c.Heard+int64(heartbeat)))
	default:
		return max(c.Heard, c.Said)
	}
}

// settled is how far that cannot change any more.
func (c *connection) settled() moment { return min(c.Heard, c.Said) }

// close ends a connection as its replica said.
func (c *connection) close(reason string) {
	c.Over, c.Stands, c.Why = true, false, brief(reason)
	if c.Why == "" {
		c.Why = "closed"
	}
}

// leave ends a connection of which nothing more was said.
func (c *connection) leave(why string) { c.Over, c.Why = true, why }

// why tells why it reaches no further.
func (c *connection) why() string {
	switch {
	case c.Over:
		return c.Why
	case !c.Stands:
		return "nothing heard of the hub"
	default:
		return "nothing heard of the replica"
	}
}

// What is kept of a text.
const briefest = 160

func brief(s string) string {
	if len(s) > briefest {
		s = s[:briefest]
	}
	return strings.ToValidUTF8(s, "")
}

// stop is how ingest begins the reason of a connection that it ended because
// it was asked to stop.
const stop = "stopped"
