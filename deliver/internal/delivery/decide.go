package delivery

import (
	"strconv"
	"time"
)

// Kind says how an attempt ended.
type Kind string

// The ways an attempt can end.
const (
	Answered         Kind = "answered" // an HTTP status came
	Timeout          Kind = "timeout"
	Refused          Kind = "refused"
	DNS              Kind = "dns"
	TLS              Kind = "tls"
	Network          Kind = "network"   // any other failure of the connection
	Malformed        Kind = "malformed" // what came is no HTTP, or a page for people
	TokenRefused     Kind = "token-refused"
	TokenUnreachable Kind = "token-unreachable"
	TokenShared      Kind = "token-shared" // the customer was given another one's
	Cancelled        Kind = "cancelled"    // by ourselves: we are stopping
	NotSent          Kind = "not-sent"     // it did not get as far as the wire
	Unsendable       Kind = "unsendable"   // no request can be made of it
	Withheld         Kind = "withheld"     // shadow mode: everything but the POST was done
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		Answered, Timeout, Refused, DNS, TLS, Network, Malformed,
		TokenRefused, TokenUnreachable, TokenShared, Cancelled, NotSent, Unsendable, Withheld,
	}
}

// Result is what came of one attempt.
type Result struct {
	Kind       Kind
	Sent       bool          // it was on its way when it failed; an answer implies it
	Status     int           // of an answer
	Misset     bool          // the answer's words are about a setting
	RetryAfter time.Duration // how long the answer asks to wait; 0 when it does not
	Took       time.Duration // from its beginning
}

// Attempt is what the table needs to know of the attempts so far.
type Attempt struct {
	Number    int           // of this attempt, from 1
	Refreshed bool          // this delivery has already had a fresh token
	Patience  time.Duration // the longest wait between two attempts that still makes sense
	Left      time.Duration // until the deadline; 0 when there is none
	Targets   int           // negotiators whom the request is for
}

// Action is what to do next.
type Action string

// The actions.
const (
	Deliver Action = "deliver" // done: Reapit took it
	Shadow  Action = "shadow"  // done: it would have been sent
	Retry   Action = "retry"   // the same again after Wait
	Pause   Action = "pause"   // nothing at all is sent for Hold; the same again after Wait
	Refresh Action = "refresh" // at once again with a fresh token
	Park    Action = "park"    // the customer waits and is probed slowly
	Reject  Action = "reject"  // Reapit will never take this one
	Bury    Action = "bury"    // nobody knows what would help
	Resume  Action = "resume"  // nothing happened: the same again, not counted
	Split   Action = "split"   // at once again, one request for each negotiator
)

// Verdict is the answer of the table.
type Verdict struct {
	Action  Action
	Wait    time.Duration // of Retry, Pause and Resume, for this delivery
	Hold    time.Duration // of Pause, for everybody
	Trial   bool          // of Pause: Reapit asked for longer than Hold, so one request has to show whether it is over
	Reason  string        // in words, for people; empty when delivered
	Cause   string        // one word, for labels and subjects; empty when delivered
	Perhaps bool          // Reapit may have shown it all the same
	Late    bool          // the deadline passes before it could be tried again
	Alone   bool          // with one request for each negotiator, from now on
	Slot    time.Duration // for how much longer Reapit may count the request as under way
}

// Decide looks the result up. jitter is 0 up to 1 and spreads the waits.
//
// What is refused for its content is refused for each negotiator by himself:
// several in one request are tried again one by one. So are they, when a request
// fails for the second time in a way that may be one negotiator's fault.
func Decide(r Result, a Attempt, jitter float64) Verdict {
	row := find(r, a)
	v := Verdict{
		Action: row.then, Cause: row.cause, Reason: row.reason,
		Perhaps: row.perhaps && (r.Sent || r.Kind == Answered),
	}
	if r.Kind == Answered && v.Reason != "" {
		v.Reason += " (HTTP " + strconv.Itoa(r.Status) + ")"
	}
	if a.Targets > 1 {
		v.Action, v.Alone = apart(v.Action, row.doubtful && a.Number > 1)
	}
	if row.holds {
		v.Slot = slot(r)
	}
	switch v.Action {
	case Retry:
		v.Wait = max(Backoff(a.Number, a.Patience, jitter), min(r.RetryAfter, max(a.Patience, longestAsked)))
	case Pause:
		asked := min(r.RetryAfter, longestAsked)
		v.Wait = max(Backoff(a.Number, a.Patience, jitter), asked)
		v.Hold = max(Backoff(a.Number, longestHold, jitter), asked)
		v.Trial = r.RetryAfter > longestAsked
	case Resume:
		v.Wait = time.Duration(float64(time.Second) * (1 + jitter))
	}
	v.Late = (v.Action == Retry || v.Action == Pause) && a.Left > 0 && v.Wait >= a.Left
	return v
}

// apart is what to do with several in one request; suspect says that one of
// them may be the reason.
func apart(then Action, suspect bool) (Action, bool) {
	switch then {
	case Reject, Bury:
		return Split, false
	default:
		return then, then == Retry && suspect
	}
}

// Lingers is for how much longer Reapit may count a request as under way that
// ended so for us: what the verdict says of it, without an attempt's history.
func Lingers(r Result) time.Duration {
	if !find(r, Attempt{}).holds {
		return 0
	}
	return slot(r)
}

// slot is for how long Reapit's gateway goes on with a request that it or we
// gave up: it has had one of ours for as long as we have waited.
func slot(r Result) time.Duration {
	switch {
	case r.Kind == Answered:
		return GatewayLimit
	case r.Sent:
		return max(GatewayLimit-r.Took, 0)
	default:
		return 0
	}
}

func find(r Result, a Attempt) row {
	for _, candidate := range table {
		if candidate.fits(r, a) {
			return candidate
		}
	}
	return row{then: Retry, cause: "unknown", reason: "the attempt ended in a way that nobody foresaw"}
}

// GatewayLimit is when Reapit's gateway gives up on a request. One that it
// gave up, or that we did, keeps its slot for about as long.
const GatewayLimit = 30 * time.Second

const (
	firstWait   = 500 * time.Millisecond
	longestHold = 4 * time.Second // unless Reapit asks for more: a ringing call waits behind it

	// longestAsked is how long Reapit can make everybody wait at once. Its rate
	// is counted by the second, a slot that a lost request holds is free again
	// after the 30 s of the gateway, and it documents no Retry-After: nothing
	// known lasts for a minute but the end of the day's budget, and then a
	// request a minute costs nothing. No call waits for longer.
	longestAsked = time.Minute
)

// Backoff is the wait after the n-th attempt: it doubles from half a second up
// to patience, less a random half.
func Backoff(n int, patience time.Duration, jitter float64) time.Duration {
	wait := patience
	if doublings := max(n, 1) - 1; doublings < 20 {
		wait = min(firstWait<<doublings, patience)
	}
	return wait/2 + time.Duration(float64(wait/2)*jitter)
}
