package main

import "ringstream/schemas/event"

// A channel is one family of subjects.
type channel struct {
	id, address string
	stream      string // its stream; of several, by partition; empty: no stream keeps it
	title, doc  string
	internal    bool // of no use to anybody but its writer
	messages    []string
}

// An operation is what one service does with a channel.
type operation struct {
	service string
	action  string // send or receive
	channel string
	doc     string
}

const guide = `Ringstream carries telephone calls from a telephony provider's event hub (Enreach RTE) to an estate agent's screen
(Reapit). Three services, ingest, transform and deliver, share nothing but the streams described here. A further one
needs no change to them: it subscribes.

**What to read.** Most subscribers want the channel ` + "`calls`" + `: what happened to each call and whom it concerns. Read ` + "`raw`" + ` for
what the hub said, byte for byte, and ` + "`deliveries`" + ` for what became of each notification.

**How to subscribe.** Make a JetStream consumer on the stream that a channel names under x-stream, and filter by subject: the
channel's address with * for each parameter that you leave open, such as calls.*.incoming.* for ringing calls. Choose where to
begin: now, at a time, or at a position that you keep. An ordered consumer needs no acknowledgements; a durable one delivers at
least once, so remember the ce-id of what you did. Where x-republish is true, a plain NATS subscription to the address works as
well; it hears every message at most once and nothing of the past.

**Events.** Every message but a snapshot is a CloudEvent in binary mode: attributes in ce- headers, data as the body. Header
values are percent-encoded where they hold a space, a double quote, a percent sign or anything that is not printable ASCII.
ce-dataschema names the JSON Schema of the body; the schemas are in jsonschema/, an example of each in examples/. Ignore members
and headers that you do not know: a version may gain some. What would break a reader gets a new version, beside the old.

**Subjects.** Ids stand in subjects as lower-case GUIDs. An id that is no GUID is replaced by x and 16 hexadecimal digits of its
SHA-256, a missing one by none; so is every other word that has more than letters, digits, hyphen and underscore, or that may be
a telephone number. Numbers and names of people are in bodies only, never in subjects.

**Order.** The events of one call are stored in the order of their ce-sequence. Between calls of different partitions there is
no order. Two replicas of ingest publish the same raw event; the stream keeps one.`

const (
	logDoc      = "The same events as in calls, as transform writes them, one stream for each partition. Subscribe to calls instead, unless you must have the order of a whole partition."
	snapshotDoc = "A state from which the writer of this log starts again. Its content is private to the writer and changes without notice."
	partDoc     = "A piece of a snapshot that is too large for one message."
)

var channels = []channel{
	{
		id: "raw", address: "rte.{partition}.{organization}.{eventType}.{key}", stream: "RTE", title: "What the hub said",
		doc:      "Every message of the hub that reached any replica of ingest, once, byte for byte, those of one key in the order of arrival; one may come behind later ones of other keys. All events of one call have one key, and are in one partition.",
		messages: []string{"raw"},
	},
	{
		id: "feed", address: "feed.{instance}.{event}", stream: "RTE", title: "Who was listening",
		doc:      "What each replica of ingest tells about its own connection. From these alone follow the spans in which nobody listened. The heartbeats come once a second and are the clock of transform.",
		messages: names("feed", event.FeedTypes()),
	},
	{
		id: "heard", address: "heard.{instance}", title: "What each replica of ingest heard, for the others", internal: true,
		doc:      "Ids of the events that a replica of ingest has heard, about once a second. The others count what the hub did not send them (feed, event audit). Plain NATS: no stream keeps it, and what is lost is not compared. A replica must be allowed to publish here, and to subscribe to heard.*.",
		messages: []string{"heard"},
	},
	{
		id: "callLog", address: "calllog.{partition}.ev.{organization}.{type}.{callId}", stream: "CALL_LOG_{partition}",
		title: "Call events of one partition", doc: logDoc, messages: names("call", event.CallTypes()),
	},
	{id: "callLogSnapshot", address: "calllog.{partition}.snap", stream: "CALL_LOG_{partition}", title: "Snapshot of a partition", doc: snapshotDoc, internal: true, messages: []string{"snapshot"}},
	{id: "callLogSnapshotPart", address: "calllog.{partition}.snap.{slot}.{part}", stream: "CALL_LOG_{partition}", title: "Part of a snapshot of a partition", doc: partDoc, internal: true, messages: []string{"snapshotPart"}},
	{
		id: "calls", address: "calls.{organization}.{type}.{callId}", stream: "CALLS", title: "What happened to calls",
		doc:      "Every call event of every partition, merged by the server. The same raw events always make the same call events, ids included.",
		messages: names("call", event.CallTypes()),
	},
	{
		id: "deliveries", address: "deliveries.{customer}.{negotiator}.{outcome}.{callId}", stream: "DELIVERIES", title: "What became of notifications",
		doc:      "How the delivery of each call event to each negotiator ended, once. Delivered means that Reapit accepted it, not that somebody saw it.",
		messages: names("delivery", event.OutcomeTypes()),
	},
	{id: "deliverySnapshot", address: "deliverylog.snap", stream: "DELIVERIES", title: "Snapshot of deliver", doc: snapshotDoc, internal: true, messages: []string{"snapshot"}},
	{id: "deliverySnapshotPart", address: "deliverylog.snap.{slot}.{part}", stream: "DELIVERIES", title: "Part of a snapshot of deliver", doc: partDoc, internal: true, messages: []string{"snapshotPart"}},
	{
		id: "deadLetters", address: "deadletters.{service}.{reason}", stream: "DEADLETTERS", title: "What needs a person",
		doc:      "What cannot go on by itself, with all that is needed to understand it and to try again.",
		messages: []string{"deadLetter"},
	},
	{
		id: "redrive", address: "redrive.deliver", title: "Dead letters to be tried again", internal: true,
		doc:      "A request of the command deliver deadletters redrive, which the deliver that has the lease answers. Plain NATS: no stream keeps it, and what deliver has taken on is stored before it answers. An operator must be allowed to publish here, deliver to subscribe, and nobody else to publish.",
		messages: []string{"redrive"},
	},
}

