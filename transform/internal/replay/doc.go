// Package replay looks back: it folds the raw stream again, by the same code
// as the service, and prints the call events that come of it or compares them
// with those that CALLS holds. It is the command line of that name.
//
// It owns three things: reading the streams from one end to the other, saying
// where two runs of a call part ([Compare]), and telling a call as a story that
// the tests of package call can replay, with nobody's name or number in it. It
// also prints when nobody listened, as package coverage works it out, and
// concludes from what the streams hold of a call why a screen was told or not
// ([Judge]).
//
// It also moves a call or a span, under aliases, to a file and from there to a
// server of its own.
//
// It refuses to write: to a stream, to a consumer's position, to anything but
// the output it is given. Only import writes, to streams that are empty. It needs the permission to look at a stream
// (STREAM.INFO) and to read it by a consumer of its own, and no other. It
// decides nothing about calls: what it prints is what package fold says.
//
// The caller owes it the limits that the service ran with; another limit is
// another fold, and shows as differences.
package replay
