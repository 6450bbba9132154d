package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

func TestRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()

	out, errs, code := r.replay("run")
	if code != Clean || errs != "1 message of RTE could not be read and changed nothing\n" {
		t.Fatalf("exit %d, said %q", code, errs)
	}
	golden(t, "run.txt", timeless(out))

	t.Run("json is the data of CALLS", func(t *testing.T) {
		out, _, code := r.replay("run", "-o", "json", "--call", strings.ToUpper(answered))
		var held []string
		for _, m := range bustest.Messages(t, r.js, topology.Calls) {
			if strings.HasSuffix(m.Subject, answered) {
				held = append(held, string(m.Data))
			}
		}
		if got := strings.Split(strings.TrimSpace(out), "\n"); code != Clean || len(got) != 3 || strings.Join(got, "|") != strings.Join(held, "|") {
			t.Errorf("exit %d, got %v, CALLS has %v", code, got, held)
		}
	})
	t.Run("organization", func(t *testing.T) {
		out, _, _ := r.replay("run", "-o", "json", "--org", otherOrg)
		var types []event.CallType
		for line := range strings.Lines(out) {
			var e event.Call
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.OrganizationID != otherOrg {
				t.Errorf("%s: %v", line, err)
			}
			types = append(types, e.Type)
		}
		if len(types) != 2 || types[1] != event.Missed {
			t.Errorf("got %v", types)
		}
	})
	t.Run("story", func(t *testing.T) {
		out, errs, code := r.replay("run", "-o", "story", "--call", missed)
		ar := txtar.Parse([]byte(out))
		if code != Clean || len(ar.Files) != 2 || string(ar.Files[1].Data) != string(play(script(t, ar.Files[0].Data))) {
			t.Fatalf("exit %d, said %q, no story:\n%s", code, errs, out)
		}
		for _, private := range []string{missed, "123456", "bb9730c4", otherOrg} {
			if strings.Contains(out, private) {
				t.Errorf("%s is in the story:\n%s", private, out)
			}
		}
		for _, told := range []string{"UserCallInUserAllocated jane at=", "caller=anonymous", "reason=remote", "#1 INCOMING to jane, withheld", "#2 MISSED to jane"} {
			if !strings.Contains(out, told) {
				t.Errorf("it does not tell %q:\n%s", told, out)
			}
		}
	})
	t.Run("nothing selected", func(t *testing.T) {
		out, errs, code := r.replay("run", "--until", "2026-01-01")
		if code != Clean || out != "" || !strings.Contains(errs, "no call event selected; RTE holds ") {
			t.Errorf("exit %d, %q, %q", code, out, errs)
		}
	})
	t.Run("a call that is not there", func(t *testing.T) {
		for want, args := range map[string][]string{
			"of call " + later:                                 {"-o", "story", "--call", later},
			"of call nonsense":                                 {"--call", "nonsense"},
			"of organization nobody":                           {"--org", "nobody", "-o", "json"},
			"of call " + missed + " of organization nobody":    {"--org", "nobody", "--call", missed},
			"of call " + missed + " stored before 2026-01-01T": {"--call", missed, "--until", "2026-01-01"},
		} {
			out, errs, code := r.replay(append([]string{"run"}, args...)...)
			if code != Trouble || out != "" || !strings.Contains(errs, "nothing found: RTE holds no event "+want) {
				t.Errorf("%v: exit %d, %q, %q", args, code, out, errs)
			}
		}
	})
}

func TestRunWithoutAStream(t *testing.T) {
	t.Parallel()
	s := bustest.Run(t)
	_, errs, code := replay(t.Context(), "run", "--server", s.URL())
	if code != Trouble || !strings.Contains(errs, "stream does not exist: stream RTE; is this the right server (NATS_URL, --server)") {
		t.Errorf("exit %d, %q", code, errs)
	}
	s.Provisioned(1)
	if _, errs, code = replay(t.Context(), "diff", "--server", s.URL()); code != Trouble || !strings.Contains(errs, "stream RTE is empty") {
		t.Errorf("exit %d, %q", code, errs)
	}
}
