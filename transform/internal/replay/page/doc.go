// Package page shows the calls of the last hour to a browser: what was heard of
// each, whose screen was told and whose was not, and, of one call, the way that
// everything took.
//
// It owns the book of calls ([Book]), what is drawn of it ([Diagram], [Plot],
// [Strip]), and the HTTP server in front of it. It decides nothing: what became
// of a call package explain says, when nobody listened package coverage. The book
// and what is drawn know no clock, no network and no lock.
//
// It refuses to change anything: it reads the streams as replay does, and answers
// GET and HEAD only. Telephone numbers leave it with their last digits alone,
// unless it is told otherwise. It answers nobody from elsewhere without a token.
//
// The caller owes it a connection that comes back by itself, the limits of
// transform and the deadlines of deliver.
package page
