package deliver_test

import (
	"testing"

	"ringstream/schemas/policytest"
)

// pure packages decide; time, chance and effects come to them as arguments.
func pure(more ...string) []string {
	return append(more, policytest.Pure,
		"cmp", "encoding/json", "errors", "fmt", "maps", "math", "-math/rand", "slices", "strconv", "strings", "time")
}

func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/deliver", policytest.Policy{
		"internal/delivery":  pure(),
		"internal/schedule":  pure("bytes", "container/heap", "./internal/delivery", "ringstream/schemas/event"),
		"internal/reapit":    {"std", "ringstream/schemas/event", "github.com/nyaruka/phonenumbers", "golang.org/x/oauth2"},
		"internal/directory": {"std", "./internal/reapit", "ringstream/schemas/event", "github.com/cenkalti/backoff/v5", "go.yaml.in/yaml/v3"},
		"internal/reapitsim": {"std", "go.yaml.in/yaml/v3"},
		"internal/app": {
			"std", "./internal/delivery", "./internal/directory", "./internal/reapit", "./internal/schedule", "ringstream/schemas",
			"github.com/nats-io/nats.go", "github.com/prometheus/client_golang", "go.opentelemetry.io/otel", "golang.org/x/time/rate",
		},
		"cmd/deliver":    {"os", "runtime/debug", "./internal/app", "ringstream/schemas/program"},
		"cmd/reapit-sim": {"std", "./internal/reapitsim", "ringstream/schemas/program"},
	})
}
