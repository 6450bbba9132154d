package bus

import (
	"context"
	"testing"
	"time"
)

// The clock decides, not whether somebody has noticed yet.
func TestHeldGoesByTheClock(t *testing.T) {
	const ttl = time.Minute
	now := time.Now()
	for name, c := range map[string]struct {
		sent time.Time
		want bool
	}{
		"just renewed":               {now, true},
		"within the margin":          {now.Add(-ttl + ttl/20), false},
		"expired":                    {now.Add(-ttl), false},
		"expired by the wall clock":  {now.Round(0).Add(-ttl), false},
		"renewed, by the wall clock": {now.Round(0), true},
	} {
		until := &term{}
		until.extend(c.sent, ttl)
		if got := Held(context.WithValue(t.Context(), termKey{}, until)); got != c.want {
			t.Errorf("%s: held is %t", name, got)
		}
	}
	if !Held(t.Context()) {
		t.Error("nothing is held without a lease")
	}
}
