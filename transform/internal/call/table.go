package call

import "ringstream/schemas/event"

// cell is one step of the machine: the state it leads to and what it does
// then. The zero cell means that the step does not fit.
type cell struct {
	to state
	do func(*Call, *participant, step) []event.Call
	// unrung: only for somebody who has not rung in this life.
	unrung bool
}

// row is what may happen to a participant in one state.
type row [numSteps]cell

// inTime is the machine for events that did not happen before what brought
// the participant to the present state.
var inTime = [numStates]row{
	none:        idleRow(),
	offered:     idleRow(),
	ringing:     without(idleRow(), coming, arrived),
	overflowing: idleRow(),
	diverting: with(without(idleRow(), transferStarted), row{
		transferCancelled: {to: back},
	}),

	talking: {
		holdStart:         {to: held, do: tell(event.Held)},
		transferStarted:   {to: transferring, do: tell(event.Transferring)},
		transferConnected: {to: handedOver, do: (*Call).handOver},
		disconnected:      {to: hungUp, do: (*Call).hangUp},
	},
	held: {
		holdEnd:           {to: talking, do: tell(event.Resumed)},
		transferStarted:   {to: transferring, do: tell(event.Transferring)},
		transferConnected: {to: handedOver, do: (*Call).handOver},
		disconnected:      {to: hungUp, do: (*Call).hangUp},
	},
	transferring: {
		transferCancelled: {to: back},
		transferConnected: {to: handedOver, do: (*Call).handOver},
		disconnected:      {to: hungUp, do: (*Call).hangUp},
	},

	left:       without(idleRow(), cancelled),
	hungUp:     without(idleRow(), cancelled, transferConnected),
	handedOver: without(idleRow(), cancelled, transferConnected),
	lost:       idleRow(),
}

// idleRow is what may happen to somebody who has not taken the call.
func idleRow() row {
	return row{
		coming:            {to: offered},
		arrived:           {to: offered},
		allocated:         {to: ringing, do: (*Call).ring},
		connected:         {to: talking, do: (*Call).answer},
		cancelled:         {to: left},
		overflowed:        {to: overflowing},
		transferStarted:   {to: diverting, do: tell(event.Transferring)},
		transferConnected: {to: handedOver, do: (*Call).passOn},
		disconnected:      {to: hungUp, do: (*Call).depart},
	}
}

// overtaken is the machine for events that happened before what brought the
// participant to the present state, and are learned after it. They end where
// the right order would have ended.
var overtaken = [numStates]row{
	offered: {
		allocated:    {to: ringing, do: (*Call).ring},
		connected:    {to: talking, do: (*Call).answer},
		disconnected: {to: offered, do: (*Call).departEarlier},
	},
	ringing: {
		connected:    {to: talking, do: (*Call).answer},
		disconnected: {to: ringing, do: (*Call).departEarlier},
	},
	overflowing: {
		allocated:    {to: overflowing, do: (*Call).ring, unrung: true},
		connected:    {to: talking, do: (*Call).answer},
		disconnected: {to: overflowing, do: (*Call).departEarlier},
	},
	diverting: {
		allocated:    {to: diverting, do: (*Call).ring, unrung: true},
		connected:    {to: transferring, do: (*Call).answerBeforeTransfer},
		disconnected: {to: diverting, do: (*Call).departEarlier},
	},
	left: {
		allocated:    {to: left, do: (*Call).ring, unrung: true},
		connected:    {to: talking, do: (*Call).answer},
		disconnected: {to: left, do: (*Call).departEarlier},
	},
	hungUp: {
		allocated:    {to: hungUp, do: (*Call).ring, unrung: true},
		connected:    {to: hungUp, do: (*Call).answerBeforeHangUp},
		disconnected: {to: hungUp, do: (*Call).departEarlier},
	},
	handedOver: {
		allocated:    {to: handedOver, do: (*Call).ring, unrung: true},
		connected:    {to: handedOver, do: (*Call).answerBeforeHandOver},
		disconnected: {to: handedOver, do: (*Call).departEarlier},
	},
	lost: {
		connected:    {to: talking, do: (*Call).answer},
		disconnected: {to: lost, do: (*Call).departEarlier},
	},
}

func without(r row, kinds ...kind) row {
	for _, k := range kinds {
		r[k] = cell{}
	}
	return r
}

func with(r, more row) row {
	for k, c := range more {
		if c.to != none {
			r[k] = c
		}
	}
	return r
}
