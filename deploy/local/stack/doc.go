// Package stack runs the whole of ringstream on one machine: an embedded NATS
// server, both simulators and the three services, as real processes on
// 127.0.0.1.
//
// It owns their ports, environment, data, logs and ends: nothing that it
// started outlives Stop, and on Linux nothing outlives the program that called
// it either. It refuses to run twice on one directory, and to report ready
// what is not. What is in a call, and what should come of it, it does not know.
//
// The caller owes it the binaries of make build, and a Stop.
package stack
