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
	stream    = "./internal/replay/stream"
	explain   = "./internal/replay/explain"
	bundle    = "./internal/replay/bundle"
	page      = "./internal/replay/page"
	watch     = "./internal/replay/watch"
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

		// Replay decides nothing about calls.
		"internal/replay": may(jetstream, "github.com/spf13/cobra", "github.com/spf13/pflag", bus, coverage, event, program, telemetry, topology, call, fold,
			stream, explain, bundle),
		"internal/replay/import.go":    may("github.com/nats-io/nats.go", jetstream, "github.com/spf13/cobra", bus, event, topology, stream, bundle), // the only file that writes
		"internal/replay/attend.go":    may("github.com/nats-io/nats.go", jetstream, bus),                                                            // it waits for the connection
		"internal/replay/days.go":      pure("cmp", "slices", "strconv", "time", coverage),
		"internal/replay/queue.go":     pure("slices", "time"),
		"internal/replay/compare.go":   pure("cmp", "maps", "slices", bus),
		"internal/replay/field.go":     pure("bytes", "encoding/json", "fmt", "maps", "reflect", "slices", "strings", telemetry, explain), // explain masks
		"internal/replay/findings.go":  pure("cmp", "encoding/json", "fmt", "slices", "strings", event, call, stream),
		"internal/replay/held.go":      pure("strings", "time", bus, topology, stream),
		"internal/replay/refold.go":    pure("slices", "strconv", "strings", "time", bus, event, call, fold),
		"internal/replay/selection.go": pure("fmt", "regexp", "strconv", "strings", "time", event, call),
		"internal/replay/story.go":     pure("fmt", "strings", "time", "golang.org/x/tools/txtar", event, topology, call, fold, bundle),

		"internal/replay/serve.go": may("github.com/nats-io/nats.go", jetstream, "github.com/spf13/cobra", bus, program, stream, page), // its connection never gives up

		"internal/replay/beginning.go": may(jetstream, bus, event, topology, call, fold, stream, watch),
		"internal/replay/gauges.go":    may("github.com/prometheus/client_golang/prometheus", probe, telemetry, topology, watch),
		"internal/replay/lapses.go":    pure("time", coverage, event),
		"internal/replay/watch.go":     may("github.com/nats-io/nats.go", "github.com/spf13/cobra", bus, probe, program, telemetry), // its connection never gives up
		"internal/replay/watcher.go":   may(jetstream, bus, topology, explain, stream, watch),

		// Whether the streams are as promised is decided without a clock.
		"internal/replay/watch": pure("container/heap", "fmt", "maps", "slices", "strings", "time", bus, event, topology),

		"internal/replay/stream": may(jetstream, bus, topology),

		// What is concluded of the evidence is pure.
		"internal/replay/explain":              pure("cmp", "fmt", "regexp", "slices", "strings", "time", "unicode", "unicode/utf8", coverage, event, telemetry, call),
		"internal/replay/explain/gather.go":    may(jetstream, bus, event, topology, call, fold, stream),
		"internal/replay/explain/listening.go": may(bus, coverage, event, topology, fold, stream),
		"internal/replay/explain/search.go":    may(jetstream, bus, coverage, event, topology, call, fold, stream),

		// What is kept and drawn for a browser is pure; the rest reads the streams and answers.
		"internal/replay/page":           pure("bytes", "cmp", "encoding/json", "errors", "fmt", "io", "maps", "math", "net/url", "slices", "strconv", "strings", "time", coverage, event, call, explain),
		"internal/replay/page/answer.go": may(bus, coverage, explain, stream),
		"internal/replay/page/events.go": may(),
		"internal/replay/page/follow.go": may(jetstream, bus, event, topology, call, fold, explain, stream),
		"internal/replay/page/guard.go":  may(),
		"internal/replay/page/world.go":  may(bus, topology, stream),
		"internal/replay/page/render.go": may(bus, explain),
		"internal/replay/page/site.go":   may(jetstream, explain, stream),

		"internal/replay/bundle":            may(bus, event, topology, call),
		"internal/replay/bundle/alias.go":   pure("fmt", "strings", call),
		"internal/replay/bundle/message.go": may("github.com/cloudevents/sdk-go/v2/event", bus, event, telemetry, topology, fold),
	})
}
