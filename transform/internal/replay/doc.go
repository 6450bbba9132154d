// Package replay looks back: it folds the raw stream again, by the same code
// as the service, and prints the call events that come of it or compares them
// with those that CALLS holds. It is the command line of that name.
//
// It owns the commands, saying where two runs of a call part ([Compare]), and
// telling a call as a story that the tests of package call can replay, with
// nobody's name or number in it. Reading the streams is package stream's, why a
// screen was told or not is package explain's, the page in the browser package
// page's, and the file that carries calls to another server package bundle's.
//
// It refuses to write: to a stream, to a consumer's position, to anything but
// the output it is given. Only import writes, to streams that are empty. It needs
// the permission to look at a stream (STREAM.INFO) and to read it by a consumer of
// its own, and no other. It decides nothing about calls: what it prints is what
// package fold says.
//
// The caller owes it the limits that the service ran with; another limit is
// another fold, and shows as differences.
package replay
