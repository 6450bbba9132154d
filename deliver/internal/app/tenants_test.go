package app

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/reapitsim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/program"
	"ringstream/schemas/topology"
)

const (
	agency = organization
	rival  = "29f60000-0000-4000-8000-000000000002"
)

const bothTenants = agency + ": {customer: SBOX}\n" + rival + ": {customer: RES, region: IE, negotiators: {boss@agency.example: TOM}}\n"

// tenants gives settings with a file, and what writes it anew.
func (r *rig) tenants(content string) (s Settings, write func(string)) {
	r.Helper()
	s = r.settings()
	s.Customer, s.TenantsFile = "", filepath.Join(r.TempDir(), "tenants.yaml")
	write = func(content string) {
		r.Helper()
		if err := os.WriteFile(s.TenantsFile, []byte(content), 0o600); err != nil {
			r.Fatal(err)
		}
	}
	write(content)
	return s, write
}

// distinct has Reapit give a new token for each request.
func (r *rig) distinct() {
	r.Helper()
	r.control(http.MethodPost, "knobs", `{"cachedTokens":false,"tokenSeconds":[3600,3600]}`, nil)
}

// of has what is said be of another organization's calls.
func (r *rig) of(organization string, n int, kind event.CallType, answeredBy string, names ...string) event.Call {
	r.Helper()
	r.organization = organization
	defer func() { r.organization = agency }()
	return r.say(n, kind, answeredBy, names...)
}

// shownTo are the notifications of one customer.
func (r *rig) shownTo(customer string) []reapitsim.Notification {
	r.Helper()
	return slices.DeleteFunc(r.shown(), func(n reapitsim.Notification) bool { return n.Customer != customer })
}

func TestTwoTenantsSeeTheirOwnCalls(t *testing.T) {
	r := newRig(t)
	r.distinct()
	s, _ := r.tenants(bothTenants)
	r.control(http.MethodPut, "negotiators/RES", `[{"id":"JAN","email":"jane@agency.example","active":true},{"id":"TOM","email":"x@y","active":true}]`, nil)
	d := r.deliver(s)
	bustest.Eventually(t, "both lists", func() bool {
		return d.metric(`ringstream_deliver_negotiators{customer="RES"}`) == 2 && d.metric(`ringstream_deliver_negotiators{customer="SBOX"}`) == 30
	})
	r.say(1, event.Incoming, "", "jane")
	r.of(rival, 2, event.Incoming, "", "jane", "boss")
	r.of("29f60000-0000-4000-8000-000000000003", 3, event.Incoming, "", "jane")
	all := r.until(4)
	r.want("SBOX", brief(r.shownTo("SBOX"), ""), []string{"incomingCall 0001"})
	r.want("RES", len(r.shownTo("RES")), 2)
	r.want("unmapped", ends(all, "", event.Incoming), []event.OutcomeType{event.Unmapped})
	for _, n := range r.shown() {
		want := map[string]string{"SBOX": `"callerId":"07123456789"`, "RES": `"callerId":"+447123456789"`}[n.Customer]
		if !strings.Contains(string(n.Payload), want) {
			t.Errorf("%s sees %s", n.Customer, n.Payload)
		}
	}
	r.logged("user is no negotiator", "the organization is no customer of Reapit's")
	r.want("strangers", d.metric(`ringstream_deliver_unmapped_users{reason="no-customer"}`), 1)
	d.answered(http.StatusOK, "SBOX: 30 active", "RES: 2 active", `"2 customers"`)
	r.account()
}

// One tenant cannot be read, at the start and for a while: the other's calls ring
// meanwhile, and then its own that are still worth it. Nothing is lost, also
// when deliver is killed in between.
func TestATenantThatCannotBeReadHoldsNobodyUpAndLosesNothing(t *testing.T) {
	r := newRig(t)
	r.distinct()
	r.fault(`{"match":{"path":"/negotiators","customer":"RES"},"action":{"status":500}}`)
	s, _ := r.tenants(bothTenants)
	s.DeadlineIncoming = 3 * time.Second
	first := r.deliver(s)
	r.of(rival, 1, event.Incoming, "", "jane")
	r.of(rival, 1, event.Missed, "", "jane")
	r.say(2, event.Incoming, "", "jane")
	r.until(1)
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0002"})
	bustest.Eventually(t, "what waits", func() bool { return first.metric("ringstream_deliver_unresolved_events") == 2 })
	first.answered(http.StatusOK, "RES: not read yet; cannot be read since")
	if first.metric(`ringstream_deliver_directory_failing_seconds{customer="RES"}`) <= 0 || first.metric("ringstream_deliver_failing_seconds") != 0 {
		t.Error("what fails is not told")
	}
	all := r.until(2)
	r.want("late", ends(all, "", event.Incoming), []event.OutcomeType{event.Unmapped})
	if all[1].Cause != "not-loaded" || all[1].Customer != "RES" {
		t.Errorf("%+v", all[1])
	}
	first.stop()
	s.Instance = "two"
	second := r.deliver(s)
	r.say(3, event.Incoming, "", "tom")
	r.until(3)
	bustest.Eventually(t, "what still waits", func() bool { return second.metric("ringstream_deliver_unresolved_events") == 1 })
	r.of(rival, 4, event.Incoming, "", "jane")
	r.control(http.MethodDelete, "faults", "", nil)
	r.until(5)
	late := brief(r.shownTo("RES"), "")
	slices.Sort(late) // they go out at once
	r.want("RES", late, []string{"incomingCall 0004", "missedCall 0001"})
	r.account()
}

