package call

import "time"

// state is what one participant is doing. The numbers are part of the
// snapshot format. Left, hung up and handed over are one to the world: they
// differ in what an answer learned too late still means.
type state uint8

const (
	none         state = iota // not seen in this life of the call
	offered                   // the call is meant for the user
	ringing                   // the user's phone rings
	talking                   // with the caller
	held                      // the caller waits, the user may talk to somebody else
	transferring              // a talker passes the call on
	diverting                 // the call is passed on without having been taken
	overflowing               // the call is on its way elsewhere
	left                      // withdrawn: the allocation or the caller went away
	hungUp                    // the user's own Disconnected was seen
	handedOver                // the user's own TransferConnected was seen
	lost                      // somebody else answered
	numStates
	back // in a table: what the user was before the transfer
)

var stateNames = [...]string{
	"none", "offered", "ringing", "talking", "held", "transferring", "diverting",
	"overflowing", "left", "hung up", "handed over", "lost", "", "back",
}

func (s state) String() string { return stateNames[s] }

// talks: the user has taken the call and still has it.
func (s state) talks() bool { return s == talking || s == held || s == transferring }

// waits: the call may yet reach somebody by way of this user.
func (s state) waits() bool { return s == offered || s == overflowing || s == diverting }

// rests: the user has nothing to do with the call any more.
func (s state) rests() bool { return s == left || s == hungUp || s == handedOver || s == lost }

// participant is a user on the inbound side, in the order of first appearance.
type participant struct {
	ID       string
	Name     string
	Owner    bool
	MissTold bool // of a miss, in some life
	spell
}

// spell is what a new life forgets of a participant.
type spell struct {
	State state
	Back  state     // before the transfer
	At    time.Time // when what the user is doing began, in event time
	Mid   time.Time // latest hold or transfer step, taken or not
	Rung  bool      // incoming was emitted in this life
	Told  bool      // and ended or missed since
}

// open is the model's "open": rung, and not yet given ended or missed.
func (p *participant) open() bool { return p.Rung && !p.Told }

// move takes the participant to a state at a time. Holding and transferring
// happen within a talk and do not begin anything: a Disconnected is compared
// with the answer, or a hold heard too early would hide the end of the call.
func (p *participant) move(to state, at time.Time) {
	before := p.Back
	p.Back = none
	switch to {
	case back:
		to = before
	case transferring, diverting:
		p.Back = p.State
	}
	switch {
	case to.talks() && p.State.talks():
	case to.talks():
		p.At = at
	default:
		p.At = later(p.At, at)
	}
	p.State = to
}
