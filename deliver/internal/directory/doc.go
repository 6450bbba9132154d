// Package directory knows which telephony user is which Reapit negotiator.
//
// It owns the list of negotiators in memory: read in full at the start and
// every few hours, kept as it is when a reading fails. Each reading also goes to
// a [Store], and a start at which Reapit cannot be read has the list of an
// earlier one, with the age that it has. A user is matched by an override of the
// operator, or else by an e-mail address that exactly one active negotiator has.
// It refuses to guess: an address that two have belongs to nobody, and the reason
// says so.
//
// The caller owes it a running Run, a running Remember where there is a store,
// and patience (Wait) until the first list is there: before that, nobody but the
// overridden has a negotiator.
package directory
