package main

import "ringstream/schemas/event"

var userDef = member{"user", obj(
	"description", "A participant.",
	"type", "object",
	"required", []string{"userId", "userName"},
	"properties", obj(
		"userId", obj("description", "The telephony user.", "type", "string", "minLength", 1),
		"userName", obj("description", "Name of the user, an e-mail address at most providers; empty when RTE did not tell it.", "type", "string"),
	),
)}

// A nil kind is the constant of the event type.
var callProperties = []property{
	{name: "callId", doc: "The call.", is: nonEmpty},
	{name: "organizationId", doc: "The organization; empty when RTE did not tell it.", is: anyText},
	{name: "type", doc: "What happened."},
	{name: "direction", doc: "Direction of the call as its audience sees it.", is: oneOf([]event.Direction{event.Inbound, event.Outbound})},
	{name: "occurredAt", doc: "When it happened, by the hub's clock, UTC.", is: utc},
	{name: "recordedAt", doc: "When ringstream heard of it, by its own clocks, UTC: what counts for how old it is.", is: utc, optional: true},
	{name: "caller", doc: "Who calls, as RTE sent it, trimmed; empty when withheld.", is: anyText},
	{name: "called", doc: "The number first dialled, as RTE sent it, trimmed.", is: anyText},
	{name: "callerWithheld", doc: "Whether the caller's number is not known.", is: truth},
	{name: "huntGroup", doc: "Whether the call is for a group.", is: truth},
	{name: "audience", doc: "Whom it is to be told.", is: obj("type", "array", "minItems", 1, "items", ref("#/$defs/user"))},
	{name: "answeredBy", doc: "Who answered last; null while nobody did.", is: nullable("#/$defs/user")},
	{name: "sequence", doc: "Number of this event within the call, from 1.", is: obj("type", "integer", "minimum", 1)},
	{name: "inferred", doc: "Whether a time limit closed the call, not an RTE event.", is: truth},
	{name: "coverage", doc: "Whether everybody who takes part in the call was listened to all through it so far.", is: oneOf([]event.Coverage{event.Complete, event.Gap})},
	{name: "cause", doc: "The RTE event that made this one.", is: ref("#/$defs/cause")},
}

var callDefs = obj(
	"if", obj("properties", obj("callerWithheld", is(true))),
	"then", obj("properties", obj("caller", is(""))),
	"$defs", node{userDef, {"cause", obj(
		"description", "The RTE event behind a call event.",
		"type", "object",
		"required", []string{"eventId", "eventType", "reason"},
		"properties", obj(
			"eventId", obj("description", "Its id.", "type", "string", "minLength", 1),
			"eventType", obj("description", "Its type, such as UserCallInComing.", "type", "string"),
			"reason", obj("description", "Its Reason, or null.", "type", []string{"string", "null"}),
		),
	)}},
)

var (
	inbound  = is(event.Inbound)
	outbound = is(event.Outbound)
)

var callRules = map[event.CallType]rule{
	event.Incoming:           {doc: "A call rings at the audience.", narrow: obj("direction", inbound)},
	event.Answered:           {doc: "Somebody answered a call that rang at the audience.", narrow: obj("direction", inbound, "answeredBy", ref("#/$defs/user"))},
	event.Ended:              {doc: "A call is over for the audience after it was answered, or an outbound one is over."},
	event.Missed:             {doc: "A call rang at the audience, or was theirs, and nobody answered it.", narrow: obj("direction", inbound, "answeredBy", obj("type", "null"))},
	event.Transferring:       {doc: "The audience began to transfer a call.", narrow: obj("direction", inbound)},
	event.Held:               {doc: "The audience put a call on hold."},
	event.Resumed:            {doc: "The audience took a call off hold."},
	event.Outgoing:           {doc: "The audience placed a call.", narrow: obj("direction", outbound)},
	event.Connected:          {doc: "A call that the audience placed was answered.", narrow: obj("direction", outbound)},
	event.CallbackRequested:  {doc: "The caller is to be called back by the audience.", narrow: obj("direction", inbound)},
	event.RecordingAvailable: {doc: "The recording of a call is ready. It may come long after the end."},
}

var feedProperties = []property{
	{name: "instance", doc: "The replica of ingest.", is: nonEmpty},
	{name: "type", doc: "What the replica tells."},
	{name: "epoch", doc: "Id of the connection; empty while there is none.", is: anyText},
	{name: "live", doc: "Whether the replica was connected and subscribed when it said this, and had heard the hub lately.", is: truth},
	{name: "at", doc: "When, by the replica's clock, UTC. Of a closed event: when the hub was last heard.", is: utc},
	{name: "heardAt", doc: "When the hub was last heard on this connection, UTC: how far the connection is known to have reached. A quiet hub pings every 15 s.", is: utc, optional: true},
	{name: "answers", doc: "Whether the hub answers WebSocket pings on this connection: if so, heardAt is hardly older than a second while the connection stands, and live is false once it is older than 3 s.", is: truth, optional: true},
	{name: "hub", doc: "Host of the hub.", is: anyText, optional: true},
	{name: "received", doc: "Messages of this connection so far.", is: count},
	{name: "lastEventId", doc: "Newest RTE event of this connection.", is: anyText, optional: true},
	{name: "subscriptions", doc: "The hub's answers, item by item.", is: arrayOf(ref("#/$defs/subscription")), optional: true},
	{name: "reason", doc: "Why the connection ended.", is: anyText, optional: true},
	{name: "unheard", doc: "How many events another replica heard and this one, which listened and had subscribed them, did not.", is: count, optional: true},
	{name: "unheardIds", doc: "Ids of the first few of them.", is: arrayOf(nonEmpty), optional: true},
}

