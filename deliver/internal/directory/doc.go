// Package directory knows which organization is which customer of Reapit's, and
// which of its telephony users is which negotiator.
//
// It owns the tenants, which may come from a file that changes ([File]), and for
// each customer the list of negotiators in memory: read in full at the start and
// every few hours, kept as it is when a reading fails. Each reading also goes to
// a [Store], and a start at which Reapit cannot be read has the list of an
// earlier one, with the age that it has. A user is matched by an override of the
// operator for the organization, or else by an e-mail address that exactly one
// active negotiator has. It refuses to guess: an address that two have belongs
// to nobody, and the reason says so; and so does a file of which anything is wrong.
//
// Each customer stands for itself: one whose list cannot be had keeps nobody else
// from being known, and of at most two at a time the list is being read.
//
// The caller owes it a running Run, a running Remember where there is a store,
// patience (Wait) until some list is there, and whatever belongs to an
// [Organization] that is not Known in a safe place until it is. What it looks up
// for one event it looks up once: the tenants may change in between.
package directory
