//go:build alerts && linux

package e2e

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

var (
	quietFor  = flag.Duration("alerts.quiet", time.Minute, "how long nothing disturbs what is watched")
	quietRate = flag.Int("alerts.rate", 200, "raw events a second meanwhile")
)

// What happens in a fifth of a second: one call, which is three requests to
// Reapit, so that its limit of 20 a second is kept, and what else the hub tells,
// which is what people do with their phones.
const (
	quietEvery = 200 * time.Millisecond
	quietCall  = `-- call --
caller=+447700900100 called=+442071838750
+0s   UserCallInComing        user=jane
+0s   UserCallInArrived       user=jane
+0.1s UserCallInUserAllocated user=jane
+4s   UserCallInUserConnected user=jane
+20s  UserCallInDisconnected  user=jane reason=remote
`
)

// quietStory is a call and as many events of other kinds as make the rate.
func quietStory(rate int) string {
	others := int(float64(rate)*quietEvery.Seconds()) - strings.Count(quietCall, "\n+")
	var story strings.Builder
	story.WriteString(quietCall + "-- call --\n")
	for n := range others {
		fmt.Fprintf(&story, "+%v UserStatus user=%s\n", quietEvery*time.Duration(n)/time.Duration(others), []string{"jane", "tom", "sara", "ali"}[n%4])
	}
	return story.String()
}

// TestAlertsAreQuiet has two replicas of each service work undisturbed, under the
// rules as they are, scraped as in production: nobody is called.
func TestAlertsAreQuiet(t *testing.T) {
	s := siteOf(start(t, stack.Options{Ingest: 2, Transform: 2, Deliver: 2})).within(t, "")
	rules := readRules(t)
	s.watched(rules, 15*time.Second)
	began := time.Now()
	started := s.play(play{Text: quietStory(*quietRate), Every: quietEvery.String(), Repeat: int(*quietFor / quietEvery), Subscribers: 2})
	var list []playing
	s.eventually(*quietFor+time.Minute, say("the end"), func() bool {
		s.get(s.RTESim()+"/control/playing?id="+started.ID, &list)
		return len(list) == 1 && list[0].Finished != nil
	})
	done := list[0]
	if done.Error != "" {
		t.Fatal(done.Error)
	}
	span := time.Since(began).Round(time.Second)
	t.Logf("%d raw events, %.0f a second; %d notifications that Reapit took", done.Events, float64(done.Events)/quietFor.Seconds(), len(s.notifications()))
	for _, state := range []string{"pending", "firing"} {
		for _, v := range s.query(fmt.Sprintf(`count by (alertname) (count_over_time(ALERTS{alertstate=%q}[%v]))`, state, span)) {
			t.Logf("%s was %s", v.Metric["alertname"], state)
			if state == "firing" {
				t.Fail()
			}
		}
	}
	for _, v := range s.query(fmt.Sprintf(`max_over_time((ringstream:incoming_late:rate5m / ringstream:incoming:rate5m)[%v:15s])`, span)) {
		t.Logf("incoming calls that popped late: at worst %s of those of 5 minutes", v)
	}
	for _, rule := range writtenIn(rules) {
		s.margins(rule, span)
	}
}

var (
	ruleExpression = regexp.MustCompile(`(?s)\n        expr: (?:\|-\n)?(.*?)\n        \w+:`)
	ruleOr         = regexp.MustCompile(`\n +or\n`)
	ruleThreshold  = regexp.MustCompile(`(?s)^\s*\(?(.*) (>|<|>=|==) ([0-9.]+)$`)
)

// margins says how near an alert came to firing, where its rule compares a value with a number.
func (s *site) margins(rule written, span time.Duration) {
	s.t.Helper()
	expression := ruleExpression.FindStringSubmatch(rule.text)
	if !rule.fires() || expression == nil {
		return
	}
	for _, operand := range ruleOr.Split(expression[1], -1) {
		m := ruleThreshold.FindStringSubmatch(operand)
		if m == nil || strings.Contains(m[1], "\n") {
			continue
		}
		extreme := map[string]string{">": "max", ">=": "max", "<": "min", "==": "max"}[m[2]]
		if m[3] == "0" && m[2] == "==" {
			extreme = "min"
		}
		for _, v := range s.query(fmt.Sprintf("%s(%s_over_time((%s)[%v:15s]))", extreme, extreme, m[1], span)) {
			s.t.Logf("%s: at worst %s, fires at %s %s: %s", rule.name, v, m[2], m[3], strings.TrimSpace(m[1]))
		}
	}
}
