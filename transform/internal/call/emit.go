package call

import (
	"time"

	"ringstream/schemas/event"
)

func (p *participant) user() event.User { return event.User{UserID: p.ID, UserName: p.Name} }

func (l *leg) user() event.User { return event.User{UserID: l.ID, UserName: l.Name} }

// emit makes the next event of the call, or none where nobody would hear it.
func (c *Call) emit(t event.CallType, d event.Direction, at time.Time, cause event.Cause, audience ...event.User) []event.Call {
	if len(audience) == 0 {
		return nil
	}
	n := c.In
	if d == event.Outbound {
		n = c.Out
	}
	c.Seq++
	e := event.Call{
		CallID: c.ID, OrganizationID: c.Org, Type: t, Direction: d, OccurredAt: at,
		Caller: n.Caller, Called: n.Called, CallerWithheld: n.Caller == "",
		HuntGroup: c.huntGroup(), Audience: audience, AnsweredBy: c.answerer(),
		Sequence: c.Seq, Coverage: event.Complete, Cause: cause,
	}
	if c.Gap {
		e.Coverage = event.Gap
	}
	return []event.Call{e}
}

// openUsers are those who have the call on their screens.
func (c *Call) openUsers() []event.User {
	var out []event.User
	for i := range c.Users {
		if c.Users[i].open() {
			out = append(out, c.Users[i].user())
		}
	}
	return out
}

func (c *Call) answerer() *event.User {
	if !c.answered() {
		return nil
	}
	return &event.User{UserID: c.AnsweredBy, UserName: c.nameOf(c.AnsweredBy, "")}
}

// nameOf returns the user's name as first told, on either side of the call.
func (c *Call) nameOf(id, told string) string {
	for _, p := range c.Users {
		if p.ID == id && p.Name != "" {
			return p.Name
		}
	}
	for _, l := range c.Legs {
		if l.ID == id && l.Name != "" {
			return l.Name
		}
	}
	return told
}
