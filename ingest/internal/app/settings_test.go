package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/event"
	"ringstream/schemas/program"
)

const janeID = "c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3"

func TestSettingsAreReportedAllAtOnce(t *testing.T) {
	for name, value := range map[string]string{
		"ENREACH_API_URL": "api.example", "ENREACH_USERNAME": "", "ENREACH_SECRET_KEY": "", "NATS_PROVISION": "maybe",
		"RTE_SUBSCRIPTIONS": "user:nobody,UserStatus,queue:" + janeID, "RTE_SUBSCRIPTIONS_FILE": "/does/not/exist",
		"SPOOL_MAX_BYTES": "1MiB",
	} {
		t.Setenv(name, value)
	}
	var s Settings
	var bad *program.SettingsError
	if err := program.Load(&s); !errors.As(err, &bad) {
		t.Fatalf("error is %v", err)
	}
	for _, want := range []string{
		"ENREACH_API_URL", "ENREACH_USERNAME", "ENREACH_SECRET_KEY", "NATS_PROVISION", `item "user:nobody"`, `item "UserStatus"`, "/does/not/exist",
		"SPOOL_MAX_BYTES: is 1MiB; expected 32MiB or more",
	} {
		if !strings.Contains(bad.Error(), want) {
			t.Errorf("not reported: %s, in\n%v", want, bad)
		}
	}
}

func TestSubscriptionsAreRequired(t *testing.T) {
	t.Setenv("ENREACH_USERNAME", "u")
	t.Setenv("ENREACH_SECRET_KEY", "k")
	var s Settings
	if err := program.Load(&s); err == nil || !strings.Contains(err.Error(), "RTE_SUBSCRIPTIONS: names nothing to subscribe, nor does RTE_SUBSCRIPTIONS_FILE") {
		t.Errorf("error is %v", err)
	}
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte("queues: ["+janeID+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RTE_SUBSCRIPTIONS_FILE", path)
	s = Settings{}
	if err := program.Load(&s); err != nil {
		t.Errorf("a file alone: %v", err)
	}
}

func TestEmptySubscriptionsFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found := Settings{SubscriptionsFile: path, SpoolMaxBytes: smallestSpool}.Problems()
	if want := "RTE_SUBSCRIPTIONS_FILE: read subscriptions from " + path + ": it lists nothing"; len(found) != 1 || !strings.HasPrefix(found[0].String(), want) {
		t.Errorf("found %v", found)
	}
}

// report runs check and indexes its lines by name.
func report(t *testing.T, s Settings) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, r := range Check(t.Context(), s) {
		word := "FAIL "
		if r.OK {
			word = "ok "
		}
		if before, again := found[r.Name]; again {
			word = before + "\n" + word
		}
		found[r.Name] = word + r.Detail
	}
	return found
}