func TestATenantIsAddedAndRemovedWhileRunning(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.distinct()
	s, write := r.tenants(agency + ": {customer: SBOX}\n")
	d := r.deliver(s)
	r.of(rival, 1, event.Incoming, "", "jane")
	r.until(1)
	write(bothTenants)
	r.logged("negotiators read", `"customer":"RES"`)
	r.of(rival, 2, event.Incoming, "", "jane")
	r.until(2)
	r.want("RES", brief(r.shownTo("RES"), ""), []string{"incomingCall 0002"})

	write("acme: {}\n")
	r.logged(`"level":"ERROR"`, "the tenants file cannot be used", `\"acme\" is no organization id`)
	d.answered(http.StatusOK, "2 customers, as they were before; the file cannot be used since")
	r.want("broken", d.metric("ringstream_deliver_tenants_broken"), 1)

	// What is queued of a tenant who goes is still delivered.
	r.fault(`{"match":{"customer":"RES","callId":"` + call(3) + `"},"times":3,"action":{"status":503}}`)
	r.of(rival, 3, event.Missed, "", "jane")
	bustest.Eventually(t, "an attempt", func() bool { return r.lines("attempt did not succeed", call(3)) > 0 })
	write(agency + ": {customer: SBOX}\n")
	r.logged("tenants changed", `"removed":["`+rival+`"]`)
	r.of(rival, 4, event.Missed, "", "jane")
	all := r.until(4)
	r.want("RES", brief(r.shownTo("RES"), ""), []string{"incomingCall 0002", "missedCall 0003"})
	r.want("after", ends(all, "", event.Missed), []event.OutcomeType{event.Unmapped})
	r.want("broken", d.metric("ringstream_deliver_tenants_broken"), 0)
	r.account()
}

// foreign counts requests that acted for another customer than they were for.
func (r *rig) foreign() (n int) {
	r.Helper()
	var all struct{ Requests []reapitsim.Request }
	r.control(http.MethodGet, "requests?limit=100000", "", &all)
	for _, q := range all.Requests {
		if q.ActedFor != "" {
			n++
		}
	}
	return n
}

// Reapit gives one token for all, and its gateway remembers whose it was first.
func TestNothingActsForTheWrongCustomer(t *testing.T) {
	t.Parallel() // most of it is waiting
	for name, c := range map[string]struct {
		shared bool
		want   bool // something acts for the wrong customer
	}{
		"guarded": {false, false}, "shared all the same": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.control(http.MethodPost, "knobs", `{"legacyAuthorizer":true,"tokenSeconds":[3600,3600],"rate":0,"concurrency":0}`, nil)
			s, _ := r.tenants(bothTenants)
			s.SharedToken, s.Rate, s.Concurrency = c.shared, 500, 20
			r.keep("RES", `[{"id":"JAS","email":"jane@agency.example","active":true}]`)
			d := r.deliver(s)
			bustest.Eventually(t, "both lists", func() bool {
				return d.metric(`ringstream_deliver_negotiators{customer="RES"}`) > 0 && d.metric(`ringstream_deliver_negotiators{customer="SBOX"}`) > 0
			})
			for n := 1; n <= 60; n++ {
				r.say(2*n, event.Missed, "", "jane")
				r.of(rival, 2*n+1, event.Missed, "", "jane")
			}
			bustest.Eventually(t, "the first tenant's calls", func() bool {
				return len(brief(r.shown(), "JAS")) >= 60
			})
			if c.want {
				r.until(120)
			} else {
				r.logged("attempt did not succeed", `"customer":"RES"`, "REAPIT_SHARED_TOKEN", `"then":"park"`)
				bustest.Eventually(t, "parked", func() bool {
					return strings.Contains(r.page(d.probes+"/metrics"), `ringstream_deliver_parked{cause="shared-token",customer="RES"} 1`)
				})
				bustest.Eventually(t, "all of the first tenant's", func() bool { return len(r.shownTo("SBOX")) == 60 })
				r.want("SBOX", len(r.shownTo("SBOX")), 60)
				r.want("RES", len(r.shownTo("RES")), 0)
				d.answered(http.StatusOK, "Reapit refuses RES since", "RES is given the token of SBOX", "others are delivered to")
			}
			if n := r.foreign(); (n > 0) != c.want {
				t.Errorf("%d requests acted for the wrong customer", n)
			}
		})
	}
}

