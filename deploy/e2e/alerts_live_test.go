//go:build alerts && linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	provokedWithin = 3 * time.Minute
	clearedWithin  = 5 * time.Minute
)

// TestAlerts provokes every alert: it does not fire, its cause makes it fire, the
// commands of its page work and say what the page promises, the cure of its page
// clears it. Nobody is woken for anything else meanwhile but for what has the
// same cause.
func TestAlerts(t *testing.T) {
	rules, places := readRules(t), map[*place][]provocation{}
	for _, group := range slices.Sorted(maps.Keys(provocations)) {
		for _, p := range provocations[group] {
			places[p.place] = append(places[p.place], p)
		}
	}
	turns := make(chan struct{}, 2) // places at a time
	for where, all := range places {
		t.Run(where.name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			s := where.open(t)
			s.watched(quickened(replaced(t, rules, all)), time.Second)
			t.Run("README", func(t *testing.T) { s.within(t, "README").introduced() })
			for _, p := range all {
				t.Run(p.alert, func(t *testing.T) { s.within(t, p.alert).provoke(p) })
			}
			for _, p := range all {
				t.Run(p.alert+"-clears", func(t *testing.T) { s.within(t, p.alert).awaits(false, clearedWithin) })
			}
		})
	}
}

// introduced types what the README of the pages tells to type.
func (s *site) introduced() {
	for _, line := range commandsOf(readPage(s.t, "README")) {
		if line, here := s.reachable(strings.ReplaceAll(line, "127.0.0.1:8080", s.targets[0].address)); here {
			if said, code := s.typed(line); code != 0 || !strings.Contains(said, `"conditions"`) {
				s.t.Errorf("%s ends with %d:\n%s", line, code, said)
			}
		}
	}
}

// provoke goes through the life of an alert. One that lingers is looked at again
// when all others have been provoked.
func (s *site) provoke(p provocation) {
	s.awaits(false, clearedWithin)
	before := s.criticals()
	p.cause(s)
	fired := s.awaits(true, provokedWithin)
	alert := s.firing()[p.alert]
	s.t.Logf("fires after %v: %s", fired, alert.Annotations["description"])
	s.pod = alert.Labels["instance"]
	what := func() string { return fmt.Sprintf("somebody to say %q:\n%s", p.admits, s.conditions()) }
	s.eventually(20*time.Second, what, func() bool { return strings.Contains(s.conditions(), p.admits) })
	lines := commandsOf(s.pageOf(alert))
	s.follow(p, lines)
	s.alone(slices.Concat(before, p.company, []string{p.alert}))
	p.cure(s)
	if p.lingers {
		return
	}
	s.t.Logf("clears after %v", s.awaits(false, clearedWithin))
	for _, line := range lines {
		if beginsWith(p.fails, line) {
			s.eventually(time.Minute, say("%s to succeed again", line), func() bool {
				_, code := s.typed(filled(line, s.means))
				return code == 0
			})
		}
	}
}

// pageOf is the page that the alert itself links to.
func (s *site) pageOf(a firing) string {
	s.t.Helper()
	if a.Annotations["runbook_url"] != "deploy/runbooks/"+s.alert+".md" {
		s.t.Fatalf("it links to %q", a.Annotations["runbook_url"])
	}
	return readPage(s.t, s.alert)
}

// follow types what the page tells to type.
func (s *site) follow(p provocation, lines []string) {
	s.t.Helper()
	means := map[string]string{"POD": s.pod}
	if p.means != nil {
		maps.Copy(means, p.means(s))
	}
	s.means = means
	for _, line := range lines {
		command, here := s.reachable(filled(line, means))
		if !here {
			s.t.Logf("not tried: %s", line)
			continue
		}
		if unknown := placeholder.FindString(command); unknown != "" {
			s.t.Errorf("nobody says what %s stands for: %s", unknown, line)
		}
		said, code := s.typed(command)
		if fails := beginsWith(p.fails, line); fails == fine(line, code) {
			s.t.Errorf("%s ends with %d, as a failure: %v:\n%s", line, code, fails, said)
		}
		for beginning, promised := range p.says {
			if strings.HasPrefix(line, beginning) && !strings.Contains(said, promised) {
				s.t.Errorf("%s does not say %q:\n%s", line, promised, said)
			}
		}
		s.t.Logf("tried: %s", line)
	}
}

func beginsWith(beginnings []string, line string) bool {
	return slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(line, b) })
}

// alone fails the test if an alert fires for which somebody is woken, and that is
// none of these.
func (s *site) alone(company []string) {
	s.t.Helper()
	for _, name := range s.criticals() {
		if !slices.Contains(company, name) {
			s.t.Errorf("%s fires, too: %s", name, s.firing()[name].Annotations["description"])
		}
	}
}
