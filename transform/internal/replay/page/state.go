package page

import (
	"slices"

	"ringstream/schemas/event"
	"ringstream/transform/internal/replay/explain"
)

// State is what a call is doing.
type State string

// The states of a call, those that go on before those in which it rests.
const (
	Ringing      State = "ringing"
	Transferring State = "transferring"
	Talking      State = "talking"
	Held         State = "on hold"
	Dialling     State = "dialling"
	Arriving     State = "arriving"
	Ended        State = "ended"
	Missed       State = "missed"
	Over         State = "over"
)

// standing is what a user does, as package call names it.
type standing struct {
	state    string
	outbound bool
}

// doing says what a call does of which a user does this, the first that fits.
var doing = []struct {
	standing
	is State
}{
	{standing{"ringing", false}, Ringing},
	{standing{"transferring", false}, Transferring},
	{standing{"diverting", false}, Transferring},
	{standing{"talking", false}, Talking},
	{standing{"connected", true}, Talking},
	{standing{"held", false}, Held},
	{standing{"held", true}, Held},
	{standing{"dialling", true}, Dialling},
	{standing{"offered", false}, Arriving},
	{standing{"overflowing", false}, Arriving},
}

func (s State) over() bool { return s == Ended || s == Missed || s == Over }

// stateOf reads it from what the fold made of the call or, where the fold cannot
// know, from what it told.
func stateOf(e explain.Evidence) State {
	type side struct {
		user     string
		outbound bool
	}
	now := map[side]string{}
	var told []event.CallType
	for _, s := range e.Steps {
		for _, c := range s.Told {
			told = append(told, c.Type)
			switch {
			case c.Inferred: // by a time limit: nobody moved, and the call is over
				clear(now)
			case c.Type == event.Incoming && len(c.Audience) > 0: // of a new life, too
				now[side{c.Audience[0].UserID, false}] = "ringing"
			}
		}
		for _, m := range s.Moves {
			now[side{m.User.UserID, m.Outbound}] = m.To
		}
	}
	for _, d := range doing {
		for at, state := range now {
			if d.standing == (standing{state, at.outbound}) {
				return d.is
			}
		}
	}
	if e.Cut || len(told) == 0 {
		for _, s := range e.Events {
			told = append(told, s.Call.Type)
		}
	}
	return lastTold(told, e.Cut)
}

// lastTold is the state that the newest of some types leave a call in.
func lastTold(told []event.CallType, cut bool) State {
	going := map[event.CallType]State{
		event.Incoming: Ringing, event.Answered: Talking, event.Connected: Talking, event.Resumed: Talking,
		event.Held: Held, event.Transferring: Transferring, event.Outgoing: Dialling,
	}
	for _, t := range slices.Backward(told) {
		switch {
		case t == event.Ended:
			return Ended
		case t == event.Missed:
			return Missed
		case cut && going[t] != "":
			return going[t]
		}
	}
	return Over
}
