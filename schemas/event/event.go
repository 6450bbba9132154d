// Package event is the vocabulary of the pipeline: the Go types of every
// event that crosses a stream, and the codec that carries them as CloudEvents
// on NATS.
//
// It owns what outsiders see on the wire and nothing else: no connection, no
// clock, no policy. Ingest writes [Raw], [Feed] and [Heard] events, transform
// writes [Call] events, deliver writes [Outcome] and [DeadLetter] events; anybody may
// read them. The JSON Schemas of the same shapes are in schemas/jsonschema.
package event

// Attribute names of the CloudEvents extensions that ringstream sets.
const (
	ExtPartitionKey  = "partitionkey"  // what the partition was computed from
	ExtRecordedTime  = "recordedtime"  // arrival of a raw message, RFC 3339, UTC
	ExtRecordedBy    = "recordedby"    // replica of ingest whose copy of a raw message was stored
	ExtExpiryTime    = "expirytime"    // when a raw event has outlived its MessageTTLSeconds
	ExtTraceParent   = "traceparent"   // W3C trace context of the raw message
	ExtCausationID   = "causationid"   // id of the event that caused this one
	ExtCorrelationID = "correlationid" // CallId
	ExtSequence      = "sequence"      // n-th event of the call
)

// CloudEvents types and their prefixes.
const (
	RawTypePrefix      = "com.enreachvoice.rte."
	CallTypePrefix     = "dev.ringstream.call."
	FeedTypePrefix     = "dev.ringstream.feed."
	DeliveryTypePrefix = "dev.ringstream.delivery."
	DeadLetterType     = "dev.ringstream.deadletter.v1"
	HeardType          = "dev.ringstream.heard.v1"
	versionSuffix      = ".v1"
)
