package schedule

import (
	"strconv"
	"time"

	"ringstream/schemas/event"
)

// Deadlines is how long after ringstream heard of its event each notification is still worth sending.
type Deadlines map[event.CallType]time.Duration

// longestPatience bounds the wait between two attempts of what has all day.
const longestPatience = 5 * time.Minute

// Patience is the longest wait between two attempts of a type.
func (d Deadlines) Patience(t event.CallType) time.Duration {
	return min(d[t]/8, longestPatience)
}

// Of is until when a delivery may be sent. A missed call is worth knowing of
// whenever somebody has it tried again; nothing else is.
func (d Deadlines) Of(x *Delivery) time.Time {
	from := x.Heard()
	if x.Call.Type == event.Missed {
		from = later(from, x.Redriven)
	}
	return from.Add(d[x.Call.Type])
}

// Wanted reports whether Reapit has a notification for a call event.
func Wanted(c event.Call) bool {
	_, known := classes[c.Type]
	return known && c.Direction != event.Outbound
}

// classes is the priority across lanes: lower goes first.
var classes = map[event.CallType]int{event.Incoming: 0, event.Answered: 1, event.Ended: 2, event.Missed: 3}

const classCount = 5

// class puts what an operator has tried again behind everything else.
func (d *Delivery) class() int {
	if d.Redrive > 0 {
		return len(classes)
	}
	return classes[d.Call.Type]
}

// Policy is what the operator decides.
type Policy struct {
	Deadlines Deadlines
	Group     bool // one request for all negotiators of an event who are due
}

// Delivery is one call event on its way to one negotiator.
type Delivery struct {
	Call        event.Call   `json:"call"` // without its audience: Users has this negotiator's part
	Position    uint64       `json:"position"`
	Index       int          `json:"index"` // n-th delivery of its event
	Received    time.Time    `json:"received"`
	Traceparent string       `json:"traceparent,omitempty"`
	Customer    string       `json:"customer"`
	Region      string       `json:"region,omitempty"` // of the customer's national numbers
	Negotiator  string       `json:"negotiator"`
	AnsweredBy  string       `json:"answeredBy,omitempty"` // the negotiator who answered, if he is one
	Users       []event.User `json:"users"`
	Attempts    int          `json:"attempts,omitempty"` // requests that reached Reapit, or may have
	Failures    int          `json:"failures,omitempty"` // of whatever kind; the waits grow with them
	FirstTried  *time.Time   `json:"firstTried,omitempty"`
	Status      int          `json:"status,omitempty"`
	RequestID   string       `json:"requestId,omitempty"`
	Trouble     string       `json:"trouble,omitempty"` // why the last attempt failed
	NotBefore   time.Time    `json:"notBefore,omitzero"`
	Refreshed   bool         `json:"refreshed,omitempty"`
	Alone       bool         `json:"alone,omitempty"`     // not in one request with others any more
	Overtaken   string       `json:"overtaken,omitempty"` // why it is not tried again
	Redrive     int          `json:"redrive,omitempty"`   // n-th time that an operator has it tried again
	Redriven    time.Time    `json:"redriven,omitzero"`   // when he asked
}

// ID names the delivery as its outcome will be named.
func (d *Delivery) ID() string { return outcomeID(d.Call.EventID(), d.Negotiator, d.Users, d.Redrive) }

func outcomeID(eventID, negotiator string, users []event.User, redrive int) string {
	return event.Outcome{EventID: eventID, NegotiatorID: negotiator, Users: users, Redrive: redrive}.ID()
}

// Heard is when ringstream heard of the event. The time of the event itself is
// by the hub's clock, which nobody here can set right.
func (d *Delivery) Heard() time.Time { return Heard(d.Call) }

// Heard is when ringstream heard of a call event.
func Heard(c event.Call) time.Time {
	if c.RecordedAt.IsZero() { // of an older transform
		return c.OccurredAt
	}
	return c.RecordedAt
}

// own reports whether this negotiator is the one who answered.
func (d *Delivery) own() bool { return d.AnsweredBy != "" && d.AnsweredBy == d.Negotiator }

