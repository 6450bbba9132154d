//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/topology"
)

// customers is a deliver for two customers, named in a file, of whom the first
// one's phones ring.
var customers = place{name: "customers", open: func(t *testing.T) *site {
	file := filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(file, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	s := siteOf(start(t, stack.Options{Env: map[string][]string{
		stack.ReapitSim: {"REAPIT_SIM_CUSTOMERS=SBOX,RES,NEW"},
		stack.Deliver:   {"REAPIT_CUSTOMER=", "TENANTS_FILE=" + file, "REAPIT_SHARED_TOKEN=true"},
	}}))
	s.past = `ringstream_deliver_unmapped_users{reason="nobody"} 0`
	return s
}}

// thrifty is a deliver with few requests a day.
var thrifty = place{name: "thrifty", open: func(t *testing.T) *site {
	return siteOf(start(t, stack.Options{Env: map[string][]string{stack.Deliver: {"REAPIT_DAILY=60"}}}))
}}

// only is the one replica of deliver.
const only = "deliver-1"

// What the file of the customers says.
const (
	both   = firstOrganization + ": {customer: SBOX}\n" + secondOrganization + ": {customer: RES}\n"
	stated = firstOrganization + ": {customer: SBOX, negotiators: {jane@agency.invalid: JAS, tom@agency.invalid: TOM, sara@agency.invalid: SAR, ali@agency.invalid: ALI}}\n" +
		secondOrganization + ": {customer: RES}\n"
	third = "49f6e823-b484-e611-80c9-00505689257e: {customer: NEW}\n"
	spelt = "49f6e823-b484-e611-80c9-00505689257e: {custmer: NEW}\n"
)

// What becomes of deliver, of Reapit, and of what deliver is told of it.
var deliverAlerts = []provocation{
	{
		alert: "RingstreamDeadLetters", place: &customers, lingers: true,
		says: map[string]string{"deliver deadletters list": "rejected", "deliver deadletters show": "the caller is on holiday", "replay explain": "Reapit refused its missedCall for good"},
		cause: func(s *site) { // Reapit finds a notification invalid
			s.answering(map[string]string{"subType": "missedCall"}, map[string]any{"status": http.StatusUnprocessableEntity, "text": "the caller is on holiday"})
			s.calls(1)
		},
		means: func(s *site) map[string]string { return s.letter() },
		cure: func(s *site) {
			s.recover()
			before := len(s.notifications())
			s.cures(topology.Deliver, "deliver deadletters redrive NUMBER")
			if len(s.notifications()) != before {
				s.t.Error("a dry run told Reapit something")
			}
			said, code := s.as(topology.Deliver, filled("deliver deadletters redrive NUMBER --yes", s.means))
			if more := len(s.notifications()) - before; code != 0 || more != 1 {
				s.t.Errorf("redrive --yes ends with %d and tells Reapit %d things:\n%s", code, more, said)
			}
		},
	},
	{
		alert: "RingstreamTenantsFileBroken", place: &customers, admits: "line 3",
		fails: []string{"deliver check"}, says: map[string]string{"deliver check": "line 3"},
		cause: func(s *site) { s.tenants(both + spelt) },
		cure:  func(s *site) { s.tenants(both) },
	},
	{
		alert: "RingstreamUnmappedUsersRising", place: &customers,
		says:  map[string]string{"replay explain": "is no negotiator of Reapit's", "nats stream subjects": ".unmapped."},
		means: func(*site) map[string]string { return map[string]string{"EMAIL": renamed("jane"), "TIME": "10s"} },
		cause: (*site).ringRenamed, // everybody has another name at Enreach, and none at Reapit
		cure: func(s *site) {
			s.tenants(stated)
			s.eventually(time.Minute, say("the users to be negotiators"), func() bool {
				s.ringRenamed()
				return s.gauge(`ringstream_deliver_unmapped_users{reason="nobody"}`) == 0
			})
		},
	},
	{
		alert: "RingstreamTenantParked", place: &customers, admits: "Reapit refuses SBOX", company: []string{"RingstreamIncomingLateFast"},
		fails: []string{"deliver check"}, says: map[string]string{"deliver check": "customer SBOX"},
		cause: func(s *site) { // it revokes the application
			s.told("knobs", map[string]any{"notInstalled": []string{"SBOX"}})
			s.ring("jane")
		},
		cure: func(s *site) {
			s.recover()
			s.ring("jane")
		},
	},
	{
		alert: "RingstreamDirectoryStale", place: &customers, admits: "cannot be read since", instead: map[string]string{"> 900": "> 30"}, // a quarter of an hour
		fails: []string{"deliver check"}, says: map[string]string{"deliver check": "customer NEW"},
		cause: func(s *site) { // a new customer has not consented to the scope
			s.answering(map[string]string{"path": "/negotiators", "customer": "NEW"}, map[string]any{"status": http.StatusForbidden})
			s.tenants(stated + third)
		},
		cure: func(s *site) { s.recover() },
	},
	{
		alert: "RingstreamReapitFailing", place: &customers, admits: "503", company: []string{"RingstreamDeliverStalled", "RingstreamIncomingLateFast"},
		fails: []string{"deliver check"}, says: map[string]string{"deliver check": "503"},
		cause: func(s *site) {
			s.answering(nil, map[string]any{"status": http.StatusServiceUnavailable})
			s.ring("jane")
		},
		cure: func(s *site) {
			s.recover()
			s.ring("jane")
		},
	},
	{
		alert: "RingstreamDeliverStalled", place: &customers,
		says:  map[string]string{"deliver check": "streams"},
		cause: func(s *site) { s.must(s.Signal(only, syscall.SIGSTOP)) }, // it hangs
		cure:  func(s *site) { s.must(s.Restart(only)) },
	},
	{
		alert: "RingstreamBudgetLow", place: &thrifty,
		cause: func(s *site) { s.spendTo(5) },
		cure:  func(s *site) { s.redeploy("REAPIT_DAILY=120") },
	},
	{
		alert: "RingstreamBudgetExhausted", place: &thrifty, admits: "the requests of the day (REAPIT_DAILY) are used up", company: []string{"RingstreamDeliverStalled", "RingstreamIncomingLateFast"},
		cause: func(s *site) { s.spendTo(0) },
		cure:  func(s *site) { s.redeploy("REAPIT_DAILY=250000") },
	},
}

// ring has a customer ring these users, who do not answer.
func (s *site) ring(users ...string) {
	s.t.Helper()
	s.play(play{Text: rung("", users...), Wait: true})
}

// rung is a scenario in which a customer rings some of the users at once.
func rung(directory string, users ...string) string {
	var text strings.Builder
	text.WriteString(directory + "-- call --\ncaller=+447700900100 called=+442071838750\n")
	for _, user := range users {
		text.WriteString(strings.ReplaceAll(aRing, "USER", user))
	}
	return text.String()
}

// renamed is the address that a user has at Enreach when it is no longer Reapit's.
func renamed(user string) string { return user + "@agency.invalid" }

// ringRenamed rings everybody of the hub, each under another name.
func (s *site) ringRenamed() {
	s.t.Helper()
	var known struct{ Users []struct{ Name, ID string } }
	s.get(s.RTESim()+"/control/directory", &known)
	directory, users := "-- users --\n", []string{}
	for _, u := range known.Users {
		directory += fmt.Sprintf("%s id=%s userName=%s numbers=+442071838750\n", u.Name, u.ID, renamed(u.Name))
		users = append(users, u.Name)
	}
	s.play(play{Text: rung(directory, users...), Wait: true})
}

// told has reapit-sim be different: its faults or its knobs.
func (s *site) told(what string, body map[string]any) {
	s.t.Helper()
	s.post(s.ReapitSim()+"/control/"+what, body, nil)
}

// answering has Reapit answer so what matches.
func (s *site) answering(match map[string]string, action map[string]any) {
	s.t.Helper()
	s.told("faults", map[string]any{"match": match, "action": action})
}

// recover has Reapit be as it was.
func (s *site) recover() {
	s.t.Helper()
	for _, what := range []string{"faults", "knobs"} {
		s.exchange(http.MethodDelete, s.ReapitSim()+"/control/"+what, nil, nil)
	}
}

// tenants writes the file of the customers.
func (s *site) tenants(text string) {
	s.t.Helper()
	for _, setting := range s.processes[only] {
		if file, is := strings.CutPrefix(setting, "TENANTS_FILE="); is {
			s.must(os.WriteFile(file, []byte(text), 0o600))
		}
	}
}

// redeploy ends deliver in order and starts it anew with other settings. Nothing
// rings before it works: there is no other meanwhile.
func (s *site) redeploy(settings ...string) {
	s.t.Helper()
	s.must(s.Set(only, settings...))
	s.must(s.Terminate(only))
	s.must(s.Launch(only))
	s.must(s.Await(s.t.Context(), only))
	s.eventually(time.Minute, say("deliver to deliver"), func() bool { return s.gauge(`ringstream_lease_held{lease="deliver"}`) == 1 })
	p, _ := s.Service(only)
	s.processes[only] = settingsIn(s.t, p.PID)
}

// spendTo lets phones ring until no more than so many of the day's requests are left.
func (s *site) spendTo(left float64) {
	s.t.Helper()
	s.eventually(time.Minute, say("%g requests to be left", left), func() bool {
		if s.gauge("ringstream_deliver_budget_left") <= left {
			return true
		}
		s.ring("jane")
		return false
	})
}

// gauge is a metric as deliver has it now.
func (s *site) gauge(metric string) float64 {
	s.t.Helper()
	p, _ := s.Service(only)
	for line := range strings.Lines(s.scrape(p.URL)) {
		if value, is := strings.CutPrefix(line, metric+" "); is {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			s.must(err)
			return n
		}
	}
	s.t.Fatalf("deliver has no %s", metric)
	return 0
}

// letter is what the page calls the newest dead letter, and its call.
func (s *site) letter() map[string]string {
	s.t.Helper()
	letters, err := s.js.Stream(s.t.Context(), topology.DeadLetters)
	s.must(err)
	newest, err := letters.GetLastMsgForSubject(s.t.Context(), "deadletters.>")
	s.must(err)
	return map[string]string{"NUMBER": strconv.FormatUint(newest.Sequence, 10), "CALLID": newest.Header.Get("ce-subject")}
}
