package call

import "ringstream/schemas/event"

// alloc is what the first UserCallInUserAllocated suggests.
type alloc uint8

const (
	noAlloc    alloc = iota
	allocOwn         // the number called is the user's own, or it cannot be told
	allocOther       // it is another, such as that of a group
)

// learn keeps what an event says of the whole call: numbers, organization,
// evidence of a group. Numbers are kept as first told, since a transfer may
// put the colleague's in their place; but any caller beats a withheld one.
func (c *Call) learn(s step) {
	r := s.raw
	c.Org = firstOf(c.Org, r.OrganizationID)
	c.Group = c.Group || s.queue || r.TechQueueID != ""
	switch {
	case s.kind == unknown:
		return // not even its direction is certain
	case s.kind.outbound():
		c.Out.learn(r)
		return
	}
	c.In.learn(r)
	switch {
	case s.queue:
	case s.kind == coming:
		c.Direct = true
	case s.kind == allocated && c.Alloc == noAlloc:
		c.Alloc = allocOwn
		if Differ(r.UserNumber, r.TargetNumber) {
			c.Alloc = allocOther
		}
	}
}

func (n *numbers) learn(r event.Raw) {
	if !withheld(r.CallerNumber) {
		n.Caller = firstOf(n.Caller, r.CallerNumber)
	}
	n.Called = firstOf(n.Called, r.TargetNumber)
}

func firstOf(have, told string) string {
	if have == "" {
		return told
	}
	return have
}

// huntGroup decides with what is known now. Two who have rung prove a group
// for good; that the number called is not the first user's own does so only
// while nobody is known to have been called directly.
func (c *Call) huntGroup() bool {
	rung := 0
	for i := range c.Users {
		if c.Users[i].Rung {
			rung++
		}
	}
	c.Group = c.Group || rung >= 2
	return c.Group || c.Alloc == allocOther && !c.Direct
}
