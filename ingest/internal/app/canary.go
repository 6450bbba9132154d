package app

import (
	"fmt"
	"sync/atomic"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/topology"
)

// canary is the way of this replica's own heartbeats through the spool into the
// stream: while they arrive there, so does what the hub says. A hub that is
// silent changes nothing about it.
type canary struct {
	subject string // of the heartbeats
	newest  atomic.Pointer[time.Time]
}

func newCanary(instance string) *canary {
	return &canary{subject: topology.Feed(instance, "heartbeat")}
}

// stored takes in what the stream has acknowledged.
func (c *canary) stored(m bus.Outgoing) {
	if m.Subject == c.subject {
		c.newest.Store(&m.Arrived)
	}
}

// Result tells how old the newest heartbeat is that the stream has.
func (c *canary) Result() probe.Result {
	newest := c.newest.Load()
	if newest == nil {
		return probe.Result{Detail: "no heartbeat has been stored yet"}
	}
	age := time.Since(*newest)
	return probe.Result{OK: age < stuck, Detail: fmt.Sprintf("the newest heartbeat in the stream is %s old", age.Round(100*time.Millisecond))}
}
