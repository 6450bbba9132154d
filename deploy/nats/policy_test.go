package main

import (
	"testing"

	"ringstream/schemas/policytest"
)

// Who may do what is the contract's: nothing of the services has a part in it.
func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/deploy/nats", policytest.Policy{
		".": {"std", "ringstream/schemas/topology", "github.com/nats-io/jwt/v2", "github.com/nats-io/nkeys"},
	})
}
