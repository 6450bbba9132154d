package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/explain"
)

// scene is a call as the streams came to hold it, and what explain says of it.
type scene struct {
	name  string
	raw   []string // "<EventType> <user> [key value ...]"
	later bool     // transform does not run any more when it is heard
	ends  []ending
	hour  bool // it is asked about an hour later
	code  int
	says  string // what the first line begins with
	id    string // of the call; by its place
}

// ending is an outcome for one user of an event of a call.
type ending struct {
	user    string
	kind    event.CallType
	outcome event.OutcomeType
	cause   string
	reason  string
	status  int
	tries   int
	letter  []event.FieldError // of its dead letter
	after   time.Duration      // since ringstream heard of it
}

const rings = "UserCallInUserAllocated"

var scenes = []scene{
	{name: "told", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Delivered, status: 202, tries: 1}}, says: "Jane's screen (JAS) was told: Reapit accepted the incomingCall <time> after"},
	{
		name: "told-late", raw: []string{rings + " jane", "UserCallInUserConnected tom"},
		ends: []ending{{user: jane, outcome: event.Delivered, status: 202, tries: 3, after: 5 * time.Second}, {user: jane, kind: event.Answered, outcome: event.Delivered, status: 202, tries: 1, after: 6 * time.Second}, {user: tom, outcome: event.Delivered, status: 202, tries: 1}, {user: tom, kind: event.Answered, outcome: event.Delivered, status: 202, tries: 1}},
		says: "Both screens were told: ",
	},
	{
		name: "told-in-part", raw: []string{rings + " jane", "UserCallInUserConnected jane"},
		ends: []ending{{user: jane, outcome: event.Delivered, status: 202, tries: 1}, {user: jane, kind: event.Answered, outcome: event.Expired, cause: "limits", reason: "not delivered within 2m0s; after 9 attempts: Reapit's limits are reached", status: 429, tries: 9, after: 2 * time.Minute}},
		says: "Jane's screen (JAS) was told of the ring, but not of what followed: its answeredCall expired",
	},
	{name: "shadowed", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Shadowed}}, says: "Jane's screen (JAS) was not told: deliver ran as a shadow"},
	{
		name: "expired-late", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Expired, cause: "late", reason: "not delivered within 30s", after: 42 * time.Second}},
		says: "Jane's screen (JAS) was not told: its incomingCall expired <time> after it was heard, <time> past its deadline of <time>: it came to deliver too late",
	},
	{
		name: "expired-limits", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Expired, cause: "limits", reason: "not delivered within 30s; after 4 attempts: Reapit's limits are reached", status: 429, tries: 4, after: 25 * time.Second}},
		says: "Jane's screen (JAS) was not told: its incomingCall expired <time> after it was heard, since it could not be tried again within its deadline of <time>: it was throttled",
	},
	{
		name: "expired-parked", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Expired, cause: "parked", reason: "not delivered within 30s; Reapit refuses the customer: scope", after: 30 * time.Second}},
		says: "Jane's screen (JAS) was not told: its incomingCall expired",
	},
	{
		name: "expired-trouble", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Expired, cause: "trouble", reason: "not delivered within 30s; after 5 attempts: Reapit is in trouble", status: 503, tries: 5, after: 29 * time.Second}},
		says: "Jane's screen (JAS) was not told: its incomingCall expired",
	},
	{
		name: "superseded", raw: []string{rings + " jane", "UserCallInUserConnected tom"},
		ends: []ending{{user: jane, outcome: event.Superseded, cause: "answered-elsewhere", reason: "somebody else answered first", status: 429, tries: 2}, {user: tom, outcome: event.Delivered, status: 202, tries: 1}, {user: tom, kind: event.Answered, outcome: event.Delivered, status: 202, tries: 1}},
		says: "Jane's screen (JAS) was not told: its incomingCall was overtaken before it could be sent: somebody else answered first (HTTP 429 was the last answer to 2 attempts); the other screen was told",
	},
	{
		name: "unmapped", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Unmapped, cause: "nobody", reason: "no active negotiator has the user's e-mail address"}},
		says: "Jane's screen was not told: jane@agency.example is no negotiator of Reapit's: no active",
	},
	{
		name: "rejected", raw: []string{rings + " jane"},
		ends: []ending{{user: jane, outcome: event.Rejected, cause: "rejected", reason: "Reapit found the notification invalid (HTTP 422): callerId: 07911 123456 is no number", status: 422, tries: 1, letter: []event.FieldError{{Field: "payload.callerId", Message: "'07911 123456' is not valid"}}}},
		says: "Jane's screen (JAS) was not told: Reapit refused its incomingCall for good (HTTP 422, 1 attempt): Reapit found the notification invalid (HTTP 422): callerId: …456 is no number; in its words: payload.callerId: '…456' is not valid",
	},
	{
		name: "dead", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Dead, cause: "refused", reason: "Reapit refused for a reason that is not known (HTTP 409)", status: 409, tries: 1, letter: []event.FieldError{}}},
		says: "Jane's screen (JAS) was not told: Reapit refused its incomingCall for good (HTTP 409",
	},
	{name: "under-way", raw: []string{rings + " jane"}, says: "Jane's screen has not been told yet: its incoming is still under way"},
	{name: "no-outcome", raw: []string{rings + " jane"}, hour: true, says: "Jane's screen was not told: deliver has recorded nothing of its incoming, whose deadline passed <time> ago"},
	{name: "not-in-calls", raw: []string{rings + " jane"}, later: true, says: "Jane's screen has not been told yet: CALLS does not hold its incoming, which follows from message <n> of RTE"},
	{
		name: "diverted", raw: []string{"UserCallInComing jane", "UserCallInUserOverflow jane reason DND", "UserCallInDisconnected jane reason remote"},
		ends: []ending{{user: jane, kind: event.Missed, outcome: event.Delivered, status: 202, tries: 1}},
		says: "Jane's screen (JAS) did not pop: the phone never rang: do not disturb was on (DND), says its UserCallInUserOverflow; of the missed call it was told: Reapit accepted the missedCall",
	},
	{
		name: "declined", raw: []string{"UserCallInArrived jane", "UserCallInOverflow jane overflowReason UserActivelyDeclined"},
		says: "Jane's screen was not told: the phone never rang: the user declined it (UserActivelyDeclined), says its UserCallInOverflow",
	},
	{name: "withdrawn", raw: []string{"UserCallInArrived jane", "UserCallInUserCancelled jane"}, says: "Jane's screen was not told: the phone never rang: the call was withdrawn first"},
	{
		name: "answered-first", raw: []string{"UserCallInArrived jane", "UserCallInUserConnected tom"},
		ends: []ending{{user: tom, outcome: event.Delivered, status: 202, tries: 1}, {user: tom, kind: event.Answered, outcome: event.Delivered, status: 202, tries: 1}},
		says: "Jane's screen was not told: the phone never rang: Tom answered first; the other screen was told",
	},
	{name: "never-rang", raw: []string{"UserCallInArrived jane"}, hour: true, code: Different, says: "Jane's screen was not told: RTE never said that the phone rang"},
	{name: "outbound", raw: []string{"UserCallOutGoing tom"}, says: "Tom's screen was not told: the call is outbound for this user"},
	{name: "beyond-rte", ends: []ending{{user: jane, kind: event.Ended, outcome: event.Delivered, status: 202, tries: 1}}, code: Different, says: "Jane's screen (JAS) was not told: CALLS and DELIVERIES hold no ring of this user, and RTE no longer reaches back"},
	{name: "nobody", raw: []string{"QueueCallInComing -"}, says: "No screen was told: no event of the call names a user"},
	{
		name: "expired-day", raw: []string{rings + " jane"}, ends: []ending{{user: jane, outcome: event.Expired, cause: "limits", reason: "not delivered within 30s; the requests of the day are used up, or kept for calls that ring", after: 31 * time.Second}},
		says: "Jane's screen (JAS) was not told: its incomingCall expired <time> after it was heard, <time> past its deadline of <time>: it was throttled: the requests of the day (REAPIT_DAILY) are used up",
	},
}

