package call

// Verdict says what a raw event did to the call.
type Verdict uint8

// The verdicts. All but Changed mean that the event told nobody anything and
// moved nobody forward; what it teaches of the call (numbers, names, owners,
// evidence of a group) is kept unless it was a Duplicate or came AfterClose.
const (
	Changed     Verdict = iota // a step of the model was taken
	Duplicate                  // its id was seen before
	Unexpected                 // it does not fit what its user is doing
	AfterClose                 // it belongs to a life that has closed
	LateRing                   // a ring that happened before an answer already known
	UnknownType                // the model does not know its name
	numVerdicts
)

var verdictNames = [numVerdicts]string{"changed", "duplicate", "unexpected", "after-close", "late-ring", "unknown-type"}

// String returns the reason as metrics count it.
func (v Verdict) String() string {
	if v >= numVerdicts {
		return "invalid"
	}
	return verdictNames[v]
}
