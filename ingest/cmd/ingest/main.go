// Ingest carries every message of Enreach's RTE hub into the stream RTE.
package main

import (
	"os"
	"runtime/debug"

	"ringstream/ingest/internal/app"
	"ringstream/schemas/program"
)

func main() {
	collectLess()
	os.Exit(program.Program[app.Settings]{
		Name: "ingest", Summary: "carries every message of Enreach's RTE hub into the stream RTE",
		Run: app.Run, Check: app.Check,
	}.Main(os.Args[1:], os.Stdout, os.Stderr))
}

// How the garbage is collected unless GOGC and GOMEMLIMIT say otherwise. Few
// megabytes live, and Go's default collects whenever there are as many again:
// many times a second in a flood. The limit keeps what is won within the 150
// MiB that ingest may take, with room for what is no heap.
const (
	gcPercent   = 400
	memoryLimit = 112 << 20
)

func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
