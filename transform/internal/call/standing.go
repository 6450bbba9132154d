package call

import "ringstream/schemas/event"

// Standing is what one user is doing in a call, in the words of STATES.md. Who
// calls somebody in the office has two: one on each side.
type Standing struct {
	User     event.User
	Outbound bool
	State    string
}

// Standings lists everybody, each side in the order of first appearance.
func (c *Call) Standings() []Standing {
	all := make([]Standing, 0, len(c.Users)+len(c.Legs))
	for i := range c.Users {
		all = append(all, Standing{User: c.Users[i].user(), State: c.Users[i].State.String()})
	}
	for i := range c.Legs {
		all = append(all, Standing{User: c.Legs[i].user(), Outbound: true, State: c.Legs[i].State.String()})
	}
	return all
}
