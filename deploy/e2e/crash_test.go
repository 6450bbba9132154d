package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// morning is four calls; repeated 250 times they are a thousand. Between any two
// notifications of a call there is more time than a killed service is away:
// after a longer outage what is overtaken is superseded, by design.
const morning = `Four calls: a direct one that is answered, one that is missed, a group of three, a withheld number.
-- call --
caller=+447700900101 called=+442071838750
+0s   UserCallInComing        user=jane
+0.1s UserCallInUserAllocated user=jane
+10s  UserCallInUserConnected user=jane
+20s  UserCallInDisconnected  user=jane reason=remote
-- call --
caller=+447700900102 called=+442071838751
+0s   UserCallInComing        user=tom
+0.1s UserCallInUserAllocated user=tom
+14s  UserCallInDisconnected  user=tom reason=remote
-- call --
caller=+447700900103 called=+442071838700
+0s   UserCallInUserAllocated user=sara
+0s   UserCallInUserAllocated user=ali
+0.1s UserCallInUserAllocated user=tom
+11s  UserCallInUserConnected user=ali
+11.1s UserCallInUserCancelled user=sara reason=AnsweredElsewhere
+11.1s UserCallInUserCancelled user=tom reason=AnsweredElsewhere
+21s  UserCallInDisconnected  user=ali reason=local
-- call --
caller=anonymous called=+442071838753
+0s   UserCallInComing        user=ali
+0.2s UserCallInUserAllocated user=ali
+10s  UserCallInUserConnected user=ali
+20s  UserCallInDisconnected  user=ali reason=remote
`

const repetitions = 250

// roomy lifts the CRM's limits, on both sides: what is tested is loss, doubles
// and order, and at 20 requests a second a thousand calls would outlive their
// deadlines.
func roomy(t *testing.T, ingests int) *rig {
	t.Helper()
	r := start(t, stack.Options{Ingest: ingests, Env: map[string][]string{
		"deliver": {"REAPIT_RATE=5000", "REAPIT_CONCURRENCY=16", "DEADLINE_INCOMING=5m", "DEADLINE_ANSWERED=5m"},
	}})
	r.post(r.ReapitSim()+"/control/knobs", map[string]any{"rate": 0, "concurrency": 0, "daily": 0}, nil)
	return r
}

// A thousand calls; in the middle one service is killed with kill -9 and
// started again. The CRM has every notification of every call in order, and
// CALLS is the fold of RTE.
func TestKilledServiceLosesNothing(t *testing.T) {
	t.Parallel() // most of it is waiting
	for _, victim := range []struct {
		process string
		ingests int // what a lone ingest has heard and not stored dies with it; the second hears it too
	}{
		{"ingest-1", 2},
		{"transform-1", 1},
		{"deliver-1", 1},
	} {
		t.Run(victim.process, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			r := roomy(t, victim.ingests)
			want := r.reference(victim.ingests)
			before := r.outcomes()

			done := r.play(play{Text: morning, Repeat: repetitions, Every: "100ms", Subscribers: victim.ingests})
			r.eventually(time.Minute, say("the middle of the calls"), func() bool { return r.outcomes() > before+5*repetitions })
			if err := r.Kill(victim.process); err != nil {
				t.Fatal(err)
			}
			if err := r.Restart(victim.process); err != nil {
				t.Fatal(err)
			}
			done = r.finished(done.ID)
			if len(done.CallIDs) != 4*repetitions {
				t.Fatalf("%d calls were played", len(done.CallIDs))
			}
			complete := before + uint64(strings.Count(strings.Join(want, ""), "\n")*repetitions)
			r.eventually(2*time.Minute, func() string { return fmt.Sprintf("%d outcomes of %d", r.outcomes(), complete) },
				func() bool { return r.outcomes() >= complete })
			r.compare(done.CallIDs, want, victim.process == "deliver-1")
			r.foldIsEqual()
		})
	}
}

// reference is what each of the four calls brings when nothing goes wrong.
func (r *rig) reference(subscribers int) []string {
	r.t.Helper()
	done := r.play(play{Text: morning, Wait: true, Subscribers: subscribers})
	r.settled(done)
	want := chapters(r.t, r.notifications(), done.CallIDs, false)
	for i, w := range want {
		if n := strings.Count(w, "\n"); n < 2 {
			r.t.Fatalf("call %d brought %d notifications: %q", i+1, n, w)
		}
	}
	return want
}

// compare checks every call. doubles allows a notification to have been
// repeated: between the CRM's answer and its record deliver can only repeat.
func (r *rig) compare(calls, want []string, doubles bool) {
	r.t.Helper()
	got := chapters(r.t, r.notifications(), calls, false)
	wrong, doubled := 0, 0
	for i, g := range got {
		if doubles {
			lines := strings.SplitAfter(g, "\n")
			once := slices.Compact(slices.Clone(lines))
			doubled += len(lines) - len(once)
			g = strings.Join(once, "")
		}
		if w := want[i%len(want)]; g != w {
			if wrong++; wrong <= 3 {
				r.t.Errorf("call %s brought\n%s\nwant\n%s", calls[i], g, w)
			}
		}
	}
	if wrong > 0 {
		r.t.Errorf("%d of %d calls are wrong", wrong, len(got))
	}
	if doubled > 32 {
		r.t.Errorf("%d doubles: more than may be under way or without a record", doubled)
	}
	r.t.Logf("%d calls, %d doubled", len(got), doubled)
}

// foldIsEqual asks replay whether CALLS is what RTE folds to.
func (r *rig) foldIsEqual() {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), filepath.Join(binaries, "replay"), "diff")
	cmd.Env = append(os.Environ(), r.settings("replay")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Errorf("replay diff: %v\n%s", err, out)
	}
}
