package replay

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

var nothing = server.User{Username: "nothing", Password: "nothing", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{">"}}}}

func TestLeastPrivilege(t *testing.T) {
	s := bustest.RunGuarded(t, partitions)
	r := &rig{T: t, js: s.Provisioned(partitions)}
	t.Setenv("NATS_URL", s.URL())
	t.Setenv("NATS_PASSWORD", "replay")
	t.Setenv("NATS_CA", s.As("replay", partitions).CA)
	r.morning()
	r.forge(func(told []Told) []Told { return told[:len(told)-1] }) // so that diff looks at the logs too

	before := bustest.Messages(t, r.js, topology.RTE)
	if out, errs, code := r.replay("run", "--user", "replay"); code != Clean || out == "" {
		t.Errorf("run: exit %d, said %q", code, errs)
	}
	if _, errs, code := r.replay("diff", "--user", "replay", "--wait", "50ms"); code != Trouble || !strings.Contains(errs, ErrBehind.Error()) {
		t.Errorf("diff: exit %d, said %q", code, errs)
	}
	if _, errs, code := r.replay("coverage", "--user", "replay"); code != Clean || !strings.Contains(errs, "could not be read") && errs != "" {
		t.Errorf("coverage: exit %d, said %q", code, errs)
	}
	r.deliveries().end(answered, ending{user: jane, outcome: event.Rejected, cause: "rejected", status: 422, tries: 1, letter: []event.FieldError{{Field: "type", Message: "unknown"}}})
	if out, errs, code := r.replay("explain", "call", answered, "--user", "replay"); code != Clean || errs != "" || !strings.Contains(out, "in its words: type: unknown") {
		t.Errorf("explain call: exit %d, said %q, %q", code, errs, out)
	}
	if out, errs, code := r.replay("explain", "user", "nobody@agency.example", "--at", "1s", "--user", "replay"); code != Different || errs != "" {
		t.Errorf("explain user: exit %d, said %q, %q", code, errs, out)
	}
	_, end := r.tail("--user", "replay")
	if errs, code := end(); code != Clean || errs != followsAll {
		t.Errorf("tail: exit %d, said %q", code, errs)
	}
	if out, errs, code := r.replay("watch", "--user", "replay", "--for", "2s"); code != Clean || out != "" || !strings.Contains(errs, "0 violations") {
		t.Errorf("watch: exit %d, found %q, said %q", code, out, errs)
	}
	site, end := r.serve("--user", "replay")
	r.eventually(browser(), site, `data-state="live"`, "/call/"+answered)
	if status, body := r.get(browser(), site+"call/"+answered); status != http.StatusOK || !strings.Contains(body, "DEADLETTERS") {
		t.Errorf("the page of a call: %d", status)
	}
	if errs, code := end(); code != Clean {
		t.Errorf("serve: exit %d, said %q", code, errs)
	}
	if after := bustest.Messages(t, r.js, topology.RTE); len(after) != len(before) {
		t.Errorf("RTE had %d messages and has %d", len(before), len(after))
	}
	for _, name := range []string{topology.RTE, topology.Calls, topology.Deliveries, topology.DeadLetters} {
		stream, err := r.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if n := stream.CachedInfo().State.Consumers; n != 0 {
			t.Errorf("%d consumers are left on %s", n, name)
		}
	}
}

func TestWithoutPermission(t *testing.T) {
	s := bustest.RunGuarded(t, partitions, &nothing)
	t.Setenv("NATS_CA", s.As("nothing", partitions).CA)
	t.Setenv("NATS_USER", "nothing")
	t.Setenv("NATS_PASSWORD", "nothing")
	if _, errs, code := replay(t.Context(), "run", "--server", s.URL()); code != Trouble || !strings.Contains(errs, "may this user publish to $JS.API.STREAM.INFO.RTE? see --help") {
		t.Errorf("exit %d, said %q", code, errs)
	}
	if _, errs, code := replay(t.Context(), "run", "--server", s.URL(), "--user", "nobody"); code != Trouble || !strings.Contains(errs, "NATS_USER, NATS_PASSWORD") {
		t.Errorf("exit %d, said %q", code, errs)
	}
}
