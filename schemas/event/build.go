package event

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// SchemaBase is the base of every schema id; schemas/jsonschema has the files.
const SchemaBase = "https://ringstream.dev/schemas/"

func newEvent(kind, source, id, subject, schema string, at time.Time, data []byte) cloudevents.Event {
	e := cloudevents.New()
	e.SetType(kind)
	e.SetSource(source)
	e.SetID(id)
	if subject != "" {
		e.SetSubject(subject)
	}
	e.SetDataSchema(SchemaBase + schema)
	e.SetTime(at)
	e.SetDataContentType(jsonMediaType)
	e.DataEncoded = data // verbatim: SetData would re-encode a json.RawMessage
	return e
}

// RawSource is the CloudEvents source of raw events from one hub.
func RawSource(hub, organizationID string) string {
	return "//" + hub + "/organizations/" + url.PathEscape(organizationID)
}

// NewRaw wraps one MessageReceived argument, body, of which r was read. hub is
// the host of the hub, recorded the arrival, key what the partition is
// computed from. The body becomes the data byte for byte.
func NewRaw(r Raw, body []byte, hub, key string, recorded time.Time, traceparent string) cloudevents.Event {
	at := rawTime(r, recorded)
	e := newEvent(RawTypePrefix+rawKind(r), RawSource(hub, r.OrganizationID), r.ID, r.Key(), rawSchema, at, body)
	e.SetExtension(ExtPartitionKey, key)
	e.SetExtension(ExtRecordedTime, formatTime(recorded))
	if r.TTL > 0 {
		e.SetExtension(ExtExpiryTime, formatTime(at.Add(r.TTL)))
	}
	setTrace(&e, traceparent)
	return e
}

// EncodeRaw comes to what [Encode] makes of [NewRaw], and has nothing to check:
// the event in between would cost more than all else that ingest does with a
// message. The body is the data.
func EncodeRaw(r Raw, hub, key string, recorded time.Time, traceparent string) (header map[string][]string) {
	at := rawTime(r, recorded)
	h := newHeader()
	h.set(prefix+"specversion", cloudevents.CloudEventsVersionV1)
	h.set(prefix+"type", RawTypePrefix+rawKind(r))
	h.set(prefix+"source", RawSource(hub, r.OrganizationID))
	h.set(prefix+"id", r.ID)
	h.set(prefix+"subject", r.Key())
	h.set(prefix+"dataschema", SchemaBase+rawSchema)
	h.set(prefix+"time", formatTime(at))
	h.setContentType(jsonMediaType)
	h.set(prefix+ExtPartitionKey, key)
	h.set(prefix+ExtRecordedTime, formatTime(recorded))
	if r.TTL > 0 {
		h.set(prefix+ExtExpiryTime, formatTime(at.Add(r.TTL)))
	}
	h.set(prefix+ExtTraceParent, traceparent)
	return h.all
}

// RecordBy says which replica of ingest recorded a raw event, in the header that
// [EncodeRaw] has made. Where several heard the event, it is the one whose copy
// came first.
func RecordBy(header map[string][]string, instance string) {
	if instance != "" {
		header[prefix+ExtRecordedBy] = []string{escape(instance)}
	}
}

const rawSchema = "rte/message-received.json"

func rawKind(r Raw) string {
	if r.EventType == "" {
		return "Unknown"
	}
	return r.EventType
}

// rawTime is when the event happened, or else when it arrived.
func rawTime(r Raw, recorded time.Time) time.Time {
	if r.Timestamp.IsZero() {
		return recorded
	}
	return r.Timestamp
}

// NewCall makes the CloudEvent of a call event. Its bytes depend on c, key and
// traceparent alone.
func NewCall(c Call, key, traceparent string) (cloudevents.Event, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode call event %s/%d: %w", c.CallID, c.Sequence, err)
	}
	e := newEvent(c.Type.CloudEvent(), callSource(c.OrganizationID), c.EventID(), c.CallID, callSchema(c.Type), c.OccurredAt, data)
	e.SetExtension(ExtPartitionKey, key)
	e.SetExtension(ExtCausationID, c.Cause.EventID)
	e.SetExtension(ExtCorrelationID, c.CallID)
	e.SetExtension(ExtSequence, strconv.Itoa(c.Sequence))
	setTrace(&e, traceparent)
	return e, nil
}

