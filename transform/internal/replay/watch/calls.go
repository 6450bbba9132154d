package watch

import (
	"fmt"
	"slices"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// expected is what CALLS is to hold of a partition, in order.
type expected struct {
	queue []Told
	blind bus.Position // up to here nothing is compared: it was too much to remember
	late  bool
}

// Expect takes what the fold tells, in its order.
func (c *Checker) Expect(t Told) {
	if t.At.In <= c.rules.Heard {
		return
	}
	l := &c.logs[t.Partition]
	if len(l.queue) >= c.rules.Most {
		l.blind = l.queue[0].At
		l.queue = l.queue[1:]
		c.forgotten++
	}
	l.queue = append(l.queue, t)
}

// Call takes a message of CALLS.
func (c *Checker) Call(h Held) (found []Violation) {
	say := func(k Kind, format string, args ...any) {
		found = append(found, Violation{h.Stored, k, topology.Calls, h.Seq, h.Call.CallID, h.ID, fmt.Sprintf(format, args...)})
	}
	if !h.Stated || h.Call.CallID == "" {
		say(Extra, "message %d is no call event of transform's", h.Seq)
		return found
	}
	r := c.record(h.Call.CallID, h.Stored)
	again, lost := r.last > 0 && h.Call.Sequence <= r.last, slices.Contains(r.lost, h.Call.Sequence)
	l := &c.logs[topology.Partition(topology.KeyToken(h.Call.CallID), c.rules.Partitions)]
	if h.At.In > c.rules.Heard && h.At.After(l.blind) {
		found = append(found, c.compare(l, r, h, again)...)
	} else if again {
		say(Doubled, "%s", doubledBy(h))
	}
	if !again {
		if r.last > 0 && h.Call.Sequence != r.last+1 {
			say(Misnumbered, "%d follows %d", h.Call.Sequence, r.last)
		}
		r.last = h.Call.Sequence
	}
	if !again || lost {
		c.await(r, h)
	}
	return found
}

func doubledBy(h Held) string { return fmt.Sprintf("CALLS has it again, of RTE %d", h.At.In) }

// compare finds the event among those that the fold has told. What stands before it
// there is missing: a partition's events reach CALLS in order.
func (c *Checker) compare(l *expected, r *record, h Held, again bool) (found []Violation) {
	say := func(k Kind, detail string) {
		found = append(found, Violation{h.Stored, k, topology.Calls, h.Seq, h.Call.CallID, h.ID, detail})
	}
	at := slices.IndexFunc(l.queue, func(t Told) bool { return t.ID == h.ID })
	switch {
	case at < 0 && slices.Contains(r.lost, h.Call.Sequence):
		r.lost = slices.DeleteFunc(r.lost, func(n int) bool { return n == h.Call.Sequence })
		say(Misplaced, "it was told before what CALLS has before it")
		return found
	case at < 0 && again:
		say(Doubled, doubledBy(h))
		return found
	case at < 0:
		say(Extra, fmt.Sprintf("RTE %d, which it names, does not tell it", h.At.In))
		return found
	}
	for _, t := range l.queue[:at] {
		found = append(found, c.miss(t, h))
	}
	t := l.queue[at]
	clear(l.queue[:at+1])
	l.queue = l.queue[at+1:]
	if unlike := t.Unlike(h.Message); unlike != "" {
		say(Changed, unlike)
	}
	if took := h.Stored.Sub(t.Stored); took <= c.rules.Late {
		l.late = false
	} else if !l.late {
		l.late = true
		say(Late, fmt.Sprintf("stored %s behind RTE %d", took.Round(time.Millisecond), t.At.In))
	}
	return found
}

// miss is about an event that CALLS went past.
func (c *Checker) miss(t Told, by Held) Violation {
	r := c.record(t.Call, by.Stored)
	r.lost = append(r.lost, t.Number)
	return Violation{by.Stored, Missing, topology.Calls, 0, t.Call, t.ID, fmt.Sprintf("RTE %d tells it, and CALLS has %s of RTE %d at %d", t.At.In, by.ID, by.At.In, by.Seq)}
}

// late finds the partitions of which CALLS lacks something for too long.
func (c *Checker) late(now time.Time) (found []Violation) {
	for p := range c.logs {
		l := &c.logs[p]
		if len(l.queue) == 0 || l.late || now.Sub(l.queue[0].Stored) <= c.rules.Late {
			continue
		}
		l.late = true
		t := l.queue[0]
		found = append(found, Violation{now, Late, topology.Calls, 0, t.Call, t.ID, fmt.Sprintf(
			"RTE %d told it %s ago, and CALLS does not have it, nor %d more of partition %d", t.At.In, now.Sub(t.Stored).Round(time.Second), len(l.queue)-1, p)})
	}
	return found
}
