//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// provocation is how an alert is made to fire by what it is there for, and how it
// is cured as its page says. Everything about it happens as it would in
// production: the cause is what the page calls one, not a metric made up; what
// the page tells to type is typed, by whom the page says; and the cure is one of
// the page's.
//
// Only time is another. The rules are made for scrapes every 15 s; the Prometheus
// of these tests scrapes every second, so every duration in its copy of the
// rules, of a for, a range or an offset, is a fifteenth: each rule sees as many
// samples as in production. Thresholds stay what they are, except where one is
// a time that no test waits for: instead says of those what they are replaced by.
type provocation struct {
	alert string
	place *place
	cause func(*site)
	cure  func(*site)

	means   func(*site) map[string]string // placeholders in the page's commands, beside POD
	fails   []string                      // beginnings of those that fail until the cure, as they should
	says    map[string]string             // by the beginning of a command, what the page promises of its output
	admits  string                        // what /readyz of somebody says, where the page promises it
	company []string                      // critical alerts that have the same cause, or a consequence of it
	instead map[string]string             // parts of the rule that are replaced
	lingers bool                          // it counts over a while, so it clears when the while is over
}

// provocations are those of each group of rules.
var provocations = map[string][]provocation{
	"ringstream-feed":      feedAlerts,
	"ringstream-fold":      foldAlerts,
	"ringstream-objective": objectiveAlerts,
	"ringstream-deliver":   deliverAlerts,
	"ringstream-bus":       busAlerts,
	"ringstream-watch":     watchAlerts,
}

const alertRules = "../alerts/ringstream.rules.yaml"

// written is an alert as the rules file has it.
type written struct{ group, name, text string }

var (
	ruleGroup = regexp.MustCompile(`(?m)^  - name: (\S+)$`)
	ruleStart = regexp.MustCompile(`(?m)^      - (?:alert|record): (\S+)$`)
)

// writtenIn cuts the text of a rules file into its groups and their rules.
func writtenIn(text string) (all []written) {
	for _, group := range cutAt(ruleGroup, text) {
		for _, rule := range cutAt(ruleStart, group.text) {
			all = append(all, written{group.name, rule.name, rule.text})
		}
	}
	return all
}

// cutAt cuts a text before each match, and names the parts by what it captures.
func cutAt(at *regexp.Regexp, text string) (all []written) {
	found := at.FindAllStringSubmatchIndex(text, -1)
	for i, m := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		all = append(all, written{name: text[m[2]:m[3]], text: text[m[0]:end]})
	}
	return all
}

func (w written) fires() bool { return strings.Contains(w.text, "- alert: ") }

func readRules(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// quicker is by how much every duration is shortened.
const quicker = 15

var ruleDuration = regexp.MustCompile(`(\bfor: |\boffset |\[)(\d+)([smhd])\b`)

// quickened is a rule or a file of them for scrapes every second.
func quickened(text string) string {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	return ruleDuration.ReplaceAllStringFunc(text, func(found string) string {
		m := ruleDuration.FindStringSubmatch(found)
		n, _ := strconv.Atoi(m[2]) // digits
		return fmt.Sprintf("%s%dms", m[1], (time.Duration(n) * units[m[3]] / quicker).Milliseconds())
	})
}

// replaced are the rules with what provocations want otherwise in their own.
func replaced(t *testing.T, rules string, all []provocation) string {
	t.Helper()
	for _, p := range all {
		for _, rule := range writtenIn(rules) {
			if rule.name != p.alert {
				continue
			}
			changed := rule.text
			for was, is := range p.instead {
				if !strings.Contains(changed, was) {
					t.Errorf("%s has no %q to replace", p.alert, was)
				}
				changed = strings.ReplaceAll(changed, was, is)
			}
			rules = strings.Replace(rules, rule.text, changed, 1)
		}
	}
	return rules
}

// An alert that is not provoked may never fire, or never clear.
func TestEveryAlertIsProvoked(t *testing.T) {
	provoked := map[string]int{}
	for group, all := range provocations {
		for _, p := range all {
			provoked[group+" "+p.alert]++
		}
	}
	for _, rule := range writtenIn(readRules(t)) {
		if !rule.fires() {
			continue
		}
		if name := rule.group + " " + rule.name; provoked[name] != 1 {
			t.Errorf("%s is provoked %d times", name, provoked[name])
		} else {
			delete(provoked, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(provoked)) {
		t.Errorf("%s is provoked, and is no alert", name)
	}
}

func TestRulesAreQuickened(t *testing.T) {
	for was, want := range map[string]string{
		"for: 15s":                            "for: 1000ms",
		"increase(x_total[1h]) > 5":           "increase(x_total[240000ms]) > 5",
		"max_over_time(users[6d] offset 12h)": "max_over_time(users[34560000ms] offset 2880000ms)",
		"a:rate5m > 6 * 0.01 * b:rate1h":      "a:rate5m > 6 * 0.01 * b:rate1h",
		"for 5 minutes: 15s":                  "for 5 minutes: 15s",
	} {
		if got := quickened(was); got != want {
			t.Errorf("%s became %s", was, got)
		}
	}
	rules := readRules(t)
	for _, rule := range writtenIn(rules) {
		if n := strings.Count(rule.text, "\n        for: "); n > 1 {
			t.Errorf("%s was not cut from what follows:\n%s", rule.name, rule.text)
		}
	}
	if left := regexp.MustCompile(`(?m)^ +for: \d+[smhd]$|\[\d+[smhd]\]`).FindString(quickened(rules)); left != "" {
		t.Errorf("%s is as it was", left)
	}
}

// What a page tells to type is tried when its alert is provoked; what it has to
// be told first, POD and the like, is known to the provocation.
func TestProvocationsFitTheirPages(t *testing.T) {
	for _, all := range provocations {
		for _, p := range all {
			typed := commandsOf(readPage(t, p.alert))
			begins := func(beginning string) bool {
				return slices.ContainsFunc(typed, func(line string) bool { return strings.HasPrefix(line, beginning) })
			}
			for _, beginning := range append(slices.Collect(maps.Keys(p.says)), p.fails...) {
				if !begins(beginning) {
					t.Errorf("the page of %s has no command %q", p.alert, beginning)
				}
			}
		}
	}
}
