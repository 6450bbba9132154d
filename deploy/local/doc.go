// Command local is what make run runs: all of ringstream on one machine, with
// sample calls and a live timeline of what becomes of them.
//
// Package stack runs the parts; here is what is played and how it is shown.
// The timeline is read from the streams and from Reapit's simulator, as any
// outsider could. It refuses to show what happened before it began, and to
// play sample calls to a real telephony. Its --help tells the rest.
package main
