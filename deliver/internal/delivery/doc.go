// Package delivery decides what follows from one attempt to notify Reapit.
//
// It owns one table from what came of the attempt (every HTTP status, every way
// not to get one) to what to do: done, try again later, fetch a new token, park
// the customer, reject, bury; and whether Reapit may have shown the notification
// although nobody said so. It refuses to know anything else: no clock, no
// network, no chance. Jitter arrives as an argument, and how far the table
// stands from Reapit's own words is told by testdata/decisions.txt, which a
// test compares with it.
//
// The caller owes results that are classified (an answer is an answer even
// when it says 500) and obeys the verdict: whoever is parked is probed again
// for ever, never given up.
package delivery
