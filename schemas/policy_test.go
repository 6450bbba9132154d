package schemas_test

import (
	"testing"

	"ringstream/schemas/policytest"
)

func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/schemas", policytest.Policy{
		".":     {"std", "./event", "github.com/santhosh-tekuri/jsonschema/v6"},
		"event": {"std", "-net", "-os", "github.com/cloudevents/sdk-go/v2/event", "github.com/cloudevents/sdk-go/v2/types", policytest.Pure},
		// Of net only the escaping of a path.
		"event/build.go": {"encoding/json", "fmt", "net/url", "strconv", "time", "github.com/cloudevents/sdk-go/v2/event", policytest.Pure},
		"coverage":       {"std", "-net", "-os", "-io", "-sync", "-context", "./event", policytest.Pure},
		"topology":       {"std", "-net", "-os", policytest.Pure},
		"bus":            {"std", "./probe", "./topology", "github.com/nats-io/nats.go", "github.com/nats-io/nkeys", "github.com/nats-io/nuid"},
		"bustest":        {"std", "./bus", "./event", "./topology", "github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2", "github.com/klauspost/compress/s2", "go.uber.org/goleak"},
		"telemetry":      {"std", "github.com/prometheus/client_golang", "go.opentelemetry.io/otel"},
		"probe":          {"std", "github.com/prometheus/client_golang"},
		"program":        {"std", "./probe", "./telemetry", "github.com/kelseyhightower/envconfig"},
		"policytest":     {"std"},
		"internal/gen":   {"std", "./event", "./topology", "go.yaml.in/yaml/v3"},
	})
}
