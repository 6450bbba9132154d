package examples_test

import (
	"testing"

	"ringstream/schemas/policytest"
)

// A subscriber needs nothing of ringstream but what is on the wire.
func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/deploy/examples", policytest.Policy{
		"missed":         {"std", "github.com/nats-io/nats.go"},
		"missed/book.go": {"bytes", "encoding/csv", "errors", "fmt", "io", "os", "strings", "unicode"},
	})
}