var feedDefs = obj("$defs", obj("subscription", obj(
	"description", "The hub's answer to one subscription item.",
	"type", "object",
	"required", []string{"entityId", "eventName", "subscribed"},
	"properties", obj(
		"entityId", obj("description", "The user, queue or call list.", "type", "string"),
		"eventName", obj("description", "The event name.", "type", "string"),
		"subscribed", obj("description", "Whether it took effect.", "type", "boolean"),
		"message", obj("description", "Why not.", "type", "string"),
	),
)))

var feedRules = map[event.FeedType]rule{
	event.Opened:     {doc: "A connection to the hub stands.", narrow: obj("epoch", nonEmpty)},
	event.Subscribed: {doc: "The hub answered a Subscribe.", narrow: obj("epoch", nonEmpty)},
	event.Heartbeat:  {doc: "The replica is alive, connected or not. Once a second."},
	event.Closed:     {doc: "The connection ended.", narrow: obj("epoch", nonEmpty)},
	event.Audit: {
		doc:    "The hub sent another replica events that it did not send this one. It tells nothing of who was listening.",
		also:   []string{"unheard"},
		narrow: obj("unheard", obj("type", "integer", "minimum", 1)),
	},
}

const heardDoc = "What one connection of a replica of ingest has brought since it told this last. It may tell less than it heard, never more."

var heardProperties = []property{
	{name: "instance", doc: "The replica of ingest.", is: nonEmpty},
	{name: "epoch", doc: "Id of the connection.", is: nonEmpty},
	{name: "after", doc: "When a WebSocket ping left, by the replica's clock, UTC, that the hub had answered on this connection before any of these events came: it wrote all of them later.", is: utc},
	{name: "items", doc: "The events, by what they are about.", is: arrayOf(ref("#/$defs/item"))},
}

var heardDefs = obj("$defs", obj("item", obj(
	"description", "Events of one user, queue or call list and one type.",
	"type", "object",
	"required", []string{"entityId", "eventType", "ids"},
	"properties", obj(
		"entityId", obj("description", "The user, queue or call list.", "type", "string", "minLength", 1),
		"eventType", obj("description", "The hub's name of the events.", "type", "string", "minLength", 1),
		"ids", obj("description", "Their ids at the hub.", "type", "array", "minItems", 1, "items", nonEmpty),
	),
)))

var outcomeProperties = []property{
	{name: "eventId", doc: "Id of the call event.", is: nonEmpty},
	{name: "callId", doc: "The call.", is: nonEmpty},
	{name: "organizationId", doc: "The organization.", is: anyText},
	{name: "customer", doc: "The Reapit customer.", is: anyText},
	{name: "negotiatorId", doc: "The negotiator; empty when the user is none.", is: anyText},
	{name: "users", doc: "The members of the audience whom the negotiator stands for.", is: arrayOf(ref("#/$defs/user"))},
	{name: "type", doc: "Type of the call event.", is: oneOf([]event.CallType{event.Incoming, event.Answered, event.Ended, event.Missed})},
	{name: "subType", doc: "Reapit's name for it.", is: oneOf([]string{"incomingCall", "answeredCall", "endedCall", "missedCall"})},
	{name: "outcome", doc: "How the delivery ended."},
	{name: "cause", doc: "Why, in one word; there may be more of them. Absent in outcomes from before there were causes.", is: obj("type", "string", "pattern", "^[a-z]+(-[a-z]+)*$"), optional: true},
	{name: "reason", doc: "Why, in words.", is: anyText, optional: true},
	{name: "attempts", doc: "POSTs made.", is: count},
	{name: "status", doc: "HTTP status of the last answer.", is: obj("type", "integer", "minimum", 100, "maximum", 599), optional: true},
	{name: "requestId", doc: "Reapit's id of the last request.", is: anyText, optional: true},
	{name: "occurredAt", doc: "When the call event happened, UTC.", is: utc},
	{name: "receivedAt", doc: "When the call event was stored, UTC.", is: utc},
	{name: "firstTriedAt", doc: "When the first POST was made, UTC; null when there was none.", is: maybeUTC},
	{name: "finishedAt", doc: "When the delivery ended, UTC.", is: utc},
	{name: "latencyMs", doc: "From receivedAt to finishedAt, in milliseconds.", is: obj("type", "integer")},
	{name: "redrive", doc: "Which redrive of the delivery ended, from 1; absent when the delivery itself did. There is one outcome without it, and one for each redrive.", is: obj("type", "integer", "minimum", 1), optional: true},
}

var deliveryDefs = obj("$defs", node{userDef})

var outcomeRules = map[event.OutcomeType]rule{
	event.Delivered: {
		doc: "Reapit accepted the notification. That does not mean it was shown.", also: []string{"status"},
		narrow: obj(
			"negotiatorId", nonEmpty,
			"attempts", obj("type", "integer", "minimum", 1),
			"status", obj("type", "integer", "minimum", 200, "maximum", 299),
			"firstTriedAt", utc,
		),
	},
	event.Expired:    {doc: "The deadline passed before the notification could be sent.", also: []string{"reason"}},
	event.Superseded: {doc: "A later event of the call would have made the notification misleading.", also: []string{"reason"}},
	event.Unmapped:   {doc: "The user is no known negotiator.", also: []string{"reason"}, narrow: obj("negotiatorId", is(""), "attempts", is(0))},
	event.Rejected:   {doc: "Reapit refused the notification for good.", also: []string{"reason"}},
	event.Dead:       {doc: "The notification cannot be delivered; a dead letter keeps it.", also: []string{"reason"}},
	event.Shadowed:   {doc: "Everything was done but the POST.", narrow: obj("attempts", is(0))},
}
