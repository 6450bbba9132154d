package schemas_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"ringstream/schemas"
	"ringstream/schemas/event"
)

// object is the part of a schema that a Go struct can be compared with.
type object struct {
	Required   []string
	Properties map[string]json.RawMessage
	Defs       map[string]object `json:"$defs"`
}

func schemaObject(t *testing.T, path string) object {
	t.Helper()
	b, err := schemas.FS.ReadFile("jsonschema/" + path)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// tags returns the JSON names of a struct's fields, and whether each is always
// written.
func tags(goType reflect.Type) map[string]bool {
	out := map[string]bool{}
	for i := range goType.NumField() {
		name, options, _ := strings.Cut(goType.Field(i).Tag.Get("json"), ",")
		out[name] = !strings.Contains(options, "omitempty")
	}
	return out
}

// compare names what a struct and a schema do not agree on.
func compare(goType reflect.Type, o object) []string {
	var out []string
	fields := tags(goType)
	for name, always := range fields {
		if _, ok := o.Properties[name]; !ok {
			out = append(out, "schema lacks "+name)
		}
		if always && !slices.Contains(o.Required, name) {
			out = append(out, "schema does not require "+name)
		}
	}
	for name := range o.Properties {
		if _, ok := fields[name]; !ok {
			out = append(out, "Go lacks "+name)
		}
	}
	return out
}

func agree[T any](t *testing.T, path string, o object) {
	t.Helper()
	for _, problem := range compare(reflect.TypeFor[T](), o) {
		t.Errorf("%s, %s: %s", path, reflect.TypeFor[T](), problem)
	}
}

func TestGoTypesAndSchemasHaveTheSameMembers(t *testing.T) {
	for _, path := range paths(t, "jsonschema") {
		o := schemaObject(t, path)
		switch dir, _, _ := strings.Cut(path, "/"); dir {
		case "call":
			agree[event.Call](t, path, o)
			agree[event.User](t, path, o.Defs["user"])
			agree[event.Cause](t, path, o.Defs["cause"])
		case "feed":
			agree[event.Feed](t, path, o)
			agree[event.Subscription](t, path, o.Defs["subscription"])
		case "heard":
			agree[event.Heard](t, path, o)
			agree[event.HeardItem](t, path, o.Defs["item"])
		case "delivery":
			agree[event.Outcome](t, path, o)
			agree[event.User](t, path, o.Defs["user"])
		case "deadletter":
			agree[event.DeadLetter](t, path, o)
			var errors struct{ Items object }
			if err := json.Unmarshal(o.Properties["errors"], &errors); err != nil {
				t.Fatal(err)
			}
			agree[event.FieldError](t, path, errors.Items)
		}
	}
}

func TestADisagreementIsSeen(t *testing.T) {
	o := schemaObject(t, "feed/opened.v1.json")
	goType := reflect.TypeFor[event.Feed]()

	fewer := object{Required: o.Required, Properties: maps.Clone(o.Properties)}
	delete(fewer.Properties, "hub")
	more := object{Required: o.Required, Properties: maps.Clone(o.Properties)}
	more.Properties["colour"] = nil
	lax := object{Required: slices.DeleteFunc(slices.Clone(o.Required), func(s string) bool { return s == "live" }), Properties: o.Properties}

	for want, changed := range map[string]object{
		"schema lacks hub": fewer, "Go lacks colour": more, "schema does not require live": lax,
	} {
		if got := compare(goType, changed); !slices.Equal(got, []string{want}) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
}

var (
	at   = time.Date(2026, 11, 2, 9, 12, 31, 123456700, time.UTC)
	jane = event.User{UserID: "aa9730c4-ce86-e611-80c9-00505689257e", UserName: "jane@agency.example"}
)

// fullCall sets every member, minimalCall only those that its schema asks for.
func fullCall(kind event.CallType) event.Call {
	why := "remote"
	c := event.Call{
		CallID: "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30", OrganizationID: "29f6e823-b484-e611-80c9-00505689257e",
		Type: kind, Direction: direction(kind), OccurredAt: at, RecordedAt: at, Caller: "+447700900123", Called: "+441632960001",
		HuntGroup: true, Audience: []event.User{jane, {UserID: "bb1142d7-10c2-e911-a81e-00155d4fdcf3"}},
		AnsweredBy: &jane, Sequence: 3, Inferred: true, Coverage: event.Gap,
		Cause: event.Cause{EventID: "c0de0001-7a3b-4c5d-9e8f-1a2b3c4d0001", EventType: "UserCallInDisconnected", Reason: &why},
	}
	if kind == event.Missed {
		c.AnsweredBy = nil
	}
	return c
}

func minimalCall(kind event.CallType) event.Call {
	c := event.Call{
		CallID: "c", Type: kind, Direction: direction(kind), CallerWithheld: true,
		Audience: []event.User{{UserID: "u"}}, Sequence: 1, Coverage: event.Complete, Cause: event.Cause{EventID: "e"},
	}
	if kind == event.Answered {
		c.AnsweredBy = &event.User{UserID: "u"}
	}
	return c
}

func direction(kind event.CallType) event.Direction {
	if kind == event.Outgoing || kind == event.Connected {
		return event.Outbound
	}
	return event.Inbound
}

// valid checks an event's data by its own dataschema.
func valid(t *testing.T, e cloudevents.Event, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Validate(); err != nil {
		t.Errorf("%s: %v", e.Type(), err)
	}
	if err := schemas.Validate(e.DataSchema(), e.Data()); err != nil {
		t.Errorf("%v\n%s", err, e.Data())
	}
}

func TestGoCallsAreValid(t *testing.T) {
	for _, kind := range event.CallTypes() {
		for _, c := range []event.Call{fullCall(kind), minimalCall(kind)} {
			e, err := event.NewCall(c, c.CallID, "")
			valid(t, e, err)
		}
	}
}

func TestGoFeedsAreValid(t *testing.T) {
	for _, kind := range event.FeedTypes() {
		full := event.Feed{
			Instance: "ingest-a", Type: kind, Epoch: "e1", Live: true, At: at, Hub: "rte.example", Received: 7, LastEventID: "x",
			Subscriptions: []event.Subscription{{EntityID: "u", EventName: "UserStatus", Subscribed: true, Message: "fine"}, {}},
			Reason:        "closed by the hub",
		}
		minimal := event.Feed{Instance: "a", Type: kind, Epoch: "e"}
		if kind == event.Heartbeat {
			minimal.Epoch = ""
		}
		if kind == event.Audit {
			full.Unheard, full.UnheardIDs, minimal.Unheard = 2, []string{"x", "y"}, 1
		}
		for _, f := range []event.Feed{full, minimal} {
			e, err := event.NewFeed(f, "s1", 1)
			valid(t, e, err)
		}
	}
}

func TestGoHeardIsValid(t *testing.T) {
	for _, h := range []event.Heard{
		{Instance: "ingest-a", Epoch: "e1", After: at, Items: []event.HeardItem{{EntityID: "u", EventType: "UserStatus", IDs: []string{"x", "y"}}}},
		{Instance: "a", Epoch: "e", Items: []event.HeardItem{}},
	} {
		e, err := event.NewHeard(h, "s1", 1, at)
		valid(t, e, err)
	}
}

func TestGoOutcomesAreValid(t *testing.T) {
	for _, kind := range event.OutcomeTypes() {
		full := event.Outcome{
			EventID: "c/1", CallID: "c", OrganizationID: "o", Customer: "RES", NegotiatorID: "JAS", Users: []event.User{jane},
			Type: event.Incoming, SubType: "incomingCall", Outcome: kind, Cause: "some-cause", Reason: "because", Attempts: 2, Status: 202, RequestID: "r",
			OccurredAt: at, ReceivedAt: at, FirstTriedAt: &at, FinishedAt: at, LatencyMS: 12, Redrive: 2,
		}
		minimal := event.Outcome{EventID: "c/1", CallID: "c", Users: []event.User{}, Type: event.Missed, SubType: "missedCall", Outcome: kind, Reason: "because"}
		switch kind {
		case event.Delivered:
			minimal.NegotiatorID, minimal.Attempts, minimal.Status, minimal.FirstTriedAt, minimal.Reason = "JAS", 1, 200, &at, ""
		case event.Unmapped:
			full.NegotiatorID, full.Attempts = "", 0
		case event.Shadowed:
			full.Attempts, minimal.Reason = 0, ""
		}
		for _, o := range []event.Outcome{full, minimal} {
			e, err := event.NewOutcome(o, "")
			valid(t, e, err)
		}
	}
}

func TestGoDeadLettersAreValid(t *testing.T) {
	for _, d := range []event.DeadLetter{
		{
			Service: "deliver", Reason: "not-installed", Detail: "d", At: at, EventID: "c/1", CallID: "c", Customer: "RES", NegotiatorID: "JAS",
			Status: 422, Errors: []event.FieldError{{Field: "callerId", Message: "no number"}, {}},
			Request: json.RawMessage(`{"a":1}`), Event: json.RawMessage(`null`), Body: []byte{0, 255, '<'},
		},
		{Service: "ingest", Reason: "unreadable"},
	} {
		e, err := event.NewDeadLetter(d, "id", "")
		valid(t, e, err)
	}
}

func TestARawEventIsValid(t *testing.T) {
	body, err := schemas.Example(id("rte/message-received.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := event.ParseRaw(body)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, event.NewRaw(r, body, "rte.example", r.Key(), at, ""), nil)
}

// A nil slice is null in JSON; the contract says that it is an array.
func TestNilSlicesAreRefused(t *testing.T) {
	c := minimalCall(event.Incoming)
	c.Audience = nil
	e, err := event.NewCall(c, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if schemas.Validate(e.DataSchema(), e.Data()) == nil {
		t.Error("a call without an audience passed")
	}
}
