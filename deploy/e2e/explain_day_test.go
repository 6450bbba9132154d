package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// TestExplainNamesTheDay: when the requests of the day are used up, the first
// line of replay explain says so.
func TestExplainNamesTheDay(t *testing.T) {
	t.Parallel() // most of it is waiting
	const requests = 4
	staff := []string{"cat.dunn", "dan.ellis", "fay.grant", "gus.hall", "ida.jarvis", "leo.marsh"}
	listened := make([]string, len(staff))
	for i := range staff {
		listened[i] = "user:" + userID(i)
	}
	c := causes{start(t, stack.Options{Env: map[string][]string{
		"ingest":  {"RTE_SUBSCRIPTIONS=" + strings.Join(listened, ",")},
		"deliver": {fmt.Sprintf("REAPIT_DAILY=%d", requests), "DEADLINE_INCOMING=" + ringDeadline.String()},
	}})}
	for i, name := range staff {
		c.lines(i, fate{of: name}, aRing, true)
	}
	for i, name := range staff {
		c.eventually(time.Minute, say("an outcome of the call of %s", name), func() bool { return c.stored("DELIVERIES", "deliveries.*.*.*."+callID(i)) > 0 })
	}
	told := 0
	for i := range staff {
		said, code := c.explain(t, i, fate{})
		first, _, _ := strings.Cut(said, "\n")
		if strings.Contains(first, " was told: ") {
			told++
			continue
		}
		for _, want := range []string{" was not told: its incomingCall expired ", ": it was throttled: the requests of the day (REAPIT_DAILY) are used up"} {
			if !strings.Contains(first, want) || code != 0 {
				t.Errorf("exit %d, and the first line does not say %q:\n%s", code, want, said)
			}
		}
	}
	if told == 0 || told >= requests { // the token and the negotiators took some
		t.Errorf("%d of %d screens were told, with %d requests in the day", told, len(staff), requests)
	}
}
