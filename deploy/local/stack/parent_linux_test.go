package stack

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ringstream/schemas/bustest"
)

func TestNothingOutlivesAKilledParent(t *testing.T) {
	bin := binaries(t, RTESim, ReapitSim, Ingest, Transform, Deliver, parent)
	cmd := exec.Command(filepath.Join(bin, parent))
	cmd.Env = append(os.Environ(), "PARENT_DIR="+t.TempDir())
	cmd.SysProcAttr = attributes()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "started" {
		pid, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "pid "))
		if err != nil {
			t.Fatal(lines.Text())
		}
		pids = append(pids, pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if len(pids) != 5 {
		t.Fatalf("it had %d processes", len(pids))
	}
	for _, pid := range pids {
		bustest.Eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool { return gone(pid) || zombie(pid) })
	}
}

// zombie is a process that has ended and was not waited for by whoever is now its parent.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
