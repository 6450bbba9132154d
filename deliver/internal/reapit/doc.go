// Package reapit is Reapit's API as it is: tokens, requests, payloads, numbers
// and every shape an answer comes in.
//
// It owns the wire and reports what happened on it. It decides nothing: it does
// not retry, does not hold a deadline back and does not judge whether a call is
// still worth showing. A [Result] tells what is known; what follows from it is
// the caller's business.
//
// It refuses to use a token for two customers unless it is told to (see guard),
// to follow redirects, to read an answer without end, to wait for
// one longer than the gateway could take to give it, and to let a secret or a
// token into an error.
//
// The caller owes a context that ends, an Admit that keeps the application's
// budget, and a call of RefreshToken after a 401: Reapit may revoke a token
// before it expires.
package reapit
