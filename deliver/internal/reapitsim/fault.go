package reapitsim

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a rule: requests that match suffer the action. A platform request meets its fault only when credentials, headers and
// limits are in order, and holds its slot meanwhile. The first rule that matches and is not used up is taken.
//
//	{"match": {"path": "/notifications", "subType": "incomingCall"}, "times": 2, "action": {"status": 503, "retryAfter": {"after": "5s"}}}
type Fault struct {
	ID    int   `json:"id"`    // given by the Sim
	Match Match `json:"match"` // what is empty matches everything
	Skip  int   `json:"skip"`  // let the first ones pass
	Times int   `json:"times"` // 0 is every one
	// Chance is the part of those that match which it meets, 0 to 1; 0 is all of them. What it meets follows from the
	// knob faultSeed, the rule and what is asked for the how many-th time, in whatever order the requests come.
	Chance float64 `json:"chance,omitempty"`
	Act    Action  `json:"action"`
	Used   int     `json:"used"` // how often it has acted
}

// Match compares what is not empty. A path matches with and without its last slash, and with what is below it.
type Match struct {
	Method       string `json:"method,omitempty"`
	Path         string `json:"path,omitempty"`
	Customer     string `json:"customer,omitempty"`
	NegotiatorID string `json:"negotiatorId,omitempty"` // one of the targets, or the one that is read
	SubType      string `json:"subType,omitempty"`
	CallID       string `json:"callId,omitempty"`
}

// Action is what happens. Delay and Slow go with every other one; Processed does the request's work first, so that only the
// answer is lost or altered. A delay beyond the gateway's timeout ends in its 504.
type Action struct {
	Delay      Duration    `json:"delay,omitempty"`
	Status     int         `json:"status,omitempty"`
	Body       string      `json:"body,omitempty"` // api, pascal, gateway, validation, oauth, html, malformed, empty, text
	Text       string      `json:"text,omitempty"` // the description, message or error in it; as it is for text
	RetryAfter *RetryAfter `json:"retryAfter,omitempty"`
	Hang       bool        `json:"hang,omitempty"` // no answer until the client leaves
	Drop       bool        `json:"drop,omitempty"` // the connection is closed without an answer
	Slow       Duration    `json:"slow,omitempty"` // between the bytes of the body
	Processed  bool        `json:"processed,omitempty"`
}

// RetryAfter is written as seconds, or as a date when As says so.
type RetryAfter struct {
	After Duration `json:"after"`
	As    string   `json:"as,omitempty"`
}

var bodyShapes = []string{"", "api", "pascal", "gateway", "validation", "oauth", "html", "malformed", "empty", "text"}

func (f Fault) check() error {
	a := f.Act
	switch {
	case f.Skip < 0 || f.Times < 0:
		return errors.New("skip and times cannot be negative")
	case f.Chance < 0 || f.Chance > 1:
		return errors.New("chance must be 0 to 1")
	case a.Status != 0 && (a.Status < 200 || a.Status > 599):
		return errors.New("status must be 200 to 599")
	case !slices.Contains(bodyShapes, a.Body):
		return errors.New("body must be one of " + strings.Join(bodyShapes[1:], ", "))
	case a.Delay < 0 || a.Slow < 0:
		return errors.New("delay and slow cannot be negative")
	case a.RetryAfter != nil && (a.Status == 0 || !slices.Contains([]string{"", "seconds", "date"}, a.RetryAfter.As)):
		return errors.New("retryAfter needs a status, and seconds or date")
	case a.Status == 0 && a.Body == "" && !a.Hang && !a.Drop && a.Delay == 0 && a.Slow == 0:
		return errors.New("the action does nothing")
	}
	return nil
}

func (m Match) matches(x *exchange) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	path, below := strings.TrimSuffix(x.r.URL.Path, "/"), strings.TrimSuffix(m.Path, "/")
	negotiator := m.NegotiatorID == "" || m.NegotiatorID == negotiatorID(x.r.URL.Path) ||
		slices.Contains(x.peek.negotiators(), m.NegotiatorID)
	return same(m.Method, x.r.Method) && same(m.Customer, x.customer) && same(m.SubType, x.peek.SubType) &&
		same(m.CallID, x.peek.Payload.ID) && negotiator &&
		(below == "" || path == below || strings.HasPrefix(path, below+"/"))
}

// answer is what the action answers in the place of the resource.
func (a Action) answer(now time.Time) answer {
	status := a.Status
	if status == 0 {
		status = http.StatusOK
	}
	out := a.shaped(now, status)
	if a.RetryAfter != nil {
		if out.header == nil {
			out.header = map[string]string{}
		}
		out.header["Retry-After"] = a.RetryAfter.value(now)
	}
	return out
}

func (a Action) shaped(now time.Time, status int) answer {
	text := a.Text
	if text == "" {
		text = usualText(status)
	}
	switch a.shape(status) {
	case "gateway":
		return gatewayMessage(status, text)
	case "pascal":
		return pascalError(now, status, text)
	case "validation":
		return validationError(now, status, []fieldError{{"payload", text}})
	case "oauth":
		return jsonAnswer(status, map[string]string{"error": text})
	case "html":
		return answer{status, map[string]string{"Content-Type": "text/html"}, []byte("<html><body><h1>" + text + "</h1></body></html>"), 0}
	case "malformed":
		return answer{status, map[string]string{"Content-Type": jsonType}, []byte(`{"statusCode": `), 0}
	case "empty":
		return answer{status: status}
	case "text":
		return answer{status, map[string]string{"Content-Type": "text/plain; charset=utf-8"}, []byte(a.Text), 0}
	}
	return apiError(now, status, text)
}

// shape is the asked one, or the one that Reapit uses with this status.
func (a Action) shape(status int) string {
	switch {
	case a.Body != "":
		return a.Body
	case status < 300:
		return "empty"
	case status == http.StatusTooManyRequests:
		return "pascal"
	case status == http.StatusUnprocessableEntity:
		return "validation"
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return "gateway"
	}
	return "api"
}

func usualText(status int) string {
	text, known := map[int]string{
		http.StatusUnauthorized:        textCredentials,
		http.StatusForbidden:           textScope,
		http.StatusTooManyRequests:     textConcurrency,
		http.StatusInternalServerError: textUnexpected,
		http.StatusGatewayTimeout:      textTimeout,
	}[status]
	if known {
		return text
	}
	return http.StatusText(status)
}

func (r RetryAfter) value(now time.Time) string {
	after := time.Duration(r.After)
	if r.As == "date" {
		return now.Add(after).UTC().Format(http.TimeFormat)
	}
	return strconv.Itoa(int(after / time.Second))
}
