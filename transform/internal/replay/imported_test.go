package replay

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/explain"
)

// lived is everything that happens in the scenes. Around unheard nobody listens, and
// end is when the last was stored.
func (r *rig) lived() (all []scene, unheard, end time.Time) {
	r.Helper()
	r.connects("e1", 30*time.Second)
	for i, s := range scenes {
		if s.later || len(s.raw) == 0 { // what RTE knows nothing of is in no bundle
			continue
		}
		s.id = fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", i)
		r.heard(s)
		all = append(all, s)
	}
	r.replica(0, event.Closed, "e1")
	unheard = time.Now().Add(500 * time.Millisecond)
	<-time.After(time.Second) // by the server's clock; then a heartbeat fires the timers
	r.replica(0, event.Heartbeat, "")
	r.transformed()
	d := r.deliveries()
	for _, s := range all {
		for _, e := range s.ends {
			d.end(s.id, e)
		}
	}
	r.replica(0, event.Heartbeat, "")
	held := bustest.Messages(r, r.js, topology.RTE)
	return all, unheard, held[len(held)-1].Stored
}

// taken is the server to which what r holds was exported and imported.
func (r *rig) taken(how ...string) *rig {
	r.Helper()
	file := filepath.Join(r.TempDir(), "all.bundle")
	if _, errs, code := r.replay(append([]string{"export", "--since", "1h", "-o", file}, how...)...); code != Clean || errs != "" {
		r.Fatalf("export: exit %d, %s", code, errs)
	}
	other := &rig{T: r.T, server: bustest.Run(r.T)}
	if _, errs, code := r.replay("import", file, "--into", other.server.URL()); code != Clean || errs != "" {
		r.Fatalf("import: exit %d, %s", code, errs)
	}
	return other
}

// What explain says of a call, it says of the imported call too, with the same
// times in the same order.
func TestExplainWhatWasImported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	scenes, unheard, now := r.lived()
	asked := [][]string{}
	for _, s := range scenes {
		asked = append(asked, []string{"call", s.id})
	}
	for _, who := range []string{"jane@agency.example", tom, "TOM", ann, ben} {
		asked = append(asked, []string{"user", who, "--at", now.Add(-time.Second).Format(time.RFC3339Nano)})
	}
	asked = append(asked, []string{"user", tom, "--at", unheard.Format(time.RFC3339Nano), "--within", "300ms"})

	other := r.taken("--real")
	for _, args := range asked {
		want, errs, code := r.explain(now, append(args, "--server", r.server.URL())...)
		if code == Trouble {
			t.Errorf("%v: %s", args, errs)
		}
		got, errs, same := r.explain(now.Add(72*time.Hour), append(args, "--server", other.server.URL())...)
		if numberless(got) != numberless(want) || same != code {
			t.Errorf("%v: exit %d, not %d, says %q\n%s\nand was\n%s", args, same, code, errs, got, want)
		}
	}

	aliased := r.taken()
	for _, s := range scenes {
		want, got := r.outline(s.id, now, r.server.URL()), r.outline(s.id, time.Now(), aliased.server.URL())
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s, under aliases:\n%+v\nand was\n%+v", s.name, got, want)
		}
	}
	for _, args := range [][]string{{"coverage"}, {"coverage", "--days"}} {
		want, _, _ := r.replayed(now, append(args, "--server", r.server.URL())...)
		got, errs, _ := r.replayed(now.Add(72*time.Hour), append(args, "--server", other.server.URL())...)
		if got != want {
			t.Errorf("%v says %q\n%s\nand said\n%s", args, errs, got, want)
		}
	}
	if _, errs, code := r.explain(now.Add(72*time.Hour), "user", tom, "--at", "1m", "--server", other.server.URL()); code != Trouble || !strings.Contains(errs, "nothing found: RTE reaches from ") {
		t.Errorf("behind the end: exit %d, %q", code, errs)
	}
	if out, errs, code := r.replay("run", "--until", "2020-01-01", "--server", other.server.URL()); code != Clean || out != "" || !strings.Contains(errs, now.UTC().Format(time.DateOnly)) {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
}

// numberless leaves out the places in streams: how CALLS is merged is another matter.
func numberless(s string) string {
	return ordinal.ReplaceAllStringFunc(s, func(found string) string { return strings.Fields(found)[0] })
}

// outlines is what an alias leaves of an explanation.
type outlines struct {
	causes []explain.Cause
	lines  []outlined
}

type outlined struct {
	At, Dated, Heard         time.Time
	Stream, Verdict, Outcome string
	Status, Attempts         int
	Latency                  int64
	Moves                    []string
}

// outline is what explain says of a call on a server, but for names and words.
func (r *rig) outline(id string, now time.Time, server string) (all outlines) {
	r.Helper()
	text, errs, _ := r.explain(now, "call", id, "-o", "json", "--server", server)
	var a explain.Answered
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		r.Fatal(err, errs)
	}
	for _, v := range a.Users {
		all.causes = append(all.causes, v.Cause)
	}
	for _, e := range a.Timeline {
		o := outlined{At: e.At, Stream: e.Stream}
		if e.Raw != nil {
			o.Dated, o.Heard, o.Verdict = e.Raw.Dated, e.Raw.Heard, e.Raw.Verdict
		}
		if e.Outcome != nil {
			o.Outcome, o.Status, o.Attempts, o.Latency = string(e.Outcome.Outcome), e.Outcome.Status, e.Outcome.Attempts, e.Outcome.LatencyMS
		}
		for _, m := range e.Moves {
			o.Moves = append(o.Moves, m.From+m.To)
		}
		all.lines = append(all.lines, o)
	}
	return all
}

// Who follows a server while something is imported sees it as of then.
func TestTailWhatIsImported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, rings, jane)
	r.transformed()
	r.deliveries().end(answered, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})
	file := filepath.Join(t.TempDir(), "call.bundle")
	if _, errs, code := r.replay("export", "--call", answered, "-o", file, "--real"); code != Clean {
		t.Fatal(errs)
	}
	text, _, _ := r.explain(time.Now(), "call", answered, "-o", "json")
	var was explain.Answered
	if err := json.Unmarshal([]byte(text), &was); err != nil {
		t.Fatal(err)
	}

	s := bustest.Run(t)
	other := &rig{T: t, server: s, js: s.Provisioned(partitions)}
	out, end := other.tail("-o", "json")
	if _, errs, code := other.replay("import", file); code != Clean {
		t.Fatal(errs)
	}
	bustest.Eventually(t, "all lines", func() bool { return strings.Count(out.String(), "\n") >= len(was.Timeline) })
	if errs, code := end(); code != Clean || errs != followsAll {
		t.Errorf("exit %d, said %q", code, errs)
	}
	for text := range strings.Lines(out.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(was.Timeline, func(e explain.Entry) bool { return e.Stream == l.Stream && e.At.Equal(l.At) }) {
			t.Errorf("nothing of %s was stored at %s", l.Stream, l.At)
		}
	}
}