// heard publishes the raw events of a scene.
func (r *rig) heard(s scene) {
	r.Helper()
	for _, line := range s.raw {
		f := strings.Fields(line)
		user := map[string]string{"jane": jane, "tom": tom}[f[1]]
		r.raw(agencyOrg, s.id, f[0], user, f[2:]...)
	}
}

// deliveries is a writer of outcomes, as deliver is one.
type deliveries struct {
	*rig
	log *bus.Log
	n   uint64
}

func (r *rig) deliveries() *deliveries {
	r.Helper()
	log, err := bus.OpenSerialLog(r.Context(), r.js, topology.Deliveries, topology.DeliveryLogPrefix)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(log.Close)
	return &deliveries{rig: r, log: log}
}

// end writes an outcome of a call, and its dead letter before it.
func (d *deliveries) end(id string, e ending) {
	d.Helper()
	if e.kind == "" {
		e.kind = event.Incoming
	}
	c := event.Call{CallID: id, OrganizationID: agencyOrg, Type: e.kind, Sequence: 7, RecordedAt: time.Now()} // of which no stream knows any more
	for _, m := range bustest.Messages(d, d.js, topology.Calls, topology.Call(agencyOrg, string(e.kind), id)) {
		var one event.Call
		if err := json.Unmarshal(m.Data, &one); err != nil {
			d.Fatal(err)
		}
		if slices.ContainsFunc(one.Audience, func(u event.User) bool { return u.UserID == e.user }) {
			c = one
		}
	}
	o := event.Outcome{
		EventID: c.EventID(), CallID: id, OrganizationID: agencyOrg, Customer: "RES", NegotiatorID: map[string]string{jane: "JAS", tom: "TOM"}[e.user],
		Users: []event.User{{UserID: e.user, UserName: map[string]string{jane: "jane@agency.example", tom: "tom@agency.example"}[e.user]}},
		Type:  e.kind, SubType: string(e.kind) + "Call", Outcome: e.outcome, Cause: e.cause, Reason: e.reason, Attempts: e.tries, Status: e.status,
		OccurredAt: c.OccurredAt, ReceivedAt: c.RecordedAt, FinishedAt: c.RecordedAt.Add(max(e.after, 100*time.Millisecond)).UTC(),
	}
	if o.Outcome == event.Unmapped {
		o.NegotiatorID = ""
	}
	if e.tries > 0 {
		o.RequestID = "5f0c9a3e-77d1-4c1b-9a52-6a1e0d3b8c47"
	}
	o.LatencyMS = o.FinishedAt.Sub(o.ReceivedAt).Milliseconds()
	if e.letter != nil {
		d.bury(o, e.letter)
	}
	ce, err := event.NewOutcome(o, "")
	if err != nil {
		d.Fatal(err)
	}
	header, body, err := event.Encode(ce)
	if err != nil {
		d.Fatal(err)
	}
	d.n++
	if err := d.log.Append(topology.Delivery(o.Customer, o.NegotiatorID, string(o.Outcome), o.CallID), header, body, bus.Position{In: d.n}); err != nil {
		d.Fatal(err)
	}
	if err := d.log.Flush(d.Context()); err != nil {
		d.Fatal(err)
	}
}

