package reapit

import (
	"fmt"
	"net/http"
	"time"

	"ringstream/schemas/event"
)

// Kind says how a request ended.
type Kind string

// A request ends in one of these. That Reapit did not act on it is certain
// whenever [Result.Sent] is false; what an answer means, it says itself.
const (
	Answered         Kind = "answered"          // an HTTP status came
	Timeout          Kind = "timeout"           // no answer in time, or no connection in time
	Refused          Kind = "refused"           // nobody listens at the address
	DNS              Kind = "dns"               // the host name has no address
	TLS              Kind = "tls"               // no trust, or no TLS at all
	Network          Kind = "network"           // the connection broke
	Cancelled        Kind = "cancelled"         // the caller gave up while Reapit had it
	Malformed        Kind = "malformed"         // what came back was not what was asked for
	TokenRefused     Kind = "token-refused"     // the token endpoint does not accept the application
	TokenUnreachable Kind = "token-unreachable" // the token endpoint gave no token, for now
	TokenShared      Kind = "token-shared"      // the token endpoint gave the token of another customer
	NotSent          Kind = "not-sent"          // it never left: no admission, no time
	Unsendable       Kind = "unsendable"        // no request can be made of it, now or later
)

// MissingAuthenticationToken is the description of a 403 that is about no
// token: the gateway knows no such path or method, so the address is wrong.
const MissingAuthenticationToken = "Missing Authentication Token"

// Result is everything known about one request.
type Result struct {
	Path        string             // that was asked for, when Answered
	Status      int                // HTTP status when Answered; of the token endpoint it is never told
	RequestID   string             // x-amzn-RequestId
	RetryAfter  time.Duration      // how long the answer asks to wait, at most a day
	Errors      []event.FieldError // Reapit's validation errors
	Description string             // the answer's own words, cut and without secrets
	Kind        Kind
	Sent        bool          // it left for Reapit, as far as can be known
	Err         error         // what went wrong; nil when Answered
	Body        []byte        // of the request
	Begun       time.Time     // when sending began, behind every wait; zero when it did not
	Took        time.Duration // from sending to the end of the answer

	setting string // to look at, where the kind does not tell
}

// OK tells whether Reapit accepted the request.
func (r Result) OK() bool {
	return r.Kind == Answered && r.Status >= http.StatusOK && r.Status < http.StatusMultipleChoices
}

// Fault is a [FaultError], or nil for a request that was accepted.
func (r Result) Fault() error {
	if r.OK() {
		return nil
	}
	return &FaultError{r}
}

func (r Result) words() string {
	text := fmt.Sprintf("answered %d", r.Status)
	switch {
	case r.Err != nil:
		text = r.Err.Error()
	case r.Path != "" && r.Suspect() == "": // a setting says where to look
		text = r.Path + " " + text
	}
	if r.Err == nil && r.Description != "" {
		text += ": " + r.Description
	}
	if r.RequestID != "" {
		text += " (request " + r.RequestID + ")"
	}
	return text
}
