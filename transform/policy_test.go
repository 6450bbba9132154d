package transform_test

import (
	"testing"

	"ringstream/schemas/policytest"
)

const (
	jetstream = "github.com/nats-io/nats.go/jetstream"
	coverage  = "ringstream/schemas/coverage"
	event     = "ringstream/schemas/event"
	topology  = "ringstream/schemas/topology"
	bus       = "ringstream/schemas/bus"
	telemetry = "ringstream/schemas/telemetry"
	program   = "ringstream/schemas/program"
	probe     = "ringstream/schemas/probe"
	call      = "./internal/call"
	fold      = "./internal/fold"
)

// pure code may import exactly what is listed, any other the standard library
// besides.
func pure(imports ...string) []string { return append(imports, policytest.Pure) }
func may(imports ...string) []string  { return append(imports, "std") }

func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/transform", policytest.Policy{
		"cmd/transform": may("./internal/app"),
		"cmd/replay":    may("./internal/replay"),

		// The call model knows the events' shapes and nothing else.
		"internal/call":          pure("cmp", "slices", "strings", "time", event),
		"internal/call/pack.go":  pure("crypto/sha256", "encoding/binary", "encoding/hex", "errors", "time", event),
		"internal/call/story.go": pure("cmp", "fmt", "slices", "strings", "time", event),

		// The fold is pure but for the file that joins it to the bus.
		"internal/fold":              pure("container/heap", "encoding/json", "fmt", "maps", "slices", "strings", "time", coverage, event, call),
		"internal/fold/numbers.go":   pure("crypto/sha256", "encoding/binary", "errors", "time"),
		"internal/fold/decode.go":    pure("encoding/json", "fmt", "strings", bus, event), // bus for the shape of a message
		"internal/fold/partition.go": may(jetstream, bus, event, telemetry, topology, call),

		"internal/app": may(jetstream, "github.com/cenkalti/backoff/v5", "github.com/nats-io/nuid", "github.com/prometheus/client_golang/prometheus",
			"go.opentelemetry.io/otel", bus, event, probe, program, telemetry, topology, call, fold),
		"internal/app/stall.go": pure("time"), // it decides; merge.go sees and does

		// Replay decides nothing about calls, and what it concludes is pure too.
		"internal/replay": may(jetstream, "github.com/cloudevents/sdk-go/v2/event", "github.com/spf13/cobra", "github.com/spf13/pflag",
			bus, coverage, event, program, telemetry, topology, call, fold),
		"internal/replay/import.go":    may("github.com/nats-io/nats.go", jetstream, "github.com/spf13/cobra", bus, event, topology), // the only file that writes
		"internal/replay/alias.go":     pure("fmt", "strings", call),
		"internal/replay/answer.go":    pure("fmt", "slices", "strings", "time", coverage, event),
		"internal/replay/compare.go":   pure("cmp", "maps", "slices", bus),
		"internal/replay/evidence.go":  pure("slices", "strings", "time", event, call),
		"internal/replay/field.go":     pure("bytes", "encoding/json", "fmt", "maps", "reflect", "slices", "strings", telemetry),
		"internal/replay/held.go":      pure("strconv", "strings", bus, topology),
		"internal/replay/judge.go":     pure("time", event),
		"internal/replay/masking.go":   pure("regexp", "strings", telemetry),
		"internal/replay/reason.go":    pure("slices", "strings"),
		"internal/replay/refold.go":    pure("slices", "strconv", "strings", "time", bus, event, call, fold),
		"internal/replay/selection.go": pure("fmt", "strings", "time", event, call),
		"internal/replay/sentence.go":  pure("fmt", "slices", "strings", "time", event),
		"internal/replay/story.go":     pure("fmt", "strings", "time", "golang.org/x/tools/txtar", event, topology, call, fold),
		"internal/replay/timeline.go":  pure("cmp", "fmt", "slices", "strings", "time", event, call),
	})
}