func (d *deliveries) bury(o event.Outcome, errs []event.FieldError) {
	d.Helper()
	l := event.DeadLetter{
		Service: "deliver", Reason: o.Cause, Detail: o.Reason, At: time.Now().UTC(), EventID: o.EventID, CallID: o.CallID,
		Customer: o.Customer, NegotiatorID: o.NegotiatorID, Status: o.Status, Errors: errs,
	}
	e, err := event.NewDeadLetter(l, o.ID(), "")
	if err != nil {
		d.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		d.Fatal(err)
	}
	d.publish(topology.DeadLetter("deliver", o.Cause), header, body)
}

var (
	spans   = regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(ms|s|µs)\b`)
	ordinal = regexp.MustCompile(`(RTE|CALLS|DELIVERIES|DEADLETTERS|show|redrive|message) \d+( *)`)
	days    = regexp.MustCompile(`of \d{4}-\d\d-\d\d `)
)

// settled takes out of an explanation what is of this run alone.
func settled(s string) string {
	s = ordinal.ReplaceAllStringFunc(timeless(s), func(found string) string {
		if strings.HasSuffix(found, " ") {
			return strings.Fields(found)[0] + " <n> " // however wide its column is
		}
		return strings.Fields(found)[0] + " <n>"
	})
	return days.ReplaceAllString(spans.ReplaceAllString(s, "<time>"), "of <day> ")
}

func (r *rig) explain(now time.Time, args ...string) (out, errs string, code int) {
	r.Helper()
	return r.replayed(now, append([]string{"explain"}, args...)...)
}

// replayed runs the command line at some time.
func (r *rig) replayed(now time.Time, args ...string) (out, errs string, code int) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code = r.main(ctx, args, IO{Out: &stdout, Err: &stderr, Now: now})
	return stdout.String(), stderr.String(), code
}

// Every cause from messages that are in the streams, as the services write them.
func TestExplainCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := slices.Clone(scenes)
	for i := range all {
		all[i].id = fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", i)
		if !all[i].later {
			r.heard(all[i])
		}
	}
	<-time.After(2 * quick.Settle) // by the server's clock; then a heartbeat fires the timer
	r.beat()
	r.transformed()
	d := r.deliveries()
	for _, s := range all {
		if s.later {
			r.heard(s)
		}
		for _, e := range s.ends {
			d.end(s.id, e)
		}
	}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			now := time.Now()
			if s.hour {
				now = now.Add(time.Hour)
			}
			out, errs, code := r.explain(now, "call", strings.ToUpper(s.id))
			if code != s.code || errs != "" || !strings.HasPrefix(settled(out), s.says) {
				t.Errorf("exit %d, said %q, wants %q:\n%s", code, errs, s.says, out)
			}
			if strings.Contains(out, "123456") {
				t.Errorf("it tells a number:\n%s", out)
			}
			golden(t, filepath.Join("explain", s.name+".txt"), settled(out))
		})
	}
	t.Run("json", func(t *testing.T) {
		out, _, code := r.explain(time.Now(), "call", all[10].id, "-o", "json", "--numbers")
		var a explain.Answered
		if err := json.Unmarshal([]byte(out), &a); err != nil || code != Clean {
			t.Fatalf("exit %d, %v:\n%s", code, err, out)
		}
		if a.Call != all[10].id || a.Caller != "+447911123456" || len(a.Users) != 1 || a.Users[0].Cause != "rejected" || a.Answer != a.Users[0].Sentence || len(a.Timeline) != 4 {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		out, errs, code := r.explain(time.Now(), "call", "nonsense")
		if code != Trouble || out != "" || !strings.Contains(errs, "nothing found: no stream holds anything of call nonsense; RTE reaches back to ") || !strings.Contains(errs, "; the id of a call has 36 characters: ") {
			t.Errorf("exit %d, %q, %q", code, out, errs)
		}
	})
}

// replica tells what a replica of ingest said of its connection, so long ago.
func (r *rig) replica(ago time.Duration, kind event.FeedType, epoch string, answers ...event.Subscription) {
	r.Helper()
	r.n++
	at := time.Now().Add(-ago)
	f := event.Feed{Instance: "a", Type: kind, Epoch: epoch, Live: kind == event.Heartbeat, At: at, HeardAt: at, Subscriptions: answers}
	if kind == event.Closed {
		f.Reason = "the hub closed the connection"
	}
	e, err := event.NewFeed(f, "test", uint64(r.n))
	if err != nil {
		r.Fatal(err)
	}
	header, body, err := event.Encode(e)
	if err != nil {
		r.Fatal(err)
	}
	r.publish(topology.Feed("a", string(kind)), header, body)
}

const (
	ann = "cc9730c4-ce86-e611-80c9-00505689257e" // nobody has subscribed
	ben = "dd9730c4-ce86-e611-80c9-00505689257e" // the hub refuses
)

// connects is a connection that stands for so long and holds all but one.
func (r *rig) connects(epoch string, since time.Duration) {
	r.Helper()
	r.replica(since, event.Opened, epoch)
	r.replica(since, event.Subscribed, epoch,
		event.Subscription{EntityID: jane, EventName: "UserCallInUserAllocated", Subscribed: true},
		event.Subscription{EntityID: tom, EventName: "UserCallInUserAllocated", Subscribed: true},
		event.Subscription{EntityID: ben, EventName: "UserCallInUserAllocated", Message: "Unauthorized"})
	r.replica(since, event.Heartbeat, epoch)
}

// Who had calls, and why the others had none.
func TestExplainUser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connects("e1", 30*time.Second)
	r.raw(agencyOrg, answered, rings, jane)
	r.raw(agencyOrg, missed, rings, jane)
	r.raw(agencyOrg, "", "UserAvailability", tom, "availability", "DoNotDisturb")
	r.replica(0, event.Heartbeat, "e1")
	r.transformed()
	d := r.deliveries()
	d.end(answered, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})
	d.end(missed, ending{user: jane, outcome: event.Rejected, cause: "rejected", reason: "callerId: not a number", status: 422, tries: 1})

	for _, tt := range []struct {
		name, who string
		code      int
		says      string
	}{
		{"calls", "Jane@agency.example", Clean, "2 calls concerned jane@agency.example, and the screen was told of 1; Jane's screen (JAS) was not told: Reapit refused"},
		{"id", strings.ToUpper(jane), Clean, "2 calls concerned jane@agency.example, and"},
		{"negotiator", "JAS", Clean, "2 calls concerned jane@agency.example, and"},
		{"no-call", tom, Clean, "No call concerned tom@agency.example between <moment> and <moment>: RTE told of no call of theirs, though they were listened to all the time; their availability was DoNotDisturb"},
		{"not-subscribed", ann, Clean, "No call concerned " + ann + " between <moment> and <moment>: nobody listens to them: ingest has subscribed to nothing of theirs"},
		{"hub-refuses", ben, Clean, "No call concerned " + ben + " between <moment> and <moment>: the hub lets nobody listen to UserCallInUserAllocated of them"},
		{"user-unknown", "jim@agency.example", Different, "No call concerned jim@agency.example between <moment> and <moment>: nothing of that time names such a user"},
		{"negotiator-unknown", "JIM", Different, "No call concerned JIM between <moment> and <moment>: DELIVERIES holds no outcome for a negotiator JIM, and by that alone it is known here who"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, code := r.explain(time.Now(), "user", tt.who, "--at", "1s")
			if code != tt.code || errs != "" || !strings.HasPrefix(settled(out), tt.says) {
				t.Errorf("exit %d, said %q, want %q:\n%s", code, errs, tt.says, out)
			}
			golden(t, filepath.Join("explain", "user-"+tt.name+".txt"), settled(out))
		})
	}
	t.Run("not-covered", func(t *testing.T) {
		r.replica(0, event.Closed, "e1")
		r.replica(0, event.Heartbeat, "")
		out, errs, code := r.explain(time.Now().Add(5*time.Minute), "user", tom, "--at", "4m")
		if code != Clean || errs != "" || !strings.HasPrefix(timeless(out), "No call concerned ") || !strings.Contains(out, "nobody listened to them from ") || !strings.Contains(out, "the hub closed the connection") {
			t.Errorf("exit %d, %q, %q", code, out, errs)
		}
	})
	t.Run("not-covered, but for a late event", func(t *testing.T) {
		r.raw(agencyOrg, later, "UserCallInArrived", tom)
		out, errs, code := r.explain(time.Now(), "call", later)
		if code != Clean || errs != "" || !strings.HasPrefix(out, "Tom's screen was not told: RTE never said that the phone rang, and nobody listened to them from ") {
			t.Errorf("exit %d, %q, %q", code, out, errs)
		}
	})
	t.Run("json", func(t *testing.T) {
		out, _, code := r.explain(time.Now(), "user", "JAS", "--at", "1s", "-o", "json")
		var s explain.Searched
		if err := json.Unmarshal([]byte(out), &s); err != nil || code != Clean || s.User.UserID != jane || len(s.Calls) != 2 || s.None != nil {
			t.Errorf("exit %d, %v: %s", code, err, out)
		}
	})
	t.Run("before RTE", func(t *testing.T) {
		_, errs, code := r.explain(time.Now(), "user", jane, "--at", "2h")
		if code != Trouble || !strings.Contains(errs, "nothing found: RTE reaches from ") {
			t.Errorf("exit %d, %q", code, errs)
		}
	})
}

// RTE may write any character of a name as an escape, as its JSON library does
// with an apostrophe.
func TestExplainUserWhoseNameIsEscaped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const name = "o'brien+lets@agency.example"
	body := fmt.Appendf(nil, `{"data":{"id":"c0de0006-7a3b-4c5d-9e8f-000000000001","eventType":"UserCallInComing","entityType":"User","entityId":%q,"userId":%q,"userName":"o\u0027brien\u002Blets@agency.example","callId":%q}}`, ann, ann, missed)
	parsed, err := event.ParseRaw(body)
	if err != nil || parsed.UserName != name {
		t.Fatal(parsed, err)
	}
	raw := event.NewRaw(parsed, body, "hub.example", parsed.Key(), time.Now(), "")
	r.event(topology.Raw(topology.Partition(missed, partitions), agencyOrg, parsed.EventType, missed), raw, nil)
	out, errs, _ := r.explain(time.Now(), "user", name, "--at", "1s")
	if !strings.Contains(out, "\ncall "+missed+" ") || !strings.Contains(out, name+", no negotiator: not told") {
		t.Errorf("%q, %q", out, errs)
	}
}

// A call whose messages nobody can read is no unknown one.
func TestExplainACallThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(topology.Raw(topology.Partition(missed, partitions), agencyOrg, rings, missed), nil, []byte("no CloudEvent"))
	_, errs, code := r.explain(time.Now(), "call", missed)
	if want := "nothing found: 1 message of RTE names call " + missed + " in its subject and cannot be read"; code != Trouble || !strings.Contains(errs, want) || !strings.Contains(errs, "nats stream get RTE 1") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestExplainUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"replay: name the id of a call, and nothing else; see --help":               {"call"},
		"replay: name a user, and nothing else; see --help":                         {"user", "a", "b"},
		"replay: around which moment? name it with --at; see --help":                {"user", "a"},
		"replay: --at: \"noon\" is no time":                                         {"user", "a", "--at", "noon"},
		"replay: --within: 0s is no span of time; write 90s, 10m or 2h; see --help": {"user", "a", "--at", "1m", "--within", "0s"},
		"replay: --output: \"xml\" is unknown; write text or json; see":             {"call", "a", "-o", "xml"},
	} {
		out, errs, code := replay(t.Context(), append([]string{"explain"}, args...)...)
		if code != Trouble || out != "" || !strings.HasPrefix(errs, want) {
			t.Errorf("%v: exit %d, %q, said %q", args, code, out, errs)
		}
	}
}