// EncodeCall comes to what [Encode] makes of [NewCall], as [EncodeRaw] does for a
// raw event.
func EncodeCall(c Call, key, traceparent string) (header map[string][]string, body []byte, err error) {
	if body, err = c.marshal(); err != nil {
		return nil, nil, fmt.Errorf("encode call event %s/%d: %w", c.CallID, c.Sequence, err)
	}
	h := newHeader()
	h.set(prefix+"specversion", cloudevents.CloudEventsVersionV1)
	h.set(prefix+"type", c.Type.CloudEvent())
	h.set(prefix+"source", callSource(c.OrganizationID))
	h.set(prefix+"id", c.EventID())
	h.set(prefix+"subject", c.CallID)
	h.set(prefix+"dataschema", SchemaBase+callSchema(c.Type))
	if !c.OccurredAt.IsZero() {
		h.set(prefix+"time", formatTime(c.OccurredAt))
	}
	h.setContentType(jsonMediaType)
	h.set(prefix+ExtPartitionKey, key)
	h.set(prefix+ExtCausationID, c.Cause.EventID)
	h.set(prefix+ExtCorrelationID, c.CallID)
	h.set(prefix+ExtSequence, strconv.Itoa(c.Sequence))
	h.set(prefix+ExtTraceParent, traceparent)
	return h.all, body, nil
}

func callSource(organizationID string) string {
	return "/organizations/" + url.PathEscape(organizationID) + "/calls"
}

func callSchema(t CallType) string { return "call/" + string(t) + ".v1.json" }

// EventID is the id of a call event: <callId>/<n>, the n-th of that call.
func (c Call) EventID() string { return c.CallID + "/" + strconv.Itoa(c.Sequence) }

// NewFeed makes the CloudEvent of a coverage event; n counts those of one
// start of the replica, which start names.
func NewFeed(f Feed, start string, n uint64) (cloudevents.Event, error) {
	data, err := json.Marshal(f)
	if err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode feed event: %w", err)
	}
	id := f.Instance + "/" + start + "/" + strconv.FormatUint(n, 10)
	return newEvent(f.Type.CloudEvent(), ingestSource(f.Instance), id, f.Instance, "feed/"+string(f.Type)+".v1.json", f.At, data), nil
}

// NewHeard makes the CloudEvent in which a replica tells the others what it has
// heard; n counts those of one start of the replica, which start names.
func NewHeard(h Heard, start string, n uint64, at time.Time) (cloudevents.Event, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode what was heard: %w", err)
	}
	id := HeardIDs(h.Instance, start) + strconv.FormatUint(n, 10)
	return newEvent(HeardType, ingestSource(h.Instance), id, h.Instance, "heard/v1.json", at, data), nil
}

// HeardIDs is what the ids of [Heard] events of one start of a replica begin with.
func HeardIDs(instance, start string) string { return instance + "/" + start + "/heard/" }

func ingestSource(instance string) string { return "/ingest/" + url.PathEscape(instance) }

// NewOutcome makes the CloudEvent of a delivery outcome.
func NewOutcome(o Outcome, traceparent string) (cloudevents.Event, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode outcome of %s: %w", o.EventID, err)
	}
	e := newEvent(o.Outcome.CloudEvent(), "/customers/"+url.PathEscape(o.Customer)+"/deliveries", o.ID(), o.CallID,
		"delivery/"+string(o.Outcome)+".v1.json", o.FinishedAt, data)
	e.SetExtension(ExtCausationID, o.EventID)
	e.SetExtension(ExtCorrelationID, o.CallID)
	setTrace(&e, traceparent)
	return e, nil
}

// ID is the id of an outcome: the call event and who it was for, and which
// redrive of that, if it was one.
func (o Outcome) ID() string {
	if o.Redrive > 0 {
		return o.delivery() + "/redrive/" + strconv.Itoa(o.Redrive)
	}
	return o.delivery()
}

func (o Outcome) delivery() string {
	if o.NegotiatorID != "" {
		return o.EventID + "/" + o.NegotiatorID
	}
	if len(o.Users) > 0 {
		return o.EventID + "/user-" + o.Users[0].UserID
	}
	return o.EventID + "/nobody"
}

// NewDeadLetter makes the CloudEvent of a dead letter; id must name what died.
func NewDeadLetter(d DeadLetter, id, traceparent string) (cloudevents.Event, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode dead letter %s: %w", id, err)
	}
	e := newEvent(DeadLetterType, "/"+d.Service, id, d.CallID, "deadletter/v1.json", d.At, data)
	if d.EventID != "" {
		e.SetExtension(ExtCausationID, d.EventID)
	}
	setTrace(&e, traceparent)
	return e, nil
}

func setTrace(e *cloudevents.Event, traceparent string) {
	if traceparent != "" {
		e.SetExtension(ExtTraceParent, traceparent)
	}
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
