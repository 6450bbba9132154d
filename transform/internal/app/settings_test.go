package app

import (
	"strings"
	"testing"

	"ringstream/schemas/program"
)

func TestALeaseHasBounds(t *testing.T) {
	for value, ok := range map[string]bool{"1s": true, "5m": true, "24h": false, "500ms": false, "1500ms": false} {
		t.Setenv("LEASE_TTL", value)
		var s Settings
		err := program.Load(&s)
		if refused := err != nil && strings.Contains(err.Error(), "LEASE_TTL: "); refused == ok {
			t.Errorf("%s: %v", value, err)
		}
	}
}
