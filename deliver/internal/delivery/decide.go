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
	Malformed        Kind = "malformed" // what came is no HTTP answer
	TokenRefused     Kind = "token-refused"
	TokenUnreachable Kind = "token-unreachable"
	Cancelled        Kind = "cancelled"  // by ourselves: we are stopping
	NotSent          Kind = "not-sent"   // it did not get as far as the wire
	Unsendable       Kind = "unsendable" // no request can be made of it
	Withheld         Kind = "withheld"   // shadow mode: everything but the POST was done
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		Answered, Timeout, Refused, DNS, TLS, Network, Malformed,
		TokenRefused, TokenUnreachable, Cancelled, NotSent, Unsendable, Withheld,
	}
}

// Result is what came of one attempt.
type Result struct {
	Kind       Kind
	Sent       bool          // it was on its way when it failed; an answer implies it
	Status     int           // of an answer
	Misset     bool          // the answer's words are about a setting
	RetryAfter time.Duration // how long the answer asks to wait; 0 when it does not
}

// Attempt is what the table needs to know of the attempts so far.
type Attempt struct {
	Number    int           // of this attempt, from 1
	Refreshed bool          // this delivery has already had a fresh token
	Patience  time.Duration // the longest wait between two attempts that still makes sense
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
}

// Decide looks the result up. jitter is 0 up to 1 and spreads the waits.
func Decide(r Result, a Attempt, jitter float64) Verdict {
	row := find(r, a)
	v := Verdict{
		Action: row.then, Cause: row.cause, Reason: row.reason,
		Perhaps: row.perhaps && (r.Sent || r.Kind == Answered),
	}
	if r.Kind == Answered && v.Reason != "" {
		v.Reason += " (HTTP " + strconv.Itoa(r.Status) + ")"
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
	return v
}

func find(r Result, a Attempt) row {
	for _, candidate := range table {
		if candidate.fits(r, a) {
			return candidate
		}
	}
	return row{then: Retry, cause: "unknown", reason: "the attempt ended in a way that nobody foresaw"}
}

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
