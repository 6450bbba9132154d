package rtesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ringstream/ingest/internal/rte"
)

// field is one field of an event's data.
type field struct {
	name  string
	value json.RawMessage
}

func textField(name, value string) field { return field{name, quote(value)} }

// text is the value of a string, and the JSON of anything else.
func (f field) text() string {
	var s string
	if json.Unmarshal(f.value, &s) == nil {
		return s
	}
	return string(f.value)
}

// readField reads name=text or name:=JSON.
func readField(word string) (field, error) {
	name, value, found := strings.Cut(word, "=")
	if !found || name == "" {
		return field{}, fmt.Errorf("%q is not name=value", word)
	}
	if bare, raw := strings.CutSuffix(name, ":"); raw {
		if !json.Valid([]byte(value)) {
			return field{}, fmt.Errorf("%s: %q is not JSON", bare, value)
		}
		return field{bare, json.RawMessage(value)}, nil
	}
	return textField(name, value), nil
}

// quote writes a JSON string without HTML escapes, as .NET 5 and later do.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// eventSpec says what an event is about, and how it differs from the ordinary.
type eventSpec struct {
	eventType             string
	user, queue, callList string // names in the directory
	fields                []field
	without               []string // lower case
}

// occurrence is one event that happened, as all its subscribers get it.
type occurrence struct {
	id, eventType, entityID, entityType, organization string
	data                                              json.RawMessage
}

func (o occurrence) key() rte.EntitySubscription {
	return rte.EntitySubscription{EntityID: o.entityID, EventName: o.eventType}.Key()
}

// values are the fields of an event by lower-case name. What is set later wins,
// and keeps the place of what was set first.
type values struct {
	order  []string // as written
	byName map[string]json.RawMessage
}

func (v *values) set(fields ...field) {
	for _, f := range fields {
		name := strings.ToLower(f.name)
		if _, there := v.byName[name]; !there {
			v.order = append(v.order, f.name)
		}
		v.byName[name] = f.value
	}
}

func (v *values) text(name string) string { return field{value: v.byName[name]}.text() }

// compose makes an event of one time: what the directory knows of its user,
// queue or call list, then the call's settings, then its own fields. A call's
// identity, such as a new CallId, stands below its settings.
func (d *Directory) compose(e eventSpec, settings, identity []field, now time.Time) (occurrence, error) {
	v := &values{byName: map[string]json.RawMessage{}}
	kind, _ := rte.EntityTypeOf(e.eventType)
	v.set(textField("rootEntityType", "Organization"), textField("rootEntityId", d.Organization),
		textField("organizationId", d.Organization), textField("eventType", e.eventType), textField("entityType", string(kind)),
		textField("entityId", ""), textField("id", uuid.NewString()), textField("timestamp", dotnetTime(now)))
	v.set(identity...)
	about, err := d.about(e)
	if err != nil {
		return occurrence{}, fmt.Errorf("%s: %w", e.eventType, err)
	}
	v.set(about...)
	for _, f := range settings {
		v.set(callField(f))
	}
	for _, f := range e.fields {
		v.set(callField(f))
	}
	o := occurrence{
		id: v.text("id"), eventType: v.text("eventtype"), entityID: v.text("entityid"), entityType: v.text("entitytype"),
		organization: v.text("rootentityid"),
	}
	if o.entityID == "" {
		return o, fmt.Errorf("%s: no user, queue, calllist or entityId", e.eventType)
	}
	o.data = d.write(e, v)
	return o, nil
}

// callField lets a scenario say caller and called.
func callField(f field) field {
	switch strings.ToLower(f.name) {
	case "caller":
		f.name = "callerNumber"
	case "called":
		f.name = "targetNumber"
	}
	return f
}

// about is what the directory knows of who or what the event is about.
func (d *Directory) about(e eventSpec) (fields []field, err error) {
	named := func(idField, id string) {
		fields = append(fields, textField(idField, id))
		fields = append(fields, textField("entityId", id))
	}
	if e.callList != "" {
		g, err := find(d.CallLists, "call list", e.callList)
		if err != nil {
			return nil, err
		}
		named("callListId", g.ID)
	}
	if e.user != "" {
		p, err := d.user(e.user)
		if err != nil {
			return nil, err
		}
		named("userId", p.ID)
		fields = append(fields, textField("userName", p.UserName), textField("username", p.UserName), textField("userNumber", p.Numbers[0]))
	}
	if e.queue != "" {
		g, err := find(d.Queues, "queue", e.queue)
		if err != nil {
			return nil, err
		}
		if kind, _ := rte.EntityTypeOf(e.eventType); kind == rte.Queue {
			named("queueId", g.ID)
		}
		fields = append(fields, textField("queueId", g.ID), textField("queueName", g.Title),
			textField("techQueueId", g.ID), textField("techQueueName", g.Title))
	}
	return fields, nil
}

// Fields that only a layout brings in: the directory and the call know them of
// every event, but not every event tells them.
var onlyInLayout = map[string]bool{
	"organizationid": true, "callid": true, "legid": true, "agentlegid": true, "userid": true, "username": true,
	"usernumber": true, "callernumber": true, "targetnumber": true, "queueid": true, "queuename": true,
	"techqueueid": true, "techqueuename": true, "calllistid": true,
}

// write writes the data in the order of the event's layout, and at its end
// whatever else was asked for.
func (d *Directory) write(e eventSpec, v *values) json.RawMessage {
	names := []string{"rootEntityType", "rootEntityId", "eventType", "entityType", "entityId"}
	layout := layoutOf(e.eventType)
	names = append(names, layout...)
	written := map[string]bool{"id": true, "timestamp": true, "messagettlseconds": true}
	for _, n := range names {
		written[strings.ToLower(n)] = true
	}
	for _, n := range v.order {
		own := slices.ContainsFunc(e.fields, func(f field) bool { return strings.EqualFold(callField(f).name, n) })
		if lower := strings.ToLower(n); !written[lower] && (own || !onlyInLayout[lower]) {
			names = append(names, n)
			written[lower] = true
		}
	}
	names = append(names, "id", "timestamp")
	if !slices.Contains(layout, "messageTTLSeconds") {
		names = append(names, "messageTTLSeconds")
	}
	b := []byte{'{'}
	for _, n := range names {
		lower := strings.ToLower(n)
		if slices.Contains(e.without, lower) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(b, quote(n)...), ':')
		b = append(b, v.orDefault(e.eventType, lower)...)
	}
	return append(b, '}')
}

func (v *values) orDefault(eventType, name string) json.RawMessage {
	if value, ok := v.byName[name]; ok {
		return value
	}
	if ownID[name] {
		return quote(uuid.NewString())
	}
	for _, defaults := range []map[string]string{eventDefaults[eventType], fieldDefaults} {
		if value, ok := defaults[name]; ok {
			return json.RawMessage(value)
		}
	}
	return json.RawMessage("null")
}

// dotnetTime writes a time as .NET does: up to seven digits, zeros trimmed.
func dotnetTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }
