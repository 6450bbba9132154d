// Deliver shows calls to Reapit's negotiators: it posts what CALLS says and
// records how each delivery ended.
package main

import (
	"os"
	"runtime/debug"

	"ringstream/deliver/internal/app"
	"ringstream/schemas/program"
)

// garbage is how much of it there may be beside what lives, in percent, where
// GOGC does not say. What lives is small: many calls at once would be held up by
// one collection after the other.
const garbage = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	os.Exit(program.Program[app.Settings]{
		Name: "deliver", Summary: "posts call events to Reapit and records how each delivery ended",
		Run: app.Run, Check: app.Check,
		Commands: map[string]program.Command[app.Settings]{
			"deadletters": {
				Summary: "list, show or try again what could not be delivered", Usage: app.DeadLettersUsage,
				Needs: []string{"NATS_", "LOG_LEVEL", "LOG_FORMAT"}, Run: app.DeadLetters,
			},
		},
	}.Main(os.Args[1:], os.Stdout, os.Stderr))
}
