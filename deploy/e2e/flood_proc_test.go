// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// self starts the test binary in another role.
func (w *world) self(name string, env ...string) *program {
	w.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	p := w.program(name, binary, "", env...)
	p.start()
	return p
}

// end ends everything, before the test does.
func (w *world) end() {
	w.sim.kill()
	w.nats.kill()
}

// said reports whether a process has printed something.
func (p *program) said(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(b), text)
}

// tick is the unit of the kernel's account of CPU time.
const tick = time.Second / 100

// cpu is what a process has used so far; nothing while it does not run.
func (p *program) cpu() time.Duration {
	_, text, _ := strings.Cut(p.proc("stat"), ") ") // behind its name
	fields := strings.Fields(text)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// peak is the most memory that a process has had, in bytes.
func (p *program) peak() (bytes int64) {
	_, text, _ := strings.Cut(p.proc("status"), "VmHWM:")
	_, _ = fmt.Sscan(text, &bytes)
	return bytes << 10
}

func (p *program) proc(file string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return ""
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	if err != nil {
		p.w.t.Errorf("%s: %v", p.name, err)
	}
	return string(b)
}
