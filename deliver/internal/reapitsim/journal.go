package reapitsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// keep is how many requests and how many notifications are remembered; half of them go when it is reached.
const keep = 200_000

// Request is one received request. Status is 0 until it is answered, and stays 0 when it never was.
type Request struct {
	Number        int               `json:"number"`
	Time          time.Time         `json:"time"`
	RequestID     string            `json:"requestId"`
	Remote        string            `json:"remote,omitempty"` // the other end of the connection
	Method        string            `json:"method"`
	Path          string            `json:"path"`
	Query         string            `json:"query,omitempty"`
	Customer      string            `json:"customer,omitempty"`
	ActedFor      string            `json:"actedFor,omitempty"` // when it is not Customer: the legacy authorizer's doing
	CallID        string            `json:"callId,omitempty"`
	SubType       string            `json:"subType,omitempty"`
	NegotiatorIDs []string          `json:"negotiatorIds,omitempty"`
	Headers       map[string]string `json:"headers"`
	Body          json.RawMessage   `json:"body,omitempty"`     // a string when it was not JSON
	Fault         int               `json:"fault,omitempty"`    // the rule that it met
	Accepted      bool              `json:"accepted,omitempty"` // the notification went to its targets, whatever was answered
	Status        int               `json:"status"`
	Done          bool              `json:"done"`
	DurationMS    float64           `json:"durationMs"`
}

// Notification is one target of one accepted notification.
type Notification struct {
	Seq          int             `json:"seq"`
	Time         time.Time       `json:"time"`
	Customer     string          `json:"customer"`
	NegotiatorID string          `json:"negotiatorId"`
	SubType      string          `json:"subType"`
	Payload      json.RawMessage `json:"payload"`
	Request      int             `json:"request"`
	RequestID    string          `json:"requestId"`

	callID string
}

// peek is what can be told of a body before it is judged.
type peek struct {
	SubType string `json:"subType"`
	Targets struct {
		NegotiatorID json.RawMessage `json:"negotiatorId"`
	} `json:"targets"`
	Payload struct {
		ID string `json:"id"`
	} `json:"payload"`
}

func peekBody(body []byte) (p peek) {
	_ = json.Unmarshal(body, &p) // what cannot be told stays empty
	return p
}

func (p peek) negotiators() (ids []string) {
	_ = json.Unmarshal(p.Targets.NegotiatorID, &ids)
	return ids
}

// journal remembers what came in. Sequence numbers go on after a reset, so that a stream stays in place.
type journal struct {
	mu            sync.Mutex
	requests      []*Request
	notifications []Notification
	lastRequest   int
	lastSeq       int
	grown         chan struct{} // closed when a notification is added
}

func newJournal() *journal { return &journal{grown: make(chan struct{})} }

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests, j.notifications = nil, nil
}

func (j *journal) begin(x *exchange, id string, now time.Time) *Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lastRequest++
	r := &Request{
		Number: j.lastRequest, Time: now, RequestID: id, Remote: x.r.RemoteAddr, Method: x.r.Method, Path: x.r.URL.Path, Query: x.r.URL.RawQuery,
		Customer: x.customer, CallID: x.peek.Payload.ID, SubType: x.peek.SubType, NegotiatorIDs: x.peek.negotiators(),
		Headers: shownHeaders(x.r.Header), Body: shownBody(x.body),
	}
	j.requests = append(halved(j.requests), r)
	return r
}

func (r *Request) fault(j *journal, id int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Fault = id
}

func (j *journal) finish(x *exchange, took time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := x.record
	r.Status, r.Done, r.DurationMS = x.status, true, float64(took)/float64(time.Millisecond)
	if x.customer != r.Customer {
		r.ActedFor = x.customer
	}
}

// accept writes down one entry per target.
func (j *journal) accept(x *exchange, now time.Time) {
	var body struct {
		Payload json.RawMessage `json:"payload"`
	}
	_ = json.Unmarshal(x.body, &body) // it was validated
	j.mu.Lock()
	defer j.mu.Unlock()
	x.record.Accepted = true
	for _, id := range x.peek.negotiators() {
		j.lastSeq++
		j.notifications = append(halved(j.notifications), Notification{
			Seq: j.lastSeq, Time: now, Customer: x.customer, NegotiatorID: id, SubType: x.peek.SubType, Payload: body.Payload,
			Request: x.record.Number, RequestID: x.record.RequestID, callID: x.peek.Payload.ID,
		})
	}
	close(j.grown)
	j.grown = make(chan struct{})
}

// since gives the notifications from a sequence number on, the number after them, and what is closed when there are more.
func (j *journal) since(seq int) ([]Notification, int, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i, _ := slices.BinarySearchFunc(j.notifications, seq, func(n Notification, seq int) int { return n.Seq - seq })
	return slices.Clone(j.notifications[i:]), j.lastSeq + 1, j.grown
}

func (j *journal) next() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lastSeq + 1
}

// received gives copies of the requests that match, oldest first.
func (j *journal) received(match func(Request) bool) []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := []Request{}
	for _, r := range j.requests {
		if match(*r) {
			found = append(found, *r)
		}
	}
	return found
}

func halved[T any](list []T) []T {
	if len(list) < keep {
		return list
	}
	return slices.Clone(list[len(list)-keep/2:])
}

func shownHeaders(h http.Header) map[string]string {
	shown := make(map[string]string, len(h))
	for name, values := range h {
		shown[name] = strings.Join(values, ", ")
	}
	if scheme, _, ok := strings.Cut(h.Get("Authorization"), " "); ok {
		shown["Authorization"] = scheme + " ***"
	} else {
		delete(shown, "Authorization")
	}
	delete(shown, "Cookie")
	return shown
}

func shownBody(body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return nil
	case json.Valid(body):
		return body
	}
	text := string(body)
	if form, err := url.ParseQuery(text); err == nil && form.Has("client_secret") {
		form.Set("client_secret", "***")
		text = form.Encode()
	}
	quoted, _ := json.Marshal(text) // a string always has a JSON form
	return quoted
}
