package main

import (
	"slices"
	"strings"
)

// A payload is one row of the table: something that the hub sends or is sent.
type payload struct {
	name   string // heading in RTE's documentation
	doc    string
	fields []field
	event  bool     // carries the members that every event has
	types  []string // EventTypes it comes under, when they differ from name
}

type field struct {
	name string // as documented, in PascalCase
	is   kind
	doc  string
}

// rteSchemas renders the table, and the envelope that dispatches on it.
func rteSchemas() map[string]node {
	out := map[string]node{"rte/message-received.json": messageReceived()}
	for _, p := range slices.Concat(rteObjects, userEvents, queueEvents, callListEvents) {
		out[p.path()] = p.schema()
	}
	return out
}

func (p payload) path() string { return "rte/" + kebab(p.name) + ".json" }

func (p payload) eventTypes() []string {
	if len(p.types) > 0 {
		return p.types
	}
	return []string{p.name}
}

func (p payload) schema() node {
	fields := p.fields
	if p.event {
		fields = slices.Concat(header, p.fields, trailer)
	}
	var members, defs node
	for _, f := range fields {
		value := obj("title", f.name, "description", f.doc, "$ref", "#/$defs/"+string(f.is))
		if p.event && f.name == "EventType" {
			value = obj("title", f.name, "description", f.doc, "anyOf", []any{obj("enum", p.eventTypes()), obj("type", "integer")})
		} else if !defs.has(string(f.is)) {
			defs = append(defs, member{string(f.is), kinds[f.is]})
		}
		members = append(members, member{anyCasing(f.name), value})
	}
	slices.SortFunc(defs, func(a, b member) int { return strings.Compare(a.key, b.key) })
	return document(p.path(), p.name, p.doc, "type", "object", "patternProperties", members, "$defs", defs)
}

func (n node) has(key string) bool {
	return slices.ContainsFunc(n, func(m member) bool { return m.key == key })
}

// messageReceived checks data by the schema of the event type that it names.
// What names no known type, or is no object, may be anything: the feed is kept
// whole, also where the provider adds to it.
func messageReceived() node {
	var dispatch []any
	for _, p := range slices.Concat(userEvents, queueEvents, callListEvents) {
		named := []any{}
		for _, name := range []string{"eventType", "EventType"} {
			named = append(named, obj("properties", obj(name, obj("enum", p.eventTypes())), "required", []string{name}))
		}
		dispatch = append(dispatch, obj("if", obj("type", "object", "anyOf", named), "then", ref(strings.TrimPrefix(p.path(), "rte/"))))
	}
	return document("rte/message-received.json", "MessageReceived",
		"The argument of the hub's one callback: which subscription matched, and the event. This is the data of every raw event, byte for byte.",
		"type", "object",
		"patternProperties", obj(
			anyCasing("Subscription"), obj("title", "Subscription", "description", "The subscription that matched.",
				"anyOf", []any{ref("subscription.json"), obj("type", "null")}),
			anyCasing("Data"), obj("title", "Data", "description", "The event. Checked when its event type is known.",
				"allOf", dispatch),
		))
}

// joints are words that RTE writes both as one and as two.
var joints = strings.NewReplacer("Callback", "CallBack", "Username", "UserName", "Wrapup", "WrapUp")

// anyCasing is a pattern for a documented name in each casing that is met on
// the wire: UserName, userName, Username, username.
func anyCasing(name string) string {
	var b strings.Builder
	b.WriteByte('^')
	for _, c := range joints.Replace(name) {
		if 'A' <= c && c <= 'Z' {
			b.WriteString("[" + string(c) + strings.ToLower(string(c)) + "]")
		} else {
			b.WriteRune(c)
		}
	}
	b.WriteByte('$')
	return b.String()
}

// kebab names the file: UserCallInComing is in user-call-in-coming.json.
func kebab(name string) string {
	var b strings.Builder
	for i, c := range name {
		if i > 0 && 'A' <= c && c <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}
