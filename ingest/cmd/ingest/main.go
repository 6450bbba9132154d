// Ingest carries every message of Enreach's RTE hub into the stream RTE.
package main

import (
	"os"

	"ringstream/ingest/internal/app"
	"ringstream/schemas/program"
)

func main() {
	os.Exit(program.Program[app.Settings]{
		Name: "ingest", Summary: "carries every message of Enreach's RTE hub into the stream RTE",
		Run: app.Run, Check: app.Check,
	}.Main(os.Args[1:], os.Stdout, os.Stderr))
}
