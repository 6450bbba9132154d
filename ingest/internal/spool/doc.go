// Package spool is the queue between hearing a message and having it stored: a
// first-in-first-out queue of records that is written to disk before anything
// else is done with it, so that neither an outage of what is behind it nor the
// end of the process loses a record.
//
// It owns the files of one directory, which no other process may use at the
// same time, and the numbers of the records. Records are read from memory while
// the reader keeps up and from disk when it does not, so memory is bounded
// whatever waits. It calls no fsync: what is written survives the process, not
// the machine; a second replica on another machine is there for that.
//
// A record that was cut off by the end of the process is dropped, and so is one
// that has changed since it was written, with its file kept for people; both
// are told. It refuses to take more than its limit on disk. When the disk takes
// nothing, records wait in memory for as long as that has room, and die with the
// process; then Push blocks. Nothing is written past a record that waits so.
//
// The caller owes one goroutine that takes, and calls of Done for all records
// taken.
package spool
