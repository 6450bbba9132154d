// Package directory knows which telephony user is which Reapit negotiator.
//
// It owns the list of negotiators in memory: read in full at the start and
// every few hours, kept as it is when a reading fails. A user is matched by an
// override of the operator, or else by an e-mail address that exactly one
// active negotiator has. It refuses to guess: an address that two have belongs
// to nobody, and the reason says so.
//
// The caller owes it a running Run, and patience (Wait) until the first list
// is there: before that, nobody but the overridden has a negotiator.
package directory