var operations = []operation{
	{"ingest", "send", "raw", "Publishes what the hub sent. Each replica does; Nats-Msg-Id makes one of two."},
	{"ingest", "send", "feed", "Tells of its connection, and once a second that it lives."},
	{"ingest", "send", "heard", "Tells the other replicas what the hub has sent this one."},
	{"ingest", "receive", "heard", "Finds what the hub sent another replica and not this one."},
	{"ingest", "send", "deadLetters", "Keeps what no stream takes, such as a message that is too large."},
	{"transform", "receive", "raw", "Folds the raw events of the partitions that it works into call events, with an ordered consumer."},
	{"transform", "receive", "feed", "Takes the time and the gaps in coverage from what the replicas of ingest tell."},
	{"transform", "send", "callLog", "Appends call events, each with the position that it must take, so that only one writer can."},
	{"transform", "send", "callLogSnapshot", "Appends its state now and then."},
	{"transform", "send", "callLogSnapshotPart", "Appends the parts of a large state before its head."},
	{"transform", "receive", "callLogSnapshot", "Starts again from the newest state."},
	{"transform", "receive", "callLogSnapshotPart", "Reads the parts that the newest state names."},
	{"deliver", "receive", "calls", "Notifies the negotiators of each call event's audience, with an ordered consumer."},
	{"deliver", "send", "deliveries", "Records how each delivery ended, each with the position that it must take."},
	{"deliver", "receive", "deliveries", "Finds out after a start what was done since the newest state."},
	{"deliver", "send", "deliverySnapshot", "Appends its state now and then."},
	{"deliver", "send", "deliverySnapshotPart", "Appends the parts of a large state before its head."},
	{"deliver", "receive", "deliverySnapshot", "Starts again from the newest state."},
	{"deliver", "receive", "deliverySnapshotPart", "Reads the parts that the newest state names."},
	{"deliver", "send", "deadLetters", "Keeps what Reapit refused in a way that a person can mend."},
	{"deliver", "receive", "deadLetters", "Shows dead letters and tries them again, when an operator asks (deliver deadletters)."},
	{"deliver", "send", "redrive", "Asks for dead letters to be tried again (deliver deadletters redrive)."},
	{"deliver", "receive", "redrive", "Takes on what is asked for and still makes sense, stores that, and answers."},
}

// parameters are the placeholders of addresses, by name.
var parameters = obj(
	"partition", obj(
		"description", "Number of the partition, from 0: FNV-1a, 32 bits, of the key, modulo the number of partitions (4 unless the installation chose another). The stream states that number in its metadata, as ringstream.partitions.",
		"examples", []string{"0", "3"},
	),
	"organization", obj("description", "Id of the organization at the telephony provider.", "examples", []string{exampleID, "none"}),
	"eventType", obj("description", "The hub's name of the event, as it spells it; Unknown where a message names none.", "examples", []string{"UserCallInComing", "UserStatus"}),
	"key", obj("description", "Id of the call, or of the user, queue or call list where an event belongs to no call.", "examples", []string{exampleID, "none"}),
	"instance", obj("description", "Name of the replica of ingest (RTE_INSTANCE).", "examples", []string{"ingest-0"}),
	"event", obj("description", "What the replica tells.", "enum", event.FeedTypes()),
	"type", obj("description", "What happened to the call.", "enum", event.CallTypes()),
	"callId", obj("description", "Id of the call.", "examples", []string{exampleID}),
	"customer", obj("description", "The Reapit customer.", "examples", []string{"SBOX"}),
	"negotiator", obj("description", "Reapit's id of the negotiator; none where the user is no known negotiator.", "examples", []string{"JAS", "none"}),
	"outcome", obj("description", "How the delivery ended.", "enum", event.OutcomeTypes()),
	"service", obj("description", "Which service gave up.", "enum", []string{"ingest", "deliver"}),
	"reason", obj("description", "Why, in one word, as the body says too.", "examples", []string{"too-large", "unreadable"}),
	"slot", obj("description", "Which of two places the parts are in; the head of the snapshot names it.", "enum", []string{"0", "1"}),
	"part", obj("description", "Number of the part, from 0.", "examples", []string{"0"}),
)

const exampleID = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30"
