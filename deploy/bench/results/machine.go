package main

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// machine is where and with what was measured.
type machine struct {
	Measured   string `json:"measured"`
	Ringstream string `json:"ringstream"`
	Go         string `json:"go"`
	NATS       string `json:"nats"`
	Watermill  string `json:"watermill"`
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	Memory     string `json:"memory"`
	Kernel     string `json:"kernel"`
	Load       string `json:"load"` // at the end: what else went on
}

func thisMachine(version string) machine {
	return machine{
		Measured: time.Now().UTC().Format(time.DateOnly), Ringstream: version, Go: runtime.Version(),
		NATS:      "nats.go " + built("github.com/nats-io/nats.go") + ", nats-server " + built("github.com/nats-io/nats-server/v2"),
		Watermill: built("github.com/ThreeDotsLabs/watermill") + ", watermill-nats " + built("github.com/ThreeDotsLabs/watermill-nats/v2"),
		CPU:       told("/proc/cpuinfo", "model name"), CPUs: runtime.NumCPU(), Memory: told("/proc/meminfo", "MemTotal"), Kernel: said("/proc/sys/kernel/osrelease"), Load: said("/proc/loadavg"),
	}
}

// built is the version of a module that the benchmarks require.
func built(module string) string {
	for _, file := range []string{"deploy/bench/go.mod", "deploy/e2e/go.mod"} {
		b, err := os.ReadFile(file) //nolint:gosec // one of these two
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == module {
				return fields[1]
			}
		}
	}
	return "of unknown version"
}

// told is what the kernel says under a name.
func told(file, name string) string {
	b, err := os.ReadFile(file) //nolint:gosec // a file of the kernel's
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// said is all that the kernel says in a file.
func said(file string) string {
	b, err := os.ReadFile(file) //nolint:gosec // a file of the kernel
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
