package app

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"ringstream/schemas/event"
	"ringstream/schemas/probe"
	"ringstream/schemas/program"
)

func TestCheckFindsEverythingInOrder(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	s.Overrides = map[string]string{"id-x": "JAS"}
	results := Check(t.Context(), s)
	for _, name := range []string{"NATS_URL", "streams", "REAPIT_TOKEN_URL", "REAPIT_CUSTOMER", "mapping"} {
		if !has(results, name, true, "") {
			t.Errorf("%s is not in order: %+v", name, results)
		}
	}
	if !has(results, "mapping", true, "30 active, 2 of them without an e-mail address, 0 addresses shared by several (these need NEGOTIATOR_OVERRIDES), 1 overrides") {
		t.Errorf("%+v", results)
	}
	if shown := r.shown(); len(shown) > 0 {
		t.Error("check has notified somebody")
	}
}

func TestCheckNamesTheSettingToLookAt(t *testing.T) {
	r := newRig(t)
	for setting, spoil := range map[string]func(*Settings){
		"NATS_URL":             func(s *Settings) { s.URL = "nats://127.0.0.1:1" },
		"streams":              func(s *Settings) { s.Partitions = 2 },
		"REAPIT_CLIENT_SECRET": func(s *Settings) { s.ClientSecret = "wrong" },
		"REAPIT_TOKEN_URL":     func(s *Settings) { s.TokenURL = "http://127.0.0.1:1" },
		"REAPIT_CUSTOMER":      func(s *Settings) { s.Customer = "NOPE" },
	} {
		s := r.settings()
		spoil(&s)
		if results := Check(t.Context(), s); !has(results, setting, false, "") {
			t.Errorf("%s is not found out: %+v", setting, results)
		}
	}
}

func has(all []probe.Result, name string, ok bool, detail string) bool {
	for _, r := range all {
		if r.Name == name && r.OK == ok && strings.Contains(r.Detail, detail) {
			return true
		}
	}
	return false
}

func TestDeadLettersAreListedAndShown(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.fault(`{"match":{"path":"/notifications"},"action":{"status":422,"text":"callerId is odd"}}`)
	c := r.say(1, event.Missed, "", "jane")
	r.until(1)
	s := Settings{Config: r.nats.Config(1)} // what an operator without the CRM's secrets has
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := DeadLetters(t.Context(), s, args, &out, slog.New(slog.DiscardHandler))
		return out.String(), err
	}
	list, err := run("list")
	if err != nil || !strings.Contains(list, "rejected") || !strings.Contains(list, c.EventID()+"/JAS") || strings.Contains(list, "7123456789") {
		t.Errorf("%v\n%s", err, list)
	}
	for _, which := range []string{"1", "deliver/" + c.EventID() + "/JAS"} {
		if one, err := run("show", which); err != nil || !strings.Contains(one, "callerId is odd") || !strings.Contains(one, `"subType": "missedCall"`) {
			t.Errorf("%v\n%s", err, one)
		}
	}
	if _, err := run("show", "99"); err == nil {
		t.Error("shows what is not there")
	}
	for _, args := range [][]string{nil, {"show"}, {"redo"}, {"list", "x"}} {
		if _, err := run(args...); !errors.Is(err, program.ErrUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestBadSettingsAreAllReported(t *testing.T) {
	for name, value := range map[string]string{
		"REAPIT_API_URL": "reapit", "NATS_PROVISION": "perhaps", "NUMBER_REGION": "XX", "NUMBER_FORMAT": "odd", "NEGOTIATOR_OVERRIDES": "jane",
		"REAPIT_RATE": "0", "REAPIT_CONCURRENCY": "-1", "DEADLINE_INCOMING": "0s", "LEASE_TTL": "10ms", "HTTP_ADDR": "nowhere",
	} {
		t.Setenv(name, value)
	}
	var s Settings
	err := program.Load(&s)
	var bad *program.SettingsError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v", err)
	}
	for _, name := range []string{
		"REAPIT_API_URL", "REAPIT_CLIENT_ID", "REAPIT_CLIENT_SECRET", "REAPIT_CUSTOMER", "NATS_PROVISION", "NUMBER_REGION", "NUMBER_FORMAT",
		"NEGOTIATOR_OVERRIDES", "REAPIT_RATE", "REAPIT_CONCURRENCY", "DEADLINE_INCOMING", "LEASE_TTL", "HTTP_ADDR",
	} {
		n := 0
		for _, p := range bad.Problems {
			if p.Setting == name {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is reported %d times: %v", name, n, err)
		}
	}
}

func TestNotReadyWithoutNegotiators(t *testing.T) {
	r := newRig(t)
	r.fault(`{"match":{"path":"/negotiators"},"action":{"status":500}}`)
	d := r.deliver(r.settings())
	r.say(1, event.Missed, "", "jane")
	r.merged()
	if d.ready() || !strings.Contains(r.page(d.probes+"/readyz"), `"not read yet"`) {
		t.Error("ready without knowing a negotiator")
	}
	if alive := r.page(d.probes + "/healthz"); !strings.Contains(alive, `"alive"`) {
		t.Error(alive)
	}
	r.control(http.MethodDelete, "faults", "", nil)
	all := r.until(1)
	r.want("outcome", ends(all, "JAS", event.Missed), []event.OutcomeType{event.Delivered})
	if !d.ready() {
		t.Error(r.page(d.probes + "/readyz"))
	}
}
