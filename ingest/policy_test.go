package ingest_test

import (
	"testing"

	"ringstream/schemas/policytest"
)

func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/ingest", policytest.Policy{
		"cmd/ingest":  {"std", "./internal/app", "ringstream/schemas/program"},
		"cmd/rte-sim": {"std", "./internal/rtesim", "ringstream/schemas/program"},

		// What to do about a connection, decided without one.
		"internal/session": {
			"std", "-context", "-net", "-os", "-sync", "-log/slog", "-math/rand", "-crypto/rand", policytest.Pure,
		},
		"internal/rte": {"std", "ringstream/schemas/event"},
		"internal/hub": {
			"std", "./internal/rte", "./internal/session", "ringstream/schemas/event", "ringstream/schemas/telemetry",
			"github.com/philippseith/signalr", "github.com/go-kit/log", "github.com/coder/websocket",
			"github.com/google/uuid", "go.yaml.in/yaml/v3",
		},
		"internal/feed": {
			"std", "ringstream/schemas/bus", "ringstream/schemas/event", "ringstream/schemas/telemetry", "ringstream/schemas/topology",
			"github.com/cloudevents/sdk-go/v2", "github.com/nats-io/nats.go", "go.opentelemetry.io/otel",
		},
		"internal/spool": {"std", "github.com/gofrs/flock"},
		"internal/app": {
			"std", "./internal/feed", "./internal/hub", "./internal/rte", "./internal/session", "./internal/spool",
			"ringstream/schemas/bus", "ringstream/schemas/event", "ringstream/schemas/probe", "ringstream/schemas/program",
			"ringstream/schemas/telemetry", "ringstream/schemas/topology",
			"github.com/nats-io/nats.go", "github.com/prometheus/client_golang",
		},
		"internal/rtesim": {
			"std", "./internal/rte",
			"github.com/coder/websocket", "github.com/golang-jwt/jwt/v5", "github.com/google/uuid",
			"golang.org/x/tools",
		},
	})
}