func TestCheck(t *testing.T) {
	r := newRig(t)
	good := r.settings("a")
	secretWrong := good
	secretWrong.SecretKey = "wrong"
	natsAway := good
	natsAway.URL = "nats://127.0.0.1:1"
	otherPartitions := good
	otherPartitions.Partitions = 5
	unknownUser := good
	unknownUser.Username = "stranger@agency.example"
	apiAway := good
	apiAway.APIURL = "http://api.invalid"
	noTLS := good
	noTLS.APIURL = strings.Replace(r.sim.URL(), "http:", "https:", 1)
	notAPI := good
	notAPI.APIURL = r.sim.URL() + "/elsewhere"
	nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/discover" {
			_, _ = fmt.Fprintf(w, `[{"apiEndpoint":"http://%s"}]`, r.Host)
			return
		}
		_, _ = fmt.Fprint(w, "<html>")
	}))
	defer nonsense.Close()
	broken := good
	broken.DiscoveryURL = nonsense.URL + "/discover"
	tom := rtesim.Agency().Users[1].ID
	partly := good
	partly.Subscriptions = []string{"UserStatus:" + r.jane, "UserStatus:" + tom, "UserAlert:" + tom, "NoSuchEvent:" + tom}
	noSpool := good
	noSpool.SpoolDir = filepath.Join(os.DevNull, "spool")
	nothing := good
	nothing.Subscriptions = []string{"NoSuchEvent:" + r.jane}
	r.sim.Unauthorized(tom)

	for title, c := range map[string]struct {
		settings   Settings
		name, says string
	}{
		"streams":          {good, "streams", "ok as the contract says"},
		"hub":              {good, "hub", "ok connected to 127.0.0.1:"},
		"subscriptions":    {good, "subscriptions", "ok"},
		"spool":            {good, "SPOOL_DIR", "ok"},
		"no spool":         {noSpool, "SPOOL_DIR", "FAIL mkdir " + os.DevNull + ": not a directory"},
		"wrong secret":     {secretWrong, "ENREACH_SECRET_KEY", "FAIL get an RTE token: the REST API refused the credentials (ENREACH_USERNAME, ENREACH_SECRET_KEY)"},
		"no NATS":          {natsAway, "NATS_URL", "FAIL connect to NATS at nats://127.0.0.1:1"},
		"other partitions": {otherPartitions, "streams", "FAIL stream differs"},
		"unknown user":     {unknownUser, "ENREACH_USERNAME", "FAIL discover the REST API: discovery knows no such user"},
		"DNS":              {apiAway, "ENREACH_API_URL", `FAIL get an RTE token: no usable answer from api.invalid: DNS does not resolve "api.invalid"`},
		"TLS":              {noTLS, "ENREACH_API_URL", "FAIL get an RTE token: no usable answer from " + strings.TrimPrefix(r.sim.URL(), "http://") + ": TLS failed, the server does not speak it"},
		"not the API":      {notAPI, "ENREACH_API_URL", "FAIL get an RTE token: no usable answer: HTTP 404"},
		"API broken":       {broken, "ENREACH_DISCOVERY_URL", "FAIL get an RTE token: answer not understood from "},
		"not the secret":   {broken, "ENREACH_SECRET_KEY", ""},
		"refused item":     {partly, "subscriptions", "ok 1 subscribed, 3 refused\nok warning: " + tom + " is refused NoSuchEvent: the hub does not offer this event\nok warning: " + tom + " is refused UserAlert, UserStatus: Unauthorized"},
		"nothing held":     {nothing, "subscriptions", "FAIL 0 subscribed, 1 refused\nFAIL " + r.jane + " is refused NoSuchEvent: the hub does not offer this event"},
	} {
		t.Run(title, func(t *testing.T) {
			if got := report(t, c.settings)[c.name]; !strings.HasPrefix(got, c.says) || c.says == "" && got != "" {
				t.Errorf("%s: %q, want %q", c.name, got, c.says)
			}
		})
	}
}

func TestManyRefusalsAreOneLine(t *testing.T) {
	var answers []event.Subscription
	for i := range 26 {
		answers = append(answers, event.Subscription{EntityID: janeID, EventName: fmt.Sprintf("Event%02d", i), Message: "Unauthorized"})
	}
	want := janeID + " is refused Event00, Event01, Event02, Event03, Event04 and 21 more: Unauthorized"
	if got := checkSubscriptions(answers); len(got) != 2 || got[0].OK || got[1].OK || got[1].Detail != want {
		t.Errorf("got %+v", got)
	}
}

func TestCredentialsDoNotFollowToPlainHTTP(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked without TLS") }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusTemporaryRedirect))
	defer secure.Close()
	web := secure.Client()
	web.CheckRedirect = keepSecret
	s := Settings{APIURL: secure.URL, Username: "u", SecretKey: "k", RTEUser: "me"}
	if _, err := s.api(web).Grant(t.Context()); !errors.Is(err, errDowngrade) {
		t.Errorf("error is %v", err)
	}
}
