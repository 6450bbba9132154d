package main

// kind is the name of a value's definition. The kinds say what .NET can write
// for the documented type: a Guid is never null, a string always may be.
type kind string

const (
	guid       kind = "guid"
	guidOrNone kind = "guidOrNone"
	text       kind = "text"
	instant    kind = "instant"
	maybeTime  kind = "instantOrNone"
	boolean    kind = "boolean"
	integer    kind = "integer"
	maybeInt   kind = "integerOrNone"
	unsigned   kind = "unsigned"
	maybeByte  kind = "byteOrNone"
	number     kind = "number"
	code       kind = "code"
	maybeCode  kind = "codeOrNone"
	targets    kind = "targets"
	dictionary kind = "dictionary"

	attempts kind = "callbackAttempts"
	extras   kind = "callbackExtras"
	related  kind = "callbackRelatedItems"
)

const (
	guidPattern = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
	timePattern = `^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?$`
)

var kinds = map[kind]node{
	guid: obj("description", "A GUID. All zeros stand for none.",
		"type", "string", "pattern", guidPattern),
	guidOrNone: obj("description", "A GUID; null or all zeros stand for none.",
		"type", []string{"string", "null"}, "pattern", guidPattern),
	text: obj("type", []string{"string", "null"}),
	instant: obj("description", "A time; without a zone it is UTC. 0001-01-01T00:00:00 means not set, 9999-12-31T23:59:59.9999999 without end.",
		"type", "string", "pattern", timePattern),
	maybeTime: obj("description", "A time, UTC when it has no zone, or null.",
		"type", []string{"string", "null"}, "pattern", timePattern),
	boolean:   obj("type", "boolean"),
	integer:   obj("type", "integer"),
	maybeInt:  obj("type", []string{"integer", "null"}),
	unsigned:  obj("type", "integer", "minimum", 0),
	maybeByte: obj("type", []string{"integer", "null"}, "minimum", 0, "maximum", 255),
	number:    obj("type", "number"),
	code: obj("description", "A member of an enumeration, by name or by number. New members may come.",
		"type", []string{"string", "integer"}),
	maybeCode: obj("type", []string{"string", "integer", "null"}),
	targets: obj("description", "A GUID, a phone number, or several of them.",
		"anyOf", []any{
			obj("type", []string{"string", "null"}),
			obj("type", "array", "items", obj("type", "string")),
		}),
	dictionary: obj("description", "Names and values. The names keep their casing.",
		"type", []string{"object", "null"},
		"additionalProperties", obj("type", []string{"string", "null"})),

	attempts: list("callback-attempt.json"),
	extras:   list("callback-extra.json"),
	related:  list("callback-related-item.json"),
}

func list(of string) node {
	return obj("type", []string{"array", "null"}, "items", ref(of))
}
