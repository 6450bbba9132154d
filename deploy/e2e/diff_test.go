//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

var (
	diffCalls = flag.Int("diff.calls", 2000, "how many calls the corpus of replay diff has")
	diffRules = flag.Int("diff.rules", 3, "how many rules are changed, one at a time")
	diffSeed  = flag.Uint64("diff.seed", 0, "which calls; 0 takes new ones")
)

// TestDiff proves that replay diff is an acceptance test of another transform:
// what transform makes of a corpus equals what replay makes of it, and a replay
// built with one rule of the call model changed lists exactly the calls that the
// rule decides.
func TestDiff(t *testing.T) {
	t.Parallel()
	seed := *diffSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-diff.calls=%d -diff.rules=%d -diff.seed=%d", *diffCalls, *diffRules, seed)
	c := newCorpus(seed, readKinds(t), *diffCalls)
	s := newShadow(t, c)

	began := time.Now()
	same, code := s.replay(binaries+"/replay", nil, "diff", "--wait", "20m")
	if code != 0 {
		t.Fatalf("exit %d:\n%.3000s", code, same)
	}
	t.Logf("%d messages of RTE, diff of the same source, with transform at work: %v\n%s", len(c.plan), time.Since(began).Round(time.Second), same)
	for i, f := range c.wronglyTold(bustest.Messages(t, s.js, topology.Calls)) {
		if t.Error(f); i == 10 {
			break
		}
	}
	for n, r := range rules[:min(*diffRules, len(rules))] {
		t.Run(r.name, func(t *testing.T) {
			s := &shadow{s.corpus, t, s.as, s.js}
			changed := r.changed(t, t.TempDir())
			s.lists(r, changed, nil)
			if n > 0 {
				return
			}
			told, code := s.replay(changed, nil, "run", "-o", "json")
			if code != 0 {
				t.Fatalf("exit %d", code)
			}
			s.lists(r, binaries+"/replay", told, "--against", "-")
		})
	}
}

// shadow is a NATS with the corpus in RTE, and transform at work on it.
type shadow struct {
	*corpus
	t  *testing.T
	as func(user string) []string
	js jetstream.JetStream
}

func newShadow(t *testing.T, c *corpus) *shadow {
	t.Helper()
	server := bustest.RunGuarded(t, corpusPartitions)
	as := func(user string) []string { return stack.Settings(server.As(user, corpusPartitions)) }
	s := &shadow{corpus: c, t: t, as: as, js: server.Provisioned(corpusPartitions)}
	server.Restore(s.js, topology.RTE, c.messages(t))
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := emptyWorld(t).program("transform", binaries+"/transform", "http://"+addr, append(s.as("transform"), "HTTP_ADDR="+addr)...)
	p.start()
	return s
}

// replay runs a replay and returns what it prints, and its exit code.
func (s *shadow) replay(binary string, stdin []byte, args ...string) (out []byte, code int) {
	s.t.Helper()
	var said strings.Builder
	cmd := exec.CommandContext(s.t.Context(), binary, args...)
	cmd.Env = append(s.as("replay"), "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &said
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if args[0] == "diff" && said.Len() > 0 {
		s.t.Errorf("replay %s: %s", strings.Join(args, " "), said.String())
	}
	return out, cmd.ProcessState.ExitCode()
}

// parting is a line of replay diff -o json.
type parting struct {
	Call        string `json:"call"`
	Kind        string `json:"kind"`
	Event       string `json:"event"`
	Type        string `json:"type"`
	Nth         int    `json:"nth"`
	Cause       struct{ EventID, EventType string }
	Why         string                  `json:"why"`
	Fields      []struct{ Name string } `json:"fields"`
	Differences map[string]int          `json:"differences"`
	Summary     *struct {
		Verdict            string
		Calls, Parted      int
		First, Differences map[string]int
	} `json:"summary"`
}

// lists checks that a diff lists the calls that a rule decides and no other,
// each with where the two part and why, and that its summary adds up.
func (s *shadow) lists(r rule, binary string, stdin []byte, args ...string) {
	s.t.Helper()
	want, verdict, wantCode := s.calls(r.decides), "different", 1
	if len(want) == 0 {
		verdict, wantCode = "equal", 0
	}
	began := time.Now()
	out, code := s.replay(binary, stdin, append([]string{"diff", "-o", "json"}, args...)...)
	if code != wantCode {
		s.t.Fatalf("exit %d, want %d:\n%.3000s", code, wantCode, out)
	}
	parted, summary := s.read(out)
	var got []string
	first, all := map[string]int{}, map[string]int{}
	for _, p := range parted {
		got = append(got, p.Call)
		first[p.Kind]++
		for kind, n := range p.Differences {
			all[kind] += n
		}
		s.complete(p)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("%d calls are listed, want %d: %s", len(got), len(want), s.astray(got, want))
	}
	t := summary.Summary
	if t.Verdict != verdict || t.Parted != len(want) || t.Calls != s.telling() || !maps.Equal(t.First, first) || !maps.Equal(t.Differences, all) {
		s.t.Errorf("summary %+v of %d lines with %v and %v, %d calls tell something", *t, len(parted), first, all, s.telling())
	}
	s.t.Logf("%v: %d of %d calls parted, first %v, in all %v", time.Since(began).Round(100*time.Millisecond), len(got), t.Calls, first, all)
}

// read takes the lines apart; the last is the summary.
func (s *shadow) read(out []byte) (parted []parting, summary parting) {
	s.t.Helper()
	for line := range bytes.Lines(out) {
		var p parting
		if err := json.Unmarshal(line, &p); err != nil || summary.Summary != nil {
			s.t.Fatalf("%v in %s", err, line)
		}
		if p.Summary != nil {
			summary = p
			continue
		}
		parted = append(parted, p)
	}
	if summary.Summary == nil {
		s.t.Fatal("no summary")
	}
	return parted, summary
}

// complete checks that a line says where and why.
func (s *shadow) complete(p parting) {
	s.t.Helper()
	call, n, _ := strings.Cut(p.Event, "/")
	if call != p.Call || n == "" || p.Nth < 1 || p.Type == "" || p.Why == "" || p.Cause.EventID == "" || p.Differences[p.Kind] < 1 || (p.Kind == "different") != (len(p.Fields) > 0) {
		s.t.Errorf("incomplete: %+v", p)
	}
}

// astray names some calls of one list that are not in the other, by their kind.
func (s *shadow) astray(got, want []string) string {
	counts := map[string]int{}
	for _, id := range got {
		if _, in := slices.BinarySearch(want, id); !in {
			counts["too many: "+s.made[id].name]++
		}
	}
	for _, id := range want {
		if _, in := slices.BinarySearch(got, id); !in {
			counts["missing: "+s.made[id].name]++
		}
	}
	return listOf(counts)
}
