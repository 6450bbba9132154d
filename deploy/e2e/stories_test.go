package e2e

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"ringstream/deploy/local/stack"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata/*.txtar")

const golden = "want"

// TestStories plays each scenario of testdata at the hub and compares what the
// CRM accepted, call by call and negotiator by negotiator, with the golden part.
func TestStories(t *testing.T) {
	t.Parallel() // most of it is waiting
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories (%v)", err)
	}
	r := start(t, stack.Options{Env: map[string][]string{"transform": {"SETTLE_TIMEOUT=1s"}}})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			r := &rig{Stack: r.Stack, js: r.js, t: t}
			scenario, want := readStory(t, file)
			got := strings.Join(r.tell(scenario), "")
			if *update {
				writeStory(t, file, got)
				return
			}
			if got != want {
				t.Errorf("the CRM received:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func readStory(t *testing.T, file string) (scenario, want string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rest := txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if f.Name == golden {
			want = string(f.Data)
			continue
		}
		rest.Files = append(rest.Files, f)
	}
	return string(txtar.Format(&rest)), want
}

func writeStory(t *testing.T, file, got string) {
	t.Helper()
	scenario, _ := readStory(t, file)
	archive := txtar.Parse([]byte(scenario))
	archive.Files = append(archive.Files, txtar.File{Name: golden, Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tell plays a scenario to its end and returns one text for each of its calls.
func (r *rig) tell(scenario string) []string {
	r.t.Helper()
	done := r.play(play{Text: scenario, Wait: true})
	r.settled(done)
	return chapters(r.t, r.notifications(), done.CallIDs, true)
}

// settled waits until nothing more will come of a played scenario: every one
// of its raw events is folded, its calls are closed, and all that came of them
// is delivered.
func (r *rig) settled(done playing) {
	r.t.Helper()
	var last uint64
	since := time.Now()
	r.eventually(time.Minute, say("deliveries to come to rest"), func() bool {
		if n := r.stored("CALLS", "calls.>") + r.outcomes(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 2500*time.Millisecond
	})
}

// chapters groups notifications by call and negotiator. With times, each line
// begins with the time since the call's first notification was caused, in
// whole seconds.
func chapters(t *testing.T, all []notification, calls []string, times bool) []string {
	t.Helper()
	byCall := map[string]map[string][]notification{}
	for _, n := range all {
		if byCall[n.Payload.ID] == nil {
			byCall[n.Payload.ID] = map[string][]notification{}
		}
		byCall[n.Payload.ID][n.NegotiatorID] = append(byCall[n.Payload.ID][n.NegotiatorID], n)
	}
	var out []string
	for i, id := range calls {
		var b strings.Builder
		fmt.Fprintf(&b, "call %d\n", i+1)
		if !times {
			b.Reset()
		}
		begin := beginning(t, byCall[id])
		for _, negotiator := range slices.Sorted(maps.Keys(byCall[id])) {
			for _, n := range byCall[id][negotiator] {
				b.WriteString(line(t, n, begin, times))
			}
		}
		out = append(out, b.String())
	}
	return out
}

func beginning(t *testing.T, call map[string][]notification) (first time.Time) {
	t.Helper()
	for _, list := range call {
		for _, n := range list {
			if at := created(t, n); first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	return first
}

func created(t *testing.T, n notification) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05Z", n.Payload.Created)
	if err != nil {
		t.Fatalf("created: %v", err)
	}
	return at
}

func line(t *testing.T, n notification, begin time.Time, times bool) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "  %-4s", n.NegotiatorID)
	if times {
		// Whole seconds are cut, so neighbours may differ by one.
		if d := n.Time.Sub(created(t, n)); d < 0 || d > 5*time.Second {
			t.Errorf("%s to %s is %v late", n.SubType, n.NegotiatorID, d)
		}
	}
	fmt.Fprintf(&b, "%-13s caller=%s", n.SubType, n.Payload.CallerID)
	if n.Payload.DestinationID != nil {
		fmt.Fprintf(&b, " destination=%s", *n.Payload.DestinationID)
	}
	if n.Payload.HuntGroup != nil {
		fmt.Fprintf(&b, " huntGroup=%t", *n.Payload.HuntGroup)
	}
	if n.Payload.AnsweredByID != nil {
		fmt.Fprintf(&b, " answeredBy=%s", *n.Payload.AnsweredByID)
	}
	return b.String() + "\n"
}
