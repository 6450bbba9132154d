package main

// A natsHeader is one row of the tables of message headers.
type natsHeader struct {
	name, doc string
	is        node
	required  bool
}

var (
	stamp   = obj("type", "string", "format", "date-time")
	words   = obj("type", "string", "minLength", 1)
	digits  = obj("type", "string", "pattern", "^[0-9]+$")
	jsonOne = obj("type", "string", "const", "application/json")
	traced  = obj("type", "string", "pattern", "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
)

// headers are the shared parts of header schemas, by the name of the part.
var headers = []struct {
	name, doc string
	rows      []natsHeader
}{
	{"cloudEvent", "What every event says of itself.", []natsHeader{
		{"ce-specversion", "Version of CloudEvents.", obj("type", "string", "const", "1.0"), true},
		{"ce-id", "Id of the event, unique with ce-source. A repeat has the same.", words, true},
		{"ce-source", "Where it comes from.", words, true},
		{"ce-type", "What kind of event it is.", words, true},
		{"ce-time", "When it happened.", stamp, true},
		{"ce-dataschema", "Id of the JSON Schema of the body.", obj("type", "string", "format", "uri"), true},
		{"ce-datacontenttype", "The body is JSON.", jsonOne, true},
		{"Content-Type", "The same.", jsonOne, true},
	}},
	{"trace", "Which trace it belongs to.", []natsHeader{
		{"ce-traceparent", "W3C trace context.", traced, false},
	}},
	{"message", "What JetStream needs of a publisher that may repeat itself.", []natsHeader{
		{"Nats-Msg-Id", "A repeat within ten minutes has the same and is stored once.", words, false},
	}},
	{"raw", "What only raw events have.", []natsHeader{
		{"ce-subject", "Id of the call, or of the user, queue or call list; absent where the message names none.", words, false},
		{"ce-partitionkey", "What the partition was computed from.", words, true},
		{"ce-recordedtime", "When ingest received it; ce-time is the hub's clock.", stamp, true},
		{"ce-recordedby", "The replica of ingest whose copy was stored, the first; others may have heard the event too. Absent where an older ingest wrote it.", words, false},
		{"ce-expirytime", "When the hub's time limit for the event passes, where it set one.", stamp, false},
	}},
	{"feed", "What only events about a replica of ingest have.", []natsHeader{
		{"ce-subject", "The replica of ingest.", words, true},
	}},
	{"call", "What only call events have.", []natsHeader{
		{"ce-subject", "Id of the call.", words, true},
		{"ce-partitionkey", "What the partition was computed from.", words, true},
		{"ce-causationid", "Id of the raw event that caused it.", words, true},
		{"ce-correlationid", "Id of the call.", words, true},
		{"ce-sequence", "Number of the event within its call, from 1.", digits, true},
	}},
	{"delivery", "What only outcomes have.", []natsHeader{
		{"ce-subject", "Id of the call.", words, true},
		{"ce-causationid", "Id of the call event.", words, true},
		{"ce-correlationid", "Id of the call.", words, true},
	}},
	{"deadLetter", "What only dead letters have.", []natsHeader{
		{"ce-subject", "Id of the call, where there is one.", words, false},
		{"ce-causationid", "Id of the event that died, where it has one.", words, false},
	}},
	{"position", "What every message of a fenced log has; subscribers need none of it.", []natsHeader{
		{"X-In", "Position of the input, in its stream, that this came of.", digits, false},
		{"X-Idx", "Which output of that input this is, from 0.", digits, false},
		{"Nats-Expected-Last-Sequence", "The position behind which this had to be stored.", digits, false},
	}},
	{"snapshot", "What only heads of snapshots have.", []natsHeader{
		{"X-Parts", "Number of parts; 0 where the head has all.", digits, true},
		{"X-Slot", "Which slot the parts are in, where there are any.", digits, false},
		{"X-Sum", "SHA-256 of the state, in hexadecimal digits.", obj("type", "string", "pattern", "^[0-9a-f]{64}$"), true},
	}},
	{"rollup", "What makes a snapshot replace the one before.", []natsHeader{
		{"Nats-Rollup", "Every message of this subject before this one is dropped.", obj("type", "string", "const", "sub"), false},
	}},
}

// headerSchema is the schema of one part.
func headerSchema(doc string, rows []natsHeader) node {
	var required []string
	var members node
	for _, h := range rows {
		members = append(members, member{h.name, append(obj("description", h.doc), h.is...)})
		if h.required {
			required = append(required, h.name)
		}
	}
	s := obj("type", "object", "description", doc, "properties", members)
	if required != nil {
		s = append(s, member{"required", required})
	}
	return s
}
