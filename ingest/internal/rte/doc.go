// Package rte is the wire of Enreach's real-time engine (RTE), as ingest and
// rte-sim both speak it: the hub's methods and the values they take and return,
// the records of SignalR's JSON protocol, and the names of the events.
//
// It reads tolerantly and writes as ASP.NET Core does. It keeps the bytes of a
// MessageReceived argument as they are, both ways. It decides nothing: when to
// connect, what to subscribe and what to do with a message is the caller's.
//
// Every record ends with [Separator], and one WebSocket message may hold
// several of them. The caller cuts them with [CutRecord] and must not keep what
// it gets beyond the life of the buffer it gave.
package rte