// With a token for each, the gateway that remembers is no trouble.
func TestATokenEachWithAGatewayThatRemembers(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.distinct()
	r.control(http.MethodPost, "knobs", `{"legacyAuthorizer":true}`, nil)
	s, _ := r.tenants(bothTenants)
	r.deliver(s)
	for n := 1; n <= 10; n++ {
		r.say(2*n, event.Missed, "", "jane")
		r.of(rival, 2*n+1, event.Missed, "", "jane")
	}
	r.until(20)
	r.want("SBOX", len(r.shownTo("SBOX")), 10)
	r.want("RES", len(r.shownTo("RES")), 10)
	r.want("foreign", r.foreign(), 0)
	r.account()
}

// keep puts a list into the bucket, as an earlier start would have.
func (r *rig) keep(customer, people string) {
	r.Helper()
	list := fmt.Sprintf(`{"version":1,"customer":%q,"readAt":%q,"negotiators":%s}`, customer, time.Now().UTC().Format(time.RFC3339), people)
	if _, err := r.bucket().Put(r.Context(), topology.NegotiatorList(customer), []byte(list)); err != nil {
		r.Fatal(err)
	}
}

func TestCheckHasALineForEachCustomer(t *testing.T) {
	r := newRig(t)
	r.distinct()
	s, write := r.tenants(bothTenants)
	for _, name := range []string{"TENANTS_FILE", "customer SBOX", "customer RES"} {
		if results := Check(t.Context(), s); !has(results, name, true, "") {
			t.Errorf("%s: %+v", name, results)
		}
	}
	if results := Check(t.Context(), s); !has(results, "customer RES", true, "one organization: has a token and 34 negotiators, 30 active") {
		t.Errorf("%+v", results)
	}
	write(agency + ": {customer: SBOX, negotiators: {x: QQQ}}\n" + rival + ": {customer: NOPE}\n")
	results := Check(t.Context(), s)
	if !has(results, "customer SBOX", false, "it lists no negotiator QQQ") || !has(results, "customer NOPE", false, "does not have the application installed") {
		t.Errorf("%+v", results)
	}
	r.control(http.MethodDelete, "knobs", "", nil)
	r.control(http.MethodDelete, "tokens", "", nil) // the last one was another check's
	write(bothTenants)
	results = Check(t.Context(), s)
	if !has(results, "customer SBOX", true, "") || !has(results, "customer RES", false, "REAPIT_SHARED_TOKEN") {
		t.Errorf("%+v", results)
	}
}

func TestSettingsOfTenants(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(file, []byte(agency+": {customer: RES, region: XX}\nacme: {customer: RES}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(good, []byte(bothTenants), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		env  map[string]string
		want []string
	}{
		{nil, []string{"REAPIT_CUSTOMER: is not set, nor is TENANTS_FILE; expected one of the two"}},
		{map[string]string{"REAPIT_CUSTOMER": "RES"}, nil},
		{map[string]string{"TENANTS_FILE": good}, nil},
		{map[string]string{"TENANTS_FILE": good, "REAPIT_CUSTOMER": "RES"}, []string{"TENANTS_FILE: is set, and REAPIT_CUSTOMER too; expected one of the two"}},
		{map[string]string{"TENANTS_FILE": good, "NEGOTIATOR_OVERRIDES": "x=TST"}, []string{"NEGOTIATOR_OVERRIDES: is set, and TENANTS_FILE too; expected negotiators in that file"}},
		{map[string]string{"TENANTS_FILE": file}, []string{
			"TENANTS_FILE: read tenants from " + file + `: line 1: "XX" is no region`, `TENANTS_FILE: line 2: "acme" is no organization id`,
		}},
		{map[string]string{"TENANTS_FILE": file + ".none"}, []string{"TENANTS_FILE: read tenants: open"}},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Setenv("REAPIT_CLIENT_ID", "x")
			t.Setenv("REAPIT_CLIENT_SECRET", "x")
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			var s Settings
			err := program.Load(&s)
			var bad *program.SettingsError
			if errors.As(err, &bad) != (len(c.want) > 0) {
				t.Fatal(err)
			}
			if bad == nil {
				return
			}
			if len(bad.Problems) != len(c.want) {
				t.Errorf("%v", err)
			}
			for i, want := range c.want {
				if i < len(bad.Problems) && !strings.HasPrefix(bad.Problems[i].String(), want) {
					t.Errorf("%s\nwant %s", bad.Problems[i], want)
				}
			}
		})
	}
}
