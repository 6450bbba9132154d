// Package e2e is tests only: black-box stories over the real binaries, an
// embedded nats-server with file storage and both simulators, all as processes
// on 127.0.0.1. It sees what an outsider sees: the bus, the CRM's side and the
// probes. The binaries are those of make build.
//
// make certify is a test of it too: the whole pipeline over three nodes of a NATS
// cluster, which the test binary plays, while nemeses hurt everything, and checkers
// that compare what the hub has sent, what the streams hold and what Reapit has
// got. A seed makes the same calls and the same sequences of faults again, not the
// same moments.
//
// So is the run of transform alone (RUN=fold): the test binary plays ingest, too, and
// a checker that knows nothing of calls compares what the streams hold with a
// reference fold.
//
// So are the runs of deliver: two replicas between a NATS server into which the
// test says call events itself, and reapit-sim, which refuses, hangs and breaks
// off. Their checker goes by what was said, what reapit-sim received and what
// the streams hold.
//
// So is the roll: the three services between both simulators are replaced under load,
// by processes of another build, in the order in which Kubernetes does it.
//
// The alerts of deploy/alerts are tried likewise, with a Prometheus that scrapes
// what runs (make alerts-live, alerts-quiet).
//
// And so is the corpus of replay diff: calls that are known by their making, and
// replays that are built with one rule of the call model changed.
package e2e
