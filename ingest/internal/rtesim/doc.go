// Package rtesim simulates Enreach's side: the discovery and token endpoints of
// the REST API, and the RTE hub as ASP.NET Core's SignalR shows it on the wire.
//
// It owns the hub's behaviour: who is admitted, what is subscribed, in which
// bytes and which order events leave, and how connections end. It refuses to
// guess what a client should do. It keeps no call logic: what happens in a call
// is written in a scenario. The caller owes it a Close.
//
// # What it does as the real side does
//
//   - GET /api/user?user=<email> answers an array with apiEndpoint.
//   - GET /token/{user}/rte/ with HTTP Basic answers {WssEndpoint, Token}; the
//     token is a JWT with exp. It is checked at negotiate and connect only.
//   - POST /rte/negotiate in version 0 and 1, then a WebSocket on /rte?id=…, or
//     without id. The token goes in Authorization: Bearer or access_token=.
//   - Subscribe, Unsubscribe, UnsubscribeAll, AvailableSubscriptions and
//     ActiveSubscriptions, in any casing. UnsubscribeAll answers true, and
//     Unsubscribe subscribed: true for each item that is valid.
//   - MessageReceived to those who subscribed the entity and event. The
//     subscription part, and its id, is each connection's own; the data part is
//     the same for all, byte for byte.
//   - A record above 32 KiB, JSON that is none, or a completion without an
//     invocation id closes the connection with "Connection closed with an
//     error."; so does no client that merely calls a wrong method.
//   - Pings, the client's time-out, the handshake's and the socket's.
//   - A connection that does not read holds the events of all others up once its
//     queue is full, at most until its write times out (10 s).
//
// # Scenarios
//
// A scenario is a txtar archive. Its comment says what happens. Sections:
//
//	-- organization --   one line: the id
//	-- users --          name id=<guid> userName=<e-mail> numbers=<n>,<n>
//	-- queues --         name id=<guid> title=<text>
//	-- calllists --      the same
//	-- call --           a call; there may be many
//
// Without users it has the agency's: jane, tom, sara and ali, the queues sales
// and lettings and the call list callbacks. In a call, a line that begins with
// + is an event, any other line sets fields of all its events:
//
//	caller=+447123456789 called=+442071838750 start=2s
//	+0s   UserCallInComing        user=jane
//	+0.3s UserCallInUserAllocated user=jane publicity:=1 -legId note="a b"
//	+1.2s UserCallInUserConnected user=jane times=2
//
// name=text sets a string, name:=JSON any value, -name leaves the field out.
// user, queue and calllist fill in what the directory knows and decide the
// entity; entityId=… decides it by hand. caller and called are CallerNumber and
// TargetNumber, start delays the whole call, times sends the same event (same
// id) that often. Each event has a new id and the time of its sending, each
// call a CallId of its own unless callId=… is set. Fields that the event does
// not have are added. Event types need not be known.
//
// # Control API
//
// JSON in and out; a refusal is 400 {"error"}. Durations are in Go's form.
//
//	GET  /control/directory     the agency
//	GET  /control/scenarios     the embedded scenarios
//	GET  /control/connections   with their subscriptions
//	POST /control/play          {scenario | text, speed, repeat, every, subscribers, all, patience, wait}
//	     scenario is a name or, as text is, a whole scenario;
//	     every: time between the starts of repetitions (without it one after another);
//	     subscribers: how many connections must have subscribed something of it first,
//	     with all everything of it, for at most patience (30s). Answers once started, or with
//	     wait once finished: {id, scenario, callIds, events, receivers, started, finished}
//	GET  /control/playing       the same of the last 100; ?id= one of them, ?wait=true when finished
//	POST /control/send          {eventType, user | queue | callList | entityId, data, count, calls | callIds}
//	     count events in order as fast as the sockets take them, each with its own id and with
//	     seq from 1; they take turns with calls new CallIds, or with callIds. Or verbatim bytes:
//	     {raw | rawBase64, to, target, record, binary, eventType, entityId, count}: raw is the argument;
//	     to is "" for the subscribers of eventType and entityId (read from raw when not given),
//	     "all" or a connection; target another callback; record: raw is the whole record;
//	     binary: raw is a whole binary WebSocket message.
//	POST /control/drop          {mode: close | close-reconnect | eof | reset | silent, connection, error}
//	POST /control/fail          {what, count, delay}: discovery-5xx, token-401, token-429, token-5xx,
//	     token-slow (by delay), token-malformed, negotiate-401, negotiate-5xx, connect-401, connect-5xx
//	POST /control/stall         {duration}: no record is written, no ping of SignalR either, but pings of the
//	     WebSocket are answered; 0s ends it
//	POST /control/coalesce      {records}: most records in one WebSocket message
//	POST /control/unauthorized  {entityIds}: replaces those that nobody may subscribe
//	GET  /control/sent          ?connection=&offset=&limit=: {total, dropped, entries}, oldest first,
//	     each {connection, id, eventType, entityId, time, size, sha256 of the argument, uncertain}
//	GET  /control/attendances   who was listening: [{time, connection, what: subscribed | ended, items}]
//	POST /control/reset         stops plays, forgets what was sent, faults, stall and refusals
package rtesim
