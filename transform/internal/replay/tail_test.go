package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// screen is written by one goroutine and read by another.
type screen struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// tail follows until end is called, which returns the exit code.
func (r *rig) tail(args ...string) (out *screen, end func() (string, int)) {
	r.Helper()
	before := r.consumers()
	ctx, cancel := context.WithCancelCause(r.Context())
	out, errs := new(screen), new(screen)
	code := make(chan int, 1)
	go func() {
		code <- r.main(ctx, append([]string{"tail"}, args...), IO{Out: out, Err: errs, Now: time.Now()})
	}()
	bustest.Eventually(r, "it listens", func() bool { return r.consumers() == before+3 })
	return out, func() (string, int) {
		cancel(errors.New("Ctrl-C"))
		return errs.String(), <-code
	}
}

func (r *rig) consumers() (n int) {
	r.Helper()
	for _, name := range []string{topology.RTE, topology.Calls, topology.Deliveries} {
		s, err := r.js.Stream(r.Context(), name)
		if err != nil {
			r.Fatal(err)
		}
		n += s.CachedInfo().State.Consumers
	}
	return n
}

// followsAll is what tail says of itself when nothing is left out.
const followsAll = "replay: following the calls, from now on; Ctrl-C ends it\n"

func TestTail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.raw(agencyOrg, answered, "UserCallInArrived", jane) // before anybody looks
	all, endAll := r.tail()
	toms, endToms := r.tail("--who", "tom@agency.example", "-o", "json")
	kinds, endKinds := r.tail("--type", "incoming", "--org", agencyOrg, "--call", strings.ToUpper(answered))
	r.raw(agencyOrg, answered, rings, jane)
	r.raw(agencyOrg, missed, "UserCallOutGoing", tom)
	r.transformed()
	r.deliveries().end(answered, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})

	bustest.Eventually(t, "all lines", func() bool { return strings.Count(all.String(), "\n") >= 7 })
	lines := strings.Split(strings.TrimSpace(settled(all.String())), "\n")
	for _, want := range []string{
		"<clock>  RTE <n> " + answered + "  UserCallInUserAllocated of jane@agency.example, from …456, heard <clock> (ingest-1's copy)",
		"                               jane@agency.example: offered -> ringing",
		"<clock>  CALLS <n> " + answered + "  incoming to jane@agency.example (" + answered + "/1, of RTE <n>)",
		"<clock>  DELIVERIES <n> " + answered + "  incomingCall for JAS, jane@agency.example: delivered, HTTP 202, 1 attempt, <time> behind CALLS, request 5f0c9a3e-77d1-4c1b-9a52-6a1e0d3b8c47",
		"                               tom@agency.example (outbound): none -> dialling",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	bustest.Eventually(t, "tom's lines", func() bool { return strings.Count(toms.String(), "\n") >= 2 })
	for text := range strings.Lines(toms.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil || l.Call != missed || l.Seq == 0 {
			t.Errorf("%s: %v", text, err)
		}
	}
	bustest.Eventually(t, "incoming lines", func() bool { return strings.Count(kinds.String(), "\n") >= 2 })
	for what, end := range map[string]func() (string, int){
		"the calls": endAll, "the calls, only those of user tom@agency.example": endToms,
		"the incoming events of the calls, only those of call " + answered + ", only those of organization " + agencyOrg: endKinds,
	} {
		if errs, code := end(); code != Clean || errs != "replay: following "+what+", from now on; Ctrl-C ends it\n" {
			t.Errorf("%s: exit %d, said %q", what, code, errs)
		}
	}
	if out := kinds.String(); strings.Contains(out, "RTE ") && !strings.Contains(out, "of RTE ") || strings.Count(out, "\n") != 2 {
		t.Errorf("it follows more:\n%s", out)
	}
}

// Who reads no more is not followed for.
func TestTailToNobody(t *testing.T) {
	gone := errors.New("nobody reads")
	for _, format := range []string{"text", "json"} {
		c := &command{out: failing{gone}}
		if err := c.print([]line{{Call: answered}}, format); !errors.Is(err, gone) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestTailUsage(t *testing.T) {
	for want, args := range map[string][]string{
		`replay: --type: "rung" is unknown; write one of [incoming`:          {"--type", "rung"},
		`replay: --output: "xml" is unknown; write text or json; see --help`: {"-o", "xml"},
	} {
		if out, errs, code := replay(t.Context(), append([]string{"tail"}, args...)...); code != Trouble || out != "" || !strings.HasPrefix(errs, want) {
			t.Errorf("exit %d, %q, said %q", code, out, errs)
		}
	}
}

func TestTailWithoutAStream(t *testing.T) {
	t.Parallel()
	s := bustest.Run(t)
	if _, errs, code := replay(t.Context(), "tail", "--server", s.URL()); code != Trouble || !strings.Contains(errs, "stream does not exist") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// A time limit that passes is a line too, and the state of a call is right whoever
// is followed.
func TestTailTimeLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all, endAll := r.tail("-o", "json", "--who", strings.ToUpper(jane))
	r.raw(agencyOrg, answered, rings, jane)
	r.raw(agencyOrg, answered, "UserCallInArrived", tom) // of whom nothing is shown
	r.raw(agencyOrg, answered, "UserCallInUserConnected", tom)
	r.raw(agencyOrg, answered, "UserCallInUserCancelled", jane)
	r.raw(agencyOrg, missed, rings, jane)
	r.raw(agencyOrg, missed, "UserCallInDisconnected", jane, "reason", "remote")
	<-time.After(time.Second + 2*quick.Settle) // by the server's clock
	r.beat()
	bustest.Eventually(t, "all lines", func() bool { return strings.Count(all.String(), "\n") >= 5 })
	if errs, code := endAll(); code != Clean || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit %d, said %q", code, errs)
	}
	want := []string{
		"RTE UserCallInUserAllocated changed none ringing",
		"RTE UserCallInUserCancelled changed lost left", // somebody had answered
		"RTE UserCallInUserAllocated changed none ringing",
		"RTE UserCallInDisconnected changed ringing hung up",
		" a time limit is over, which makes it missed",
	}
	var got []string
	for text := range strings.Lines(all.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		words := l.Stream + " "
		if l.Raw != nil {
			words += l.Raw.Type + " " + l.Raw.Verdict
		} else {
			words += l.What
		}
		for _, m := range l.Moves {
			if m.User.UserID == jane {
				words += " " + m.From + " " + m.To
			}
		}
		got = append(got, words)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Who a negotiator is, the newest outcome tells.
func TestTailANegotiator(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.deliveries().end(missed, ending{user: jane, outcome: event.Delivered, status: 202, tries: 1})
	out, end := r.tail("--who", "JAS")
	_, endTypo := r.tail("--who", "JASS")
	r.raw(agencyOrg, answered, rings, jane)
	r.raw(agencyOrg, answered, "UserCallInArrived", tom)
	r.transformed()
	bustest.Eventually(t, "two lines", func() bool { return strings.Count(out.String(), "RTE ") >= 2 })
	if errs, code := end(); code != Clean || strings.Contains(errs, "no outcome") {
		t.Errorf("exit %d, said %q", code, errs)
	}
	if errs, code := endTypo(); code != Clean || !strings.Contains(errs, "no outcome is of a negotiator JASS yet") {
		t.Errorf("exit %d, said %q", code, errs)
	}
	if text := out.String(); strings.Contains(text, "UserCallInArrived") || !strings.Contains(text, "incoming to jane@agency.example") {
		t.Errorf("it shows\n%s", text)
	}
}