// Record is the one outcome of a delivery.
type Record struct {
	Delivery Delivery
	Outcome  event.OutcomeType
	Cause    string // one of event.Causes
	Reason   string // the same in words
	At       time.Time
}

// Schedule is the whole memory. It is used by one goroutine.
type Schedule struct {
	deadlines Deadlines
	group     bool
	state     state
	agenda    agenda
	flying    map[string]*flight // by the first delivery of the request
	abandoned []flight           // requests that we have given up, and Reapit perhaps has not
	retries   retries
	room      Room // as told last
	sweepAt   time.Time
	awaiting  map[string][]int // sequences of the unresolved events by call
	lapsedAt  time.Time        // when all of the unresolved were looked at
	lapseAt   time.Time        // when the first of the unresolved is late; zero: none, or not looked at
	offers    int
	size      int // of the state as it was saved last, in bytes
}

// state is what outlives a restart.
type state struct {
	Calls    map[string]*call      `json:"calls,omitempty"`
	Parked   map[string]*park      `json:"parked,omitempty"` // by customer
	Pause    pause                 `json:"pause"`
	Known    map[string][]Recorded `json:"known,omitempty"`    // outcomes of events that are yet to be offered again
	Redriven map[string]redriven   `json:"redriven,omitempty"` // by delivery: what was taken on last
	// Unresolved are the events that wait for their organization's negotiators.
	Unresolved map[string][]*unresolved `json:"unresolved,omitempty"`
	Newest     time.Time                `json:"newest"`           // when the newest event was stored
	Silent     time.Duration            `json:"silent,omitempty"` // what of all silences so far does not count
}

// call is what is remembered of a call beyond its lanes.
type call struct {
	Customer string            `json:"customer,omitempty"` // whose negotiators Who tells
	Doubted  bool              `json:"doubted,omitempty"`  // something of it was perhaps sent before a crash, to whom nobody knows
	Seen     []int             `json:"seen"`               // sequences of its events: the stream may repeat some after a power loss
	Last     time.Time         `json:"last"`               // when the newest of them was stored
	Silent   time.Duration     `json:"silent,omitempty"`   // as it was then
	Who      map[string]string `json:"who,omitempty"`      // user → negotiator, for as long as the call lasts
	Lanes    map[string]*lane  `json:"lanes,omitempty"`
}

// New returns an empty memory.
func New(p Policy) *Schedule {
	return &Schedule{
		deadlines: p.Deadlines, group: p.Group,
		state:  state{Calls: map[string]*call{}, Parked: map[string]*park{}, Known: map[string][]Recorded{}, Redriven: map[string]redriven{}, Unresolved: map[string][]*unresolved{}},
		agenda: newAgenda(), flying: map[string]*flight{}, retries: retries{tokens: retryDepth}, awaiting: map[string][]int{},
	}
}

func (s *Schedule) deadline(d *Delivery) time.Time { return s.deadlines.Of(d) }

// leastTime is what a request gets to be answered in. One that began with less
// than that before its deadline would be broken off: perhaps shown, and for
// half a minute counted as if Reapit were still at it.
const leastTime = time.Second

// latest is until when an attempt may begin.
func (s *Schedule) latest(d *Delivery) time.Time {
	return s.deadline(d).Add(-min(leastTime, s.deadlines[d.Call.Type]/8))
}

// Queued counts what waits or is under way, by type, as of the last Next.
func (s *Schedule) Queued() map[event.CallType]int {
	counts := make(map[event.CallType]int, len(classes))
	for t, class := range classes {
		counts[t] = s.agenda.queued[class]
	}
	return counts
}

// Flying is how many requests are under way.
func (s *Schedule) Flying() int { return len(s.flying) }

// Stuck reports whether one of them hangs.
func (s *Schedule) Stuck(now time.Time) bool {
	for _, f := range s.flying {
		if f.stuck(now) {
			return true
		}
	}
	return false
}

func inWords(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return strconv.Itoa(n) + " " + many
}
