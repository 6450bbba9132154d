// Package e2e is tests only: black-box stories over the real binaries, an
// embedded nats-server with file storage and both simulators, all as processes
// on 127.0.0.1. It sees what an outsider sees: the bus, the CRM's side and the
// probes. The binaries are those of make build.
package e2e
