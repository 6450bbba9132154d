package app

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/bustest"
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
	if !has(results, "mapping", true, "30 active, 2 of them without an e-mail address, 0 addresses shared by several (these need overrides), 1 overrides") {
		t.Errorf("%+v", results)
	}
	if shown := r.shown(); len(shown) > 0 {
		t.Error("check has notified somebody")
	}
}

func TestCheckNamesTheSettingToLookAt(t *testing.T) {
	r := newRig(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(web.Close)
	secure := httptest.NewTLSServer(nil)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(secure.Close)
	for name, c := range map[string]struct {
		fails []string
		spoil func(*Settings)
		knobs string
	}{
		"NATS away":              {fails: []string{"NATS_URL"}, spoil: func(s *Settings) { s.URL = "nats://127.0.0.1:1" }},
		"other streams":          {fails: []string{"streams"}, spoil: func(s *Settings) { s.Partitions = 2 }},
		"wrong secret":           {fails: []string{"REAPIT_CLIENT_ID", "REAPIT_CLIENT_SECRET"}, spoil: func(s *Settings) { s.ClientSecret = "wrong" }},
		"token endpoint away":    {fails: []string{"REAPIT_TOKEN_URL"}, spoil: func(s *Settings) { s.TokenURL = "http://127.0.0.1:1" }},
		"no token endpoint":      {fails: []string{"REAPIT_TOKEN_URL"}, spoil: func(s *Settings) { s.TokenURL += "s" }},
		"wrong customer":         {fails: []string{"REAPIT_CUSTOMER"}, spoil: func(s *Settings) { s.Customer = "NOPE" }},
		"not in the marketplace": {fails: []string{"REAPIT_CLIENT_ID", "REAPIT_CLIENT_SECRET"}, knobs: `{"unlisted":true}`},
		"API away":               {fails: []string{"REAPIT_API_URL"}, spoil: func(s *Settings) { s.APIURL = "http://127.0.0.1:1" }},
		"https against http":     {fails: []string{"REAPIT_API_URL"}, spoil: func(s *Settings) { s.APIURL = strings.Replace(s.APIURL, "http:", "https:", 1) }},
		"http against https":     {fails: []string{"REAPIT_API_URL"}, spoil: func(s *Settings) { s.APIURL = strings.Replace(secure.URL, "https:", "http:", 1) }},
		"path before the API":    {fails: []string{"REAPIT_API_URL"}, spoil: func(s *Settings) { s.APIURL += "/api" }},
		"some other site":        {fails: []string{"REAPIT_API_URL"}, spoil: func(s *Settings) { s.APIURL = web.URL }},
		"wrong version":          {fails: []string{"REAPIT_API_VERSION"}, spoil: func(s *Settings) { s.APIVersion = "1999-01-01" }},
		"no scope":               {fails: []string{"scope negotiators.read"}, knobs: `{"missingScopes":["negotiators.read"]}`},
		"unlisted override":      {fails: []string{"NEGOTIATOR_OVERRIDES"}, spoil: func(s *Settings) { s.Overrides = map[string]string{"nobody@agency.example": "QQQ", "id-x": "jas"} }},
	} {
		t.Run(name, func(t *testing.T) {
			r.control(http.MethodDelete, "tokens", "", nil) // those of other customers are theirs
			s := r.settings()
			if c.spoil != nil {
				c.spoil(&s)
			}
			if c.knobs != "" {
				r.control(http.MethodPost, "knobs", c.knobs, nil)
				defer r.control(http.MethodDelete, "knobs", "", nil)
			}
			var failing []string
			for _, p := range Check(t.Context(), s) {
				if !p.OK {
					failing = append(failing, p.Name)
				}
			}
			r.want("failing", failing, c.fails)
		})
	}
}

func TestCheckNamesTheOverrideThatLeadsNowhere(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	s.Overrides = map[string]string{"nobody@agency.example": "QQQ", "id-x": "jas"}
	if results := Check(t.Context(), s); !has(results, "NEGOTIATOR_OVERRIDES", false, "SBOX lists no negotiator QQQ") {
		t.Errorf("%+v", results)
	}
}

// What check would say, the running service says too.
func TestTheLogNamesTheSettingToLookAt(t *testing.T) {
	for setting, spoil := range map[string]func(*Settings){
		"REAPIT_CUSTOMER: answered 401":                func(s *Settings) { s.Customer = "NOPE" },
		"REAPIT_API_VERSION: answered 400":             func(s *Settings) { s.APIVersion = "1999-01-01" },
		"REAPIT_API_URL: ask reapit":                   func(s *Settings) { s.APIURL = "http://127.0.0.1:1" },
		"REAPIT_CLIENT_ID or REAPIT_CLIENT_SECRET is ": func(s *Settings) { s.ClientSecret = "wrong" },
	} {
		t.Run(setting, func(t *testing.T) {
			r := newRig(t)
			s := r.settings()
			spoil(&s)
			r.deliver(s)
			r.logged("negotiators not read", setting)
		})
	}
}

func TestTheLogOfAnAttemptNamesTheSettingToLookAt(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	r.control(http.MethodPost, "knobs", `{"notInstalled":["SBOX"]}`, nil)
	r.say(2, event.Missed, "", "jane")
	r.logged("attempt did not succeed", "REAPIT_CUSTOMER: answered 401", `"then":"park"`)
	r.logged("attempt did not succeed", `"then":"refresh","wait":"0s"`)
}

// logged waits for a line with all the words.
func (r *rig) logged(words ...string) {
	r.Helper()
	bustest.Eventually(r, strings.Join(words, " and ")+" in the log", func() bool { return r.lines(words...) > 0 })
}

// lines counts the lines of the log with all the words.
func (r *rig) lines(words ...string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.said.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

// A notification of which no request can be made is not tried for ever.
func TestWhatCannotBeSentIsDead(t *testing.T) {
	client := reapit.New(reapit.Config{APIURL: "http://[::1"}, nil)
	for name, n := range map[string]reapit.Notification{
		"no type":   {NegotiatorID: "JAS"},
		"no target": {SubType: "missedCall"},
	} {
		r := client.Notify(t.Context(), n, "")
		v := delivery.Decide(resultOf(r), delivery.Attempt{Number: 1}, 0)
		if v.Action != delivery.Bury || v.Cause != "unsendable" || posted(r.Kind) {
			t.Errorf("%s: %+v", name, v)
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
	for _, args := range [][]string{{"--help"}, {"redrive", "--help"}, {"list", "-h"}} {
		if help, err := run(args...); err != nil || !strings.Contains(help, "--yes") {
			t.Errorf("%v: %v\n%s", args, err, help)
		}
	}
	for _, args := range [][]string{
		nil,
		{"show"},
		{"redo"},
		{"list", "x"},
		{"redrive"},
		{"redrive", "--yes"},
		{"list", "--yes"},
		{"list", "-o", "xml"},
		{"list", "--since", "noon"},
		{"list", "--until", "noon"},
		{"list", "--since", "1h", "--until", "2h"},
		{"redrive", "1", "--wait", "-1s"},
		{"redrive", "1", "--all"},
	} {
		if _, err := run(args...); !errors.Is(err, program.ErrUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// What would be taken at its word and make no sense.
func TestSettingsOutOfBounds(t *testing.T) {
	for setting, good := range map[string]string{
		"REAPIT_RATE=Inf": "5000", "REAPIT_RATE=NaN": "0.5", "REAPIT_RATE=1e-300": "20", "REAPIT_CONCURRENCY=100000": "16", "LEASE_TTL=24h": "5m", "LEASE_TTL=1500ms": "1s",
		"NEGOTIATOR_REFRESH=1ns": "1m", "NEGOTIATOR_REFRESH=10000h": "24h", "REAPIT_API_VERSION=yesterday": "2020-01-31",
		"REAPIT_CUSTOMER=../x": "RES-GOGO", "REAPIT_CUSTOMER=a b": "YOM-GNVS", "REAPIT_CUSTOMER=a.b": "SBOX",
	} {
		name, value, _ := strings.Cut(setting, "=")
		t.Run(setting, func(t *testing.T) {
			var s Settings
			t.Setenv(name, value)
			if err := program.Load(&s); err == nil || !strings.Contains(err.Error(), name+": ") {
				t.Errorf("%s is accepted: %v", setting, err)
			}
			t.Setenv(name, good)
			if err := program.Load(&s); err != nil && strings.Contains(err.Error(), name+": ") {
				t.Errorf("%s is not accepted: %v", good, err)
			}
		})
	}
}

func TestAnAddressWithAPasswordIsRefusedAndNotTold(t *testing.T) {
	for _, address := range []string{"https://user:hidden@reapit.example", "https://user:hidden@reapit.example/%zz", "user:hidden@reapit.example"} {
		t.Setenv("REAPIT_API_URL", address)
		var s Settings
		if err := program.Load(&s); err == nil || !strings.Contains(err.Error(), "REAPIT_API_URL") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
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
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.fault(`{"match":{"path":"/negotiators"},"action":{"status":500}}`)
	d := r.deliver(r.settings())
	r.say(1, event.Missed, "", "jane")
	r.merged()
	if d.ready() || !strings.Contains(r.page(d.probes+"/readyz"), `"not read yet`) {
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
