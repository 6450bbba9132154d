//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringstream/deploy/local/stack"
)

// busy is an office whose phones can ring at once for more negotiators than Reapit
// takes requests in a second.
var busy = place{name: "busy", open: func(t *testing.T) *site {
	staff, listened := "SBOX:\n", []string{}
	for i, u := range busyOffice.staff {
		staff += fmt.Sprintf("  - {id: %s, name: %s, officeId: OXF, email: %s, active: true}\n", negotiatorName(i), negotiatorName(i), u.UserName)
		listened = append(listened, "user:"+u.UserID)
	}
	file := filepath.Join(t.TempDir(), "negotiators.yaml")
	if err := os.WriteFile(file, []byte(staff), 0o600); err != nil {
		t.Fatal(err)
	}
	return siteOf(start(t, stack.Options{Env: map[string][]string{
		stack.ReapitSim: {"REAPIT_SIM_NEGOTIATORS=" + file},
		stack.Ingest:    {"RTE_SUBSCRIPTIONS=" + strings.Join(listened, ",")},
	}}))
}}

var busyOffice = newOffice(1, "SBOX", 36)

// What is late now and then, and what is late.
var objectiveAlerts = []provocation{
	{
		alert: "RingstreamIncomingLateSlow", place: &busy,
		says: map[string]string{"replay explain user": "Reapit accepted the incomingCall"},
		means: func(*site) map[string]string {
			return map[string]string{"EMAIL": busyOffice.staff[0].UserName, "TIME": "10s"}
		},
		cause: func(s *site) { // of many calls one rings for everybody
			s.rings(80, 1)
			s.rings(1, len(busyOffice.staff))
		},
		cure: func(s *site) { // Reapit allows more, and deliver makes use of it
			s.told("knobs", map[string]any{"rate": 100})
			s.redeploy("REAPIT_RATE=100")
			s.rings(1, len(busyOffice.staff))
			s.rings(160, 1)
		},
	},
	{
		alert: "RingstreamIncomingLateFast", place: &thrifty, company: []string{"RingstreamDeliverStalled"},
		says: map[string]string{"replay explain user": "Reapit accepted the incomingCall"},
		means: func(*site) map[string]string {
			return map[string]string{"EMAIL": "jane@agency.example", "TIME": "10s"}
		},
		cause: func(s *site) { // there are more calls than REAPIT_RATE allows
			s.redeploy("REAPIT_RATE=4")
			s.play(play{Text: rung("", "jane"), Repeat: 60, Every: often, Wait: true})
		},
		cure: func(s *site) {
			s.redeploy("REAPIT_RATE=20")
			s.ring("jane")
		},
	},
}

// often is a time between calls that REAPIT_RATE has room for.
const often = "70ms"

// rings has so many calls ring for so many of the office, one after another.
func (s *site) rings(calls, phones int) {
	s.t.Helper()
	directory, users := "-- organization --\n"+busyOffice.organization+"\n-- users --\n", []string{}
	for i, u := range busyOffice.staff[:phones] {
		directory += fmt.Sprintf("%s id=%s userName=%s numbers=+442071838750\n", negotiatorName(i), u.UserID, u.UserName)
		users = append(users, negotiatorName(i))
	}
	s.play(play{Text: rung(directory, users...), Repeat: calls, Every: often, Wait: true})
}
