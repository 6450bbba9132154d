package delivery

// row is one line of the table. The first that fits decides.
type row struct {
	kind      Kind
	from, to  int  // statuses of an answer, both included
	misset    bool // only when the answer's words are about a setting
	refreshed bool // only after a fresh token
	perhaps   bool // Reapit may have acted on it, if it was sent
	doubtful  bool // one negotiator of several may be the reason
	holds     bool // Reapit may still be at it
	then      Action
	cause     string
	reason    string
}

func (w row) fits(r Result, a Attempt) bool {
	if w.kind != r.Kind || w.misset && !r.Misset || w.refreshed && !a.Refreshed {
		return false
	}
	return r.Kind != Answered || w.from <= r.Status && r.Status <= w.to
}

// table is the whole policy. Reapit's limits, its spurious 401 and 403 and its
// two validation statuses are why it looks like this: none of them may disable
// a customer for good, and only what is refused for its content is rejected.
// A 5xx may come from the gateway while the platform does its work.
var table = []row{
	{kind: Answered, from: 200, to: 299, then: Deliver},
	{kind: Answered, from: 300, to: 399, then: Park, cause: configuration, reason: "the address leads elsewhere: Reapit redirects"},
	{kind: Answered, from: 400, to: 400, misset: true, then: Park, cause: configuration, reason: "Reapit refuses every request like this"},
	{kind: Answered, from: 400, to: 400, then: Reject, cause: "rejected", reason: "Reapit found the notification invalid"},
	{kind: Answered, from: 401, to: 401, refreshed: true, then: Park, cause: "unauthorized", reason: "Reapit refuses the customer even with a fresh token"},
	{kind: Answered, from: 401, to: 401, then: Refresh, cause: "unauthorized", reason: "Reapit refuses the token"},
	{kind: Answered, from: 403, to: 403, misset: true, then: Park, cause: configuration, reason: "Reapit refuses every request like this"},
	{kind: Answered, from: 403, to: 403, refreshed: true, then: Park, cause: "scope", reason: "Reapit has not granted the scope notifications.telephony.write"},
	{kind: Answered, from: 403, to: 403, then: Refresh, cause: "scope", reason: "the token has not the scope notifications.telephony.write"},
	{kind: Answered, from: 404, to: 405, then: Park, cause: configuration, reason: "Reapit has nothing at that address"},
	{kind: Answered, from: 407, to: 407, then: Park, cause: configuration, reason: "a proxy on the way wants credentials"},
	{kind: Answered, from: 408, to: 408, then: Retry, cause: "timeout", reason: "Reapit gave up waiting"},
	{kind: Answered, from: 422, to: 422, then: Reject, cause: "rejected", reason: "Reapit found the notification invalid"},
	{kind: Answered, from: 425, to: 425, then: Retry, cause: "unavailable", reason: "Reapit asks to come again"},
	{kind: Answered, from: 429, to: 429, then: Pause, cause: "limited", reason: "Reapit's limits are reached"},
	{kind: Answered, from: 500, to: 500, perhaps: true, doubtful: true, then: Retry, cause: "unavailable", reason: "Reapit is in trouble"},
	{kind: Answered, from: 504, to: 504, perhaps: true, holds: true, then: Retry, cause: "unavailable", reason: "Reapit's gateway gave up waiting"},
	{kind: Answered, from: 501, to: 599, perhaps: true, then: Retry, cause: "unavailable", reason: "Reapit is in trouble"},
	{kind: Answered, from: 0, to: 199, perhaps: true, then: Retry, cause: "malformed", reason: "the answer has no final status"},
	{kind: Answered, from: 400, to: 499, then: Bury, cause: "refused", reason: "Reapit refused for a reason that is not known"},
	{kind: Answered, from: 600, to: 999, perhaps: true, then: Retry, cause: "malformed", reason: "the answer has a status that HTTP does not know"},

	{kind: Timeout, perhaps: true, doubtful: true, holds: true, then: Retry, cause: "timeout", reason: "no answer in time"},
	{kind: Refused, then: Retry, cause: "network", reason: "the connection was refused"},
	{kind: DNS, then: Retry, cause: "network", reason: "the name of Reapit's host was not found"},
	{kind: TLS, then: Retry, cause: "network", reason: "no trust in Reapit's certificate"},
	{kind: Network, perhaps: true, then: Retry, cause: "network", reason: "the connection broke"},
	{kind: Malformed, perhaps: true, then: Retry, cause: "malformed", reason: "what came back was no answer of Reapit's"},
	{kind: TokenRefused, then: Park, cause: "token", reason: "the token endpoint refuses REAPIT_CLIENT_ID and REAPIT_CLIENT_SECRET"},
	{kind: TokenUnreachable, then: Retry, cause: "token", reason: "the token endpoint does not answer"},
	{kind: TokenShared, then: Park, cause: "shared-token", reason: "Reapit gives this customer the token of another one"},
	{kind: Cancelled, perhaps: true, holds: true, then: Resume, cause: "cancelled", reason: "the attempt was broken off"},
	{kind: NotSent, then: Resume, cause: "not-sent", reason: "the attempt was not made"},
	{kind: Unsendable, then: Bury, cause: "unsendable", reason: "no request can be made of it"},
	{kind: Withheld, then: Shadow},
}

const configuration = "configuration"
