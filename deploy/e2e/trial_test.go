package e2e

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"ringstream/deploy/local/stack"
)

// trial is what helm test runs, against services wherever they are.
func (r *rig) trial(listeners int, within string) (output string, exit int) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), binaries+"/trial", "-rte="+r.RTESim(), "-reapit="+r.ReapitSim(), "-listeners="+strconv.Itoa(listeners), "-within="+within)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// The trial tells a pipeline that carries a call from one that does not.
func TestTrialTellsWhetherACallIsCarried(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := start(t, stack.Options{Ingest: 2, Transform: 2, Deliver: 2})
	if out, exit := r.trial(2, "1m"); exit != 0 || strings.Count(out, "JAS\n") != 4 {
		t.Errorf("exit %d: %s", exit, out)
	}
	if out, exit := r.trial(3, "2s"); exit != 1 || !strings.Contains(out, "subscribe") {
		t.Errorf("with one listener missing: exit %d: %s", exit, out)
	}
	for _, name := range []string{"deliver-1", "deliver-2"} {
		if err := r.Terminate(name); err != nil {
			t.Fatal(err)
		}
	}
	if out, exit := r.trial(2, "4s"); exit != 1 || !strings.Contains(out, "was told []") {
		t.Errorf("without deliver: exit %d: %s", exit, out)
	}
}
