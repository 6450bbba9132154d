package main

import (
	"testing"

	"ringstream/schemas/policytest"
)

// The panels are data: nothing of the services has a part in them.
func TestPackagesImportWhatTheyMay(t *testing.T) {
	policytest.Check(t, "ringstream/deploy/dashboards", policytest.Policy{".": {"std"}})
}
