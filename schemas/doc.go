// Package schemas is the contract of ringstream: what crosses a stream, written
// down so that a program in any language can check it.
//
// # What is here
//
//	jsonschema/rte/         what Enreach's hub sends: MessageReceived, each event in it, the objects around it
//	jsonschema/call/        what transform says about calls
//	jsonschema/feed/        what a replica of ingest says about its own listening
//	jsonschema/delivery/    how the delivery of a call event ended
//	jsonschema/deadletter/  what cannot go on by itself
//	jsonschema/reapit/      the notification that deliver sends to Reapit
//	examples/               one example of each, under the same path
//	asyncapi.yaml           which of them stands on which subject, who writes it, and how to subscribe
//
// Every schema is JSON Schema 2020-12. Its id is [event.SchemaBase] and its
// path below jsonschema, and that id is the dataschema attribute of every
// CloudEvent whose data it describes. The Go types of ringstream's own events
// are in schemas/event, the streams and subjects in schemas/topology.
//
// # Three attitudes
//
// What RTE sends is read tolerantly, because its documentation and its wire
// differ: names match in PascalCase and camelCase and where RTE spells one word
// in two ways (UserName and Username); any member may be missing and any other
// may be there; a time may lack its zone, which then is UTC; all zeros are no
// GUID; an enumeration may be a name or a number. A wrong type is still an
// error. An event type that is not known here may hold anything.
//
// What ringstream says itself is exact: every member is there, with its type.
// Members may be added to an event within a version, so a reader ignores those
// that it does not know, and so do the schemas. Removing one, or changing what
// it means, makes a new version, beside the old.
//
// What Reapit is sent is closed: what the schema does not name is not sent.
//
// # What it owns, refuses, and asks
//
// This package owns the files and a validator for them. It refuses ids that are
// not in the contract ([ErrUnknown]). It has no opinion on what a caller does
// with an invalid event. The schemas under rte, call, feed and delivery, and
// asyncapi.yaml, are generated from the tables in internal/gen: change a table,
// then run go generate.
package schemas
