package schemas_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// A sent event, as a service makes it, and the channel and message that
// describe it.
type sent struct {
	channel, message, subject string
	event                     cloudevents.Event
}

func everySent(t *testing.T) []sent {
	t.Helper()
	const key, trace = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var out []sent
	add := func(channel, message, subject string, e cloudevents.Event, err error) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sent{channel, message, subject, e})
	}
	for _, raw := range []event.Raw{
		{ID: "1", EventType: "UserStatus", CallID: key, OrganizationID: key, Timestamp: at, TTL: 60e9}, {ID: "sha256-0"},
	} {
		key := topology.KeyToken(raw.Key())
		e := event.NewRaw(raw, []byte("{}"), "hub", key, at, trace)
		e.SetExtension(event.ExtRecordedBy, "ingest a")
		add("raw", "raw", topology.Raw(0, raw.OrganizationID, raw.EventType, key), e, nil)
	}
	for _, kind := range event.FeedTypes() {
		f := event.Feed{Instance: "ingest a", Type: kind, At: at}
		e, err := event.NewFeed(f, "s", 1)
		add("feed", messageName("feed", kind), topology.Feed(f.Instance, string(kind)), e, err)
	}
	heard, err := event.NewHeard(event.Heard{Instance: "ingest a", Epoch: "e", After: at}, "s", 1, at)
	add("heard", "heard", topology.Heard("ingest a"), heard, err)
	for _, kind := range event.CallTypes() {
		c := fullCall(kind)
		e, err := event.NewCall(c, c.CallID, trace)
		subject := topology.CallEvent(0, c.OrganizationID, string(kind), c.CallID)
		add("callLog", messageName("call", kind), subject, e, err)
		_, merged, _ := strings.Cut(subject, ".ev.")
		add("calls", messageName("call", kind), "calls."+merged, e, err)
	}
	for _, kind := range event.OutcomeTypes() {
		o := event.Outcome{EventID: "c/1", CallID: "c", Outcome: kind, FinishedAt: at}
		e, err := event.NewOutcome(o, trace)
		add("deliveries", messageName("delivery", kind), topology.Delivery(o.Customer, o.NegotiatorID, string(kind), o.CallID), e, err)
	}
	for _, d := range []event.DeadLetter{{Service: "ingest", Reason: "too-large", At: at}, {Service: "deliver", Reason: "x", EventID: "c/1", CallID: "c", At: at}} {
		e, err := event.NewDeadLetter(d, "id", trace)
		add("deadLetters", "deadLetter", topology.DeadLetter(d.Service, d.Reason), e, err)
	}
	return out
}

func TestEventsAreSentAsDescribed(t *testing.T) {
	doc, headers := asyncAPI(t), newHeaderSchemas(t)
	used := map[string]bool{}
	for _, s := range everySent(t) {
		message, c := s.message, doc.Channels[s.channel]
		used[message] = true
		if _, listed := c.Messages[message]; !listed {
			t.Errorf("channel %s has no message %s", s.channel, message)
			continue
		}
		doc.fits(t, c, s.subject)
		if got := "./jsonschema/" + strings.TrimPrefix(s.event.DataSchema(), event.SchemaBase); got != doc.Components.Messages[message].Payload.Schema.Ref {
			t.Errorf("%s has the body of %s", message, got)
		}
		if problem := headers.check(t, message, wire(t, s.event)); problem != "" {
			t.Errorf("%s: %s", message, problem)
		}
	}
	for name, m := range doc.Components.Messages {
		if m.Payload.Schema.Ref != "" && !used[name] {
			t.Errorf("nobody sends %s", name)
		}
	}
}

// fits checks a subject word by word against an address and its parameters.
func (doc asyncDocument) fits(t *testing.T, c asyncChannel, subject string) {
	t.Helper()
	words, pattern := strings.Split(subject, "."), strings.Split(c.Address, ".")
	if len(words) != len(pattern) {
		t.Errorf("%s is not of the form %s", subject, c.Address)
		return
	}
	for i, word := range words {
		name := strings.Trim(pattern[i], "{}")
		values := doc.Components.Parameters[name].Enum
		if name == pattern[i] && word != name || len(values) > 0 && !slices.Contains(values, word) {
			t.Errorf("%s is not of the form %s: %s is none of %q", subject, c.Address, word, values)
		}
	}
}

func messageName[T ~string](family string, kind T) string {
	for word := range strings.SplitSeq(string(kind), "-") {
		family += strings.ToUpper(word[:1]) + word[1:]
	}
	return family
}

// wire is the header of an event as JSON Schema sees it.
func wire(t *testing.T, e cloudevents.Event) map[string]any {
	t.Helper()
	header, _, err := event.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for name, values := range header {
		out[name] = values[0]
	}
	return out
}

// headerSchemas compiles the header schemas of messages.
type headerSchemas struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
}

func newHeaderSchemas(t *testing.T) headerSchemas {
	t.Helper()
	var doc map[string]any
	readAsyncAPI(t, &doc)
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:asyncapi", value); err != nil {
		t.Fatal(err)
	}
	return headerSchemas{doc, c}
}

// check says what is wrong with a header: that it is not valid, or that it has
// something which the schema does not name.
func (h headerSchemas) check(t *testing.T, message string, header map[string]any) string {
	t.Helper()
	pointer := "components/messages/" + message + "/headers"
	schema, err := h.compiler.Compile("mem:asyncapi#/" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(header); err != nil {
		return err.Error()
	}
	refs := map[string]bool{}
	all, _ := lookUp(h.doc, pointer)
	references(all, refs)
	for name := range header {
		named := false
		for ref := range refs {
			_, has := lookUp(h.doc, strings.TrimPrefix(ref, "#/")+"/properties/"+name)
			named = named || has
		}
		if !named {
			return "does not name " + name
		}
	}
	return ""
}

func TestOtherHeadersAreRefused(t *testing.T) {
	e, err := event.NewCall(fullCall(event.Missed), "key", "")
	if err != nil {
		t.Fatal(err)
	}
	headers := newHeaderSchemas(t)
	for name, value := range map[string]any{
		"ce-specversion": "0.3", "ce-type": event.Ended.CloudEvent(), "ce-dataschema": id("call/ended.v1.json"), "ce-sequence": "third",
		"ce-id": "", "ce-time": "yesterday", "ce-traceparent": "00", "ce-colour": "red",
		"ce-subject": nil, "ce-causationid": nil, "ce-correlationid": nil, "ce-partitionkey": nil, "ce-source": nil, "Content-Type": nil,
	} {
		header := wire(t, e)
		if header[name] = value; value == nil {
			delete(header, name)
		}
		if headers.check(t, "callMissed", header) == "" {
			t.Errorf("%s may be %v", name, value)
		}
	}
}
