package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// command runs a program as a user of the bus.
func (r *rig) command(user, program string, args ...string) (said string, ok bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, program), args...)
	cmd.Env = r.settings(user, "NATS_PROVISION=create")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// The provisioner makes all that there is, and finds it made.
func TestProvisionerProvisions(t *testing.T) {
	r := start(t, stack.Options{Bare: true})
	for range 2 {
		if said, ok := r.command("provisioner", "transform", "provision"); !ok || !strings.Contains(said, "ok  bucket ringstream-negotiators") {
			t.Errorf("provision: %s", said)
		}
	}
}

// Who looks after dead letters does it as deliver, which he asks to try them again.
func TestDeadLettersAreTriedAgain(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := start(t, stack.Options{})
	r.post(r.ReapitSim()+"/control/faults", map[string]any{"match": map[string]string{"path": "/notifications"}, "times": 1000, "action": map[string]int{"status": 422}}, nil)
	done := r.play(play{Text: "-- call --\ncaller=+447700900100 called=+442071838750\n+0s UserCallInUserAllocated user=jane\n+0.3s UserCallInDisconnected user=jane reason=remote\n", Wait: true})
	r.eventually(time.Minute, say("two outcomes"), func() bool { return r.outcomes() >= 2 })
	if said, ok := r.command("deliver", "deliver", "deadletters", "list", "--call", done.CallIDs[0]); !ok || strings.Count(said, "rejected") < 2 {
		t.Fatalf("deadletters list: %s", said)
	}
	r.exchange("DELETE", r.ReapitSim()+"/control/faults", nil, nil)
	said, _ := r.command("deliver", "deliver", "deadletters", "redrive", "--call", done.CallIDs[0], "--yes") // what misleads by now is not tried
	if got := r.notifications(); len(got) != 1 || got[0].SubType != "missedCall" {
		t.Errorf("it said %s\nand of the call came %+v", said, got)
	}
}
