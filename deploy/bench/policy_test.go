package bench_test

import (
	"testing"

	"ringstream/schemas/policytest"
)

// What is compared with transform folds with transform's own fold, so this
// module's path lies within transform's. It takes nothing else of it.
func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/transform", policytest.Policy{
		"watermill": {
			"std", "github.com/ThreeDotsLabs/watermill", "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream",
			"github.com/nats-io/nats.go", "ringstream/schemas/bus", "ringstream/schemas/topology", "./internal/call", "./internal/fold",
		},
		"results": {"std", "gonum.org/v1/plot"},
	})
}
