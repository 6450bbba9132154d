// Package app wires the transform service: settings, bus, the replica that
// shares the partitions with others, probes and metrics.
package app

import (
	"os"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/program"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

// Settings of the service.
type Settings struct {
	program.Common
	bus.Config
	call.Limits
	Instance string        `envconfig:"TRANSFORM_INSTANCE" absent:"host name" desc:"name of this replica among those that share the partitions"`
	LeaseTTL time.Duration `envconfig:"LEASE_TTL" default:"3s" desc:"how long a silent replica keeps its partitions; whole seconds, up to 5m"`
}

// Problems implements program.Checker.
func (s Settings) Problems() []program.Problem {
	return append(s.Common.Problems(), program.LeaseTTL(s.LeaseTTL)...)
}

// instance is the configured name, or the host's.
func (s Settings) instance() string {
	if s.Instance != "" {
		return s.Instance
	}
	if host, err := os.Hostname(); err == nil {
		return host
	}
	return "transform"
}

// streams are those that the service reads or writes, and the lease bucket.
func (s Settings) streams() []string {
	names := []string{topology.RTE, topology.Leases}
	for p := range s.Partitions {
		names = append(names, topology.CallLog(p))
	}
	return names
}
