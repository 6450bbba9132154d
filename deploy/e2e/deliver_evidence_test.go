package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ringstream/schemas/event"
)

// What the checker of deliver goes by: what the test has put into CALLS, what
// reapit-sim has in its journal, what DELIVERIES and DEADLETTERS hold. It knows
// nothing of deliver's.

// evidence is all of it.
type evidence struct {
	said     []said
	requests []request
	outcomes []event.Outcome
	recorded map[string]time.Time // when DELIVERIES had the first outcome of an event for a negotiator
	letters  []event.DeadLetter
	faults   map[int]ailment // what was planted, by the rule's number
	kills    []span          // within which a replica was killed
	reigns   []span          // within which another, or the same anew, began to deliver
	deaf     []span          // within which whoever delivers may not have heard what CALLS has
	clocks   time.Duration   // what two clocks may differ by
	slow     time.Duration   // what the host takes for a ring when nothing is hurt
	partial  bool            // there were requests that reapit-sim did not see
	offices  []office
	promised
}

// promised is what deliver was set to.
type promised struct {
	deadlines   map[event.CallType]time.Duration
	rate        int
	concurrency int
}

// usually are the defaults of the settings.
func usually() promised {
	return promised{rate: 20, concurrency: 5, deadlines: map[event.CallType]time.Duration{
		event.Incoming: 30 * time.Second, event.Answered: 2 * time.Minute, event.Ended: 10 * time.Minute, event.Missed: 24 * time.Hour,
	}}
}

// said is a call event as CALLS holds it.
type said struct {
	event.Call
	stored time.Time
}

// request is what came in at reapit-sim, or, once it is traced back, what its sender made.
type request struct {
	Number        int             `json:"number"`
	Time          time.Time       `json:"time"`
	RequestID     string          `json:"requestId"`
	Remote        string          `json:"remote"`
	Path          string          `json:"path"`
	Customer      string          `json:"customer"`
	ActedFor      string          `json:"actedFor"`
	CallID        string          `json:"callId"`
	SubType       string          `json:"subType"`
	NegotiatorIDs []string        `json:"negotiatorIds"`
	Body          json.RawMessage `json:"body"`
	Fault         int             `json:"fault"`
	Accepted      bool            `json:"accepted"`
	Status        int             `json:"status"`
	Done          bool            `json:"done"`
	DurationMS    float64         `json:"durationMs"`

	traced
}

func (r request) end() time.Time {
	return r.Time.Add(time.Duration(r.DurationMS * float64(time.Millisecond)))
}

// platform reports whether the request counts against the limits.
func (r request) platform() bool { return r.Path != "/oauth/token" && r.Path != "/token" }

// told reports whether the client was told of success.
func (r request) told() bool { return r.Done && !r.Unheard && r.Status/100 == 2 }

// refused reports whether the agent certainly saw nothing.
func (r request) refused() bool { return !r.Accepted && r.Status/100 == 4 }

var kindOf = map[string]event.CallType{
	"incomingCall": event.Incoming, "answeredCall": event.Answered, "endedCall": event.Ended, "missedCall": event.Missed,
}

// laneKey is one negotiator in one call.
type laneKey struct{ customer, negotiator, call string }

func (k laneKey) String() string { return k.customer + "/" + k.negotiator + " " + k.call }

// posted is one target of one request.
type posted struct {
	request
	of *said // nil where nobody has said it
}

// laneStory is all that is known of a lane. An event type comes once in it.
type laneStory struct {
	laneKey
	events   []*said
	posts    []posted // as they came in
	outcomes []*event.Outcome
}

func (s *laneStory) event(kind event.CallType) *said {
	if i := slices.IndexFunc(s.events, func(e *said) bool { return e.Type == kind }); i >= 0 {
		return s.events[i]
	}
	return nil
}

// outcome is the first of an event.
func (s *laneStory) outcome(of *said) *event.Outcome {
	if i := slices.IndexFunc(s.outcomes, func(o *event.Outcome) bool { return o.EventID == of.EventID() }); i >= 0 {
		return s.outcomes[i]
	}
	return nil
}

// over is when CALLS had what ends the call for this negotiator; zero while it goes on.
func (s *laneStory) over() time.Time {
	for _, e := range s.events {
		if e.Type == event.Ended || e.Type == event.Missed {
			return e.stored
		}
	}
	return time.Time{}
}

// elsewhere is when CALLS had that somebody else answered.
func (s *laneStory) elsewhere(e *evidence) time.Time {
	if a := s.event(event.Answered); a != nil && !s.own(e) {
		return a.stored
	}
	return time.Time{}
}

// own reports whether this negotiator answered the call.
func (s *laneStory) own(e *evidence) bool {
	a := s.event(event.Answered)
	if a == nil || a.AnsweredBy == nil {
		return false
	}
	_, negotiator := e.whoIs(a.Call, a.AnsweredBy.UserID)
	return negotiator == s.negotiator
}

// whoIs tells to whom a user's notifications go.
func (e *evidence) whoIs(c event.Call, userID string) (customer, negotiator string) {
	for _, o := range e.offices {
		if o.organization == c.OrganizationID {
			return o.customer, o.negotiatorOf(userID)
		}
	}
	return "", ""
}

// stories sorts the evidence by lanes, and finds what belongs to none.
func (e *evidence) stories() (all map[laneKey]*laneStory, found []finding) {
	all = map[laneKey]*laneStory{}
	for i := range e.said {
		c := &e.said[i]
		for _, u := range c.Audience {
			if customer, negotiator := e.whoIs(c.Call, u.UserID); negotiator != "" {
				key := laneKey{customer, negotiator, c.CallID}
				if all[key] == nil {
					all[key] = &laneStory{laneKey: key}
				}
				if all[key].event(c.Type) != nil {
					panic("the plan has two " + string(c.Type) + " for " + key.String())
				}
				all[key].events = append(all[key].events, c)
			}
		}
	}
	found = e.addPosts(all)
	for i := range e.outcomes {
		o := &e.outcomes[i]
		if s := all[laneKey{o.Customer, o.NegotiatorID, o.CallID}]; s != nil {
			s.outcomes = append(s.outcomes, o)
		}
	}
	return all, found
}

func (e *evidence) addPosts(all map[laneKey]*laneStory) (found []finding) {
	for _, r := range e.requests {
		if r.SubType == "" {
			continue
		}
		if r.ActedFor != "" {
			found = append(found, finding{where: reapitSide, kind: wrongCustomer, id: r.CallID, note: r.Customer + " became " + r.ActedFor})
		}
		for _, n := range r.NegotiatorIDs {
			key := laneKey{r.Customer, n, r.CallID}
			s := all[key]
			if s == nil || s.event(kindOf[r.SubType]) == nil {
				found = append(found, finding{where: reapitSide, kind: wrongCustomer, id: key.String(), note: fmt.Sprintf("request %d, %s: nobody has said that", r.Number, r.SubType)})
				continue
			}
			s.posts = append(s.posts, posted{r, s.event(kindOf[r.SubType])})
		}
	}
	return found
}
