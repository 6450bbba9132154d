package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
)

// TestBundleMovesToAnotherMachine: what replay exports of one stack and imports
// into an empty one comes to the same call events there, and to the same answers.
func TestBundleMovesToAnotherMachine(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := start(t, stack.Options{Ingest: 2, Env: map[string][]string{"transform": {"SETTLE_TIMEOUT=1s"}}})
	var calls []string
	for _, file := range []string{"hunt-group", "direct-missed", "transfer"} {
		text, err := os.ReadFile(filepath.Join("testdata", file+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		scenario, _, _ := strings.Cut(string(text), "-- "+golden+" --")
		done := r.play(play{Text: scenario, Speed: 4, Wait: true})
		r.settled(done)
		calls = append(calls, done.CallIDs...)
	}
	here := replayAt(t, r.NATS("replay"))
	if said := here.clean("explain", "call", calls[0]); !arrival.MatchString(said) {
		t.Errorf("nobody has heard it:\n%s", said)
	}
	for name, export := range map[string][]string{"aliases": nil, "real": {"--real"}} {
		file := filepath.Join(t.TempDir(), "morning.bundle")
		here.clean(append([]string{"export", "--since", "1h", "-o", file}, export...)...)
		there := replayAt(t, start(t, stack.Options{Bare: true}).NATS(tester)) // who imports makes streams
		there.clean("import", file)

		want, got := lines(here.clean("run", "-o", "json")), lines(there.clean("run", "-o", "json"))
		bundled := lines(there.clean("run", "-o", "json", file))
		if name == "aliases" {
			want, got, bundled = withoutNames(want), withoutNames(got), withoutNames(bundled)
		}
		if !slices.Equal(got, want) || !slices.Equal(bundled, want) {
			t.Errorf("%s: of the import come\n%s\nof the file\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(bundled, "\n"), strings.Join(want, "\n"))
		}
		there.clean("diff")
		for _, id := range calls {
			want, got := inOrder(here.clean("explain", "call", id)), inOrder(there.clean("explain", "call", id))
			if name == "aliases" {
				want, got = clockOf(want), clockOf(got)
			}
			if got != want {
				t.Errorf("%s: of the import replay says\n%s\nand of where it comes from\n%s", name, got, want)
			}
		}
	}
}

// replayed is the program, asked about one server.
type replayed struct {
	t    *testing.T
	nats bus.Config
}

func replayAt(t *testing.T, nats bus.Config) replayed { return replayed{t, nats} }

// clean runs it and wants it to end well.
func (r replayed) clean(args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "replay"), args...)
	cmd.Env = append(stack.Settings(r.nats), "SETTLE_TIMEOUT=1s")
	out, err := cmd.Output()
	if err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) {
			out = append(out, ended.Stderr...)
		}
		r.t.Fatalf("replay %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func lines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }

var (
	names   = regexp.MustCompile(`"(userName|caller|called)":"[^"]*"`)
	places  = regexp.MustCompile(`(RTE|CALLS|DELIVERIES) +\d+ *`)
	arrival = regexp.MustCompile(`RTE \d+ .*, dated \d\d:\d\d:\d\d\.\d{3}, heard \d\d:\d\d:\d\d\.\d{3} \(ingest-[12]'s copy\)\n`)
	clocks  = regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3}  (RTE|CALLS|DELIVERIES|DEADLETTERS)`)
)

// withoutNames leaves out of call events what an alias replaces.
func withoutNames(all []string) []string {
	for i, l := range all {
		all[i] = names.ReplaceAllString(l, `"$1":""`)
	}
	return all
}

// inOrder leaves out of an explanation where in a stream a message stands: CALLS is
// merged anew.
func inOrder(s string) string { return places.ReplaceAllString(s, "$1 ") }

// clockOf is what an explanation says of when what was stored.
func clockOf(s string) string {
	var all []string
	for _, l := range lines(s) {
		if at := clocks.FindString(l); at != "" {
			all = append(all, at)
		}
	}
	return strings.Join(all, "\n")
}
