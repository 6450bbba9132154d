package main

import "ringstream/schemas/event"

// A property is one row of the tables of ringstream's own events.
type property struct {
	name     string
	doc      string
	is       node
	optional bool
}

// rule narrows properties of one event type; the rest of the table is shared.
type rule struct {
	doc    string
	narrow node     // property → what it is besides
	also   []string // optional properties that this type must have
}

const utcPattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$`

var (
	anyText  = obj("type", "string")
	nonEmpty = obj("type", "string", "minLength", 1)
	truth    = obj("type", "boolean")
	utc      = obj("type", "string", "format", "date-time", "pattern", utcPattern)
	maybeUTC = obj("type", []string{"string", "null"}, "format", "date-time", "pattern", utcPattern)
	count    = obj("type", "integer", "minimum", 0)
)

func oneOf[T ~string](values []T) node { return obj("enum", values) }

func is(value any) node { return obj("const", value) }

func arrayOf(items node) node { return obj("type", "array", "items", items) }

func nullable(to string) node { return obj("anyOf", []any{ref(to), obj("type", "null")}) }

// ownSchemas renders call/, feed/, heard/ and delivery/.
func ownSchemas() map[string]node {
	out := map[string]node{}
	for _, t := range event.CallTypes() {
		path := "call/" + string(t) + ".v1.json"
		body := ownObject(callProperties, callRules[t], is(t))
		out[path] = append(document(path, t.CloudEvent(), callRules[t].doc, body...), callDefs...)
	}
	for _, t := range event.FeedTypes() {
		path := "feed/" + string(t) + ".v1.json"
		body := ownObject(feedProperties, feedRules[t], is(t))
		out[path] = append(document(path, t.CloudEvent(), feedRules[t].doc, body...), feedDefs...)
	}
	heard := ownObject(heardProperties, rule{}, nil)
	out["heard/v1.json"] = append(document("heard/v1.json", event.HeardType, heardDoc, heard...), heardDefs...)
	for _, t := range event.OutcomeTypes() {
		path := "delivery/" + string(t) + ".v1.json"
		body := ownObject(outcomeProperties, outcomeRules[t], is(t))
		out[path] = append(document(path, t.CloudEvent(), outcomeRules[t].doc, body...), deliveryDefs...)
	}
	return out
}

// ownObject is the body of an event's schema. Members that it does not name are
// allowed, since a version may gain some; kind is the constant that tells the
// event types apart.
func ownObject(properties []property, r rule, kind node) []any {
	var members node
	var required []string
	for _, p := range properties {
		value := append(obj("description", p.doc), p.is...)
		if p.is == nil {
			value = append(value, kind...)
		}
		if n, ok := r.narrow.get(p.name); ok {
			value = append(obj("description", p.doc), n...)
		}
		members = append(members, member{p.name, value})
		if !p.optional {
			required = append(required, p.name)
		}
	}
	required = append(required, r.also...)
	return []any{"type", "object", "required", required, "properties", members}
}

func (n node) get(key string) (node, bool) {
	for _, m := range n {
		if m.key == key {
			return m.value.(node), true
		}
	}
	return nil, false
}
