package e2e

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// check runs a service's preflight under exactly these settings.
func check(t *testing.T, service string, settings ...string) (output string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, service), "check")
	cmd.Env = settings
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Everything that is wrong is found before the start, in a line that names the
// setting or the cause, with the right exit code; and what is right passes.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	r := start(t, stack.Options{Ingest: -1, Transform: -1, Deliver: -1})
	r.post(r.ReapitSim()+"/control/knobs", map[string]any{"cachedTokens": false}, nil) // one that is another check's would be refused first
	good := map[string][]string{
		"ingest": {
			"HTTP_ADDR=127.0.0.1:0", "ENREACH_API_URL=" + r.RTESim(), "ENREACH_USERNAME=demo@agency.example",
			"ENREACH_SECRET_KEY=demo-secret", "RTE_SUBSCRIPTIONS=user:" + jane,
		},
		"transform": {"HTTP_ADDR=127.0.0.1:0"},
		"deliver": {
			"HTTP_ADDR=127.0.0.1:0", "REAPIT_API_URL=" + r.ReapitSim(), "REAPIT_TOKEN_URL=" + r.ReapitSim() + "/oauth/token",
			"REAPIT_CLIENT_ID=demo-client", "REAPIT_CLIENT_SECRET=demo-secret", "REAPIT_CUSTOMER=SBOX",
		},
	}
	for service, settings := range good {
		settings = append(settings, r.settings(service)...)
		good[service] = settings
		if out, exit := check(t, service, settings...); exit != 0 {
			t.Errorf("%s with good settings: exit %d\n%s", service, exit, out)
		}
	}
	for _, c := range []struct {
		service, setting string
		exit             int
		says             []string
	}{
		{"ingest", "NATS_URL=nats://127.0.0.1:1", 1, []string{"FAIL", "NATS_URL", "is a server running there?"}},
		{"ingest", "NATS_URL=foo:bar:baz", 2, []string{"NATS_URL"}},
		{"transform", "NATS_URL=nats://127.0.0.1:1", 1, []string{"FAIL", "NATS_URL", "is a server running there?"}},
		{"transform", "PARTITIONS=8", 1, []string{"created for 4 partitions, PARTITIONS says 8"}},
		{"transform", "RING_TIMEOUT=soon", 2, []string{"RING_TIMEOUT", "soon"}},
		{"transform", "LOG_LEVEL=loud", 2, []string{"LOG_LEVEL"}},
		{"ingest", "ENREACH_SECRET_KEY=wrong", 1, []string{"FAIL", "ENREACH_SECRET_KEY", "401"}},
		{"ingest", "ENREACH_SECRET_KEY=", 2, []string{"ENREACH_SECRET_KEY"}},
		{"ingest", "RTE_SUBSCRIPTIONS=UserTeleported:" + jane, 1, []string{"UserTeleported"}},
		{"ingest", "RTE_SUBSCRIPTIONS=jane", 2, []string{"RTE_SUBSCRIPTIONS", "jane"}},
		{"deliver", "NATS_URL=nats://127.0.0.1:1", 1, []string{"FAIL", "NATS_URL", "is a server running there?"}},
		{"deliver", "REAPIT_CLIENT_SECRET=wrong", 1, []string{"FAIL", "REAPIT_CLIENT_SECRET"}},
		{"deliver", "REAPIT_CUSTOMER=ELSE", 1, []string{"FAIL", "REAPIT_CUSTOMER", "does not have the application installed"}},
		{"deliver", "NUMBER_REGION=XX", 2, []string{"NUMBER_REGION"}},
		{"deliver", "REAPIT_API_URL=platform", 2, []string{"REAPIT_API_URL"}},
	} {
		t.Run(c.service+" "+strings.SplitN(c.setting, ":", 2)[0], func(t *testing.T) {
			out, exit := check(t, c.service, append(append([]string{}, good[c.service]...), c.setting)...)
			if exit != c.exit {
				t.Errorf("exit %d, want %d", exit, c.exit)
			}
			for _, want := range c.says {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in it", want)
				}
			}
			if strings.Contains(out, "demo-secret") {
				t.Error("it tells a secret")
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

// NATS that is missing at the start is waited for, and said.
func TestServiceWaitsForNATS(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := start(t, stack.Options{})
	before := r.play(play{Text: "-- call --\ncaller=+447700900100 called=+442071838750\n+0s UserCallInUserAllocated user=jane\n", Wait: true})
	r.eventually(time.Minute, say("the first notification"), func() bool { return len(r.notifications()) == 1 })
	r.StopNATS()
	for _, name := range []string{"ingest-1", "transform-1", "deliver-1"} {
		if err := r.Kill(name); err != nil {
			t.Fatal(err)
		}
		if err := r.Launch(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"transform-1", "deliver-1"} {
		service, _ := r.Service(name)
		r.eventually(30*time.Second, say("%s to say that NATS is missing", name), func() bool { return r.logged(service.Log, "NATS_URL") })
	}
	if err := r.StartNATS(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ingest-1", "transform-1", "deliver-1"} {
		if err := r.Await(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	after := r.play(play{Text: "-- call --\ncaller=+447700900100 called=+442071838750\n+0s UserCallInUserAllocated user=jane\n", Wait: true})
	r.eventually(time.Minute, say("the second notification"), func() bool { return len(r.notifications()) == 2 })
	got := r.notifications()
	if got[0].Payload.ID != before.CallIDs[0] || got[1].Payload.ID != after.CallIDs[0] {
		t.Errorf("got %+v", got)
	}
}
