package app

import (
	"log/slog"
	"strings"
	"testing"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

// The whole log of a run with everything that can go wrong, at the most
// talkative level, and what the probes show, name nobody and hold no secret.
func TestNobodyIsNamedAndNothingSecretIsTold(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	tom := rtesim.Agency().Users[1]
	r.sim.Unauthorized(tom.ID)
	var log lines
	r.log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, what := range []string{"discovery-5xx", "token-401", "token-429", "token-5xx", "token-malformed", "negotiate-401", "negotiate-5xx", "connect-401", "connect-5xx"} {
		if err := r.sim.Fail(rtesim.Fault{What: what, Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	s := r.settings("a")
	s.Subscriptions = append(s.Subscriptions, "UserStatus:"+tom.ID, "NoSuchEvent:"+r.jane)
	p := r.start(s, fast())
	p.waitReady()
	const caller, called, name = "+447700900123", "+442079460123", "jane.private@agency.example"
	event := `{"data":{"id":"aa90c608-7fd4-4c59-af60-d8141470e85b","eventType":"UserCallInComing","entityId":"` + r.jane +
		`","callerNumber":"` + caller + `","targetNumber":"` + called + `","userName":"` + name + `","displayName":"Jane Private","timestamp":"2023-10-19T14:21:19Z"}}`
	odd := []rtesim.Send{
		{Raw: event, To: "all"},
		{Raw: event[:len(event)-1], To: "all"},              // broken
		{Raw: event, Target: "SubscribeDetails", To: "all"}, // another callback
		{Raw: event + "," + event, To: "all"},               // two arguments
		{Raw: `"` + caller + " " + name + `"`, To: "all"},   // no object
		{Raw: `{"type":3,"invocationId":"` + caller + `","error":"` + name + `"}`, Record: true, To: "all"}, // an answer
		{Raw: strings.Replace(event, `{"data":{`, `{"data":{"note":"`+strings.Repeat("x", 2<<20)+`",`, 1), To: "all"},
	}
	for _, send := range odd {
		if _, err := r.sim.Send(t.Context(), send); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Eventually(t, "all kept", func() bool {
		return len(bustest.Messages(t, r.js, topology.DeadLetters)) >= len(odd)-3+9 && p.metric("ringstream_ingest_queue_messages") == "0"
	})
	known := r.connected()
	if _, err := r.sim.Drop(rtesim.DropReset, known, ""); err != nil {
		t.Fatal(err)
	}
	r.connected(known)
	p.waitReady()
	told := log.String()
	for _, path := range []string{"/readyz", "/metrics", "/version", "/healthz"} {
		_, body := p.get(path)
		told += body
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	told += log.String()
	for _, want := range []string{"unknown-callback", "too large", tom.ID, "Unauthorized", "NoSuchEvent"} {
		if !strings.Contains(told, want) {
			t.Errorf("nothing tells %q", want)
		}
	}
	for _, secret := range []string{
		"demo-secret", "ZGVtb0BhZ2VuY3kuZXhhbXBsZTpkZW1vLXNlY3JldA", "eyJ", "access_token", "Bearer",
		caller, caller[3:], called, called[3:], name, "private@", "Jane Private", "demo@agency.example", tom.UserName,
	} {
		if i := strings.Index(told, secret); i >= 0 {
			t.Errorf("%q is told: %.300s", secret, told[max(0, i-150):])
		}
	}
}
