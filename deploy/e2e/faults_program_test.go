// A full disk is a limit that only Linux can set for another process.

//go:build linux

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// program is one process that is started again and again.
type program struct {
	w         *world
	name, bin string
	url       string
	args, env []string
	log       string
	lax       bool // what it is hurt by may keep it from ending in order
	stays     bool // it ends by nothing but a signal

	mu     sync.Mutex
	cmd    *exec.Cmd
	failed int // to end in order
}

func (w *world) program(name, bin, url string, env ...string) *program {
	p := &program{w: w, name: name, bin: bin, url: url, env: env, log: filepath.Join(w.dir, name+".log")}
	w.t.Cleanup(p.kill)
	return p
}

// spawner runs what it is given on one thread that lives as long as the tests: a
// process that asks for a signal at its parent's death gets it when the thread
// that started it ends.
var spawner = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

func (p *program) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.w.t.Error(err)
		return
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, p.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it does not outlive the tests, however they end
	started := make(chan error, 1)
	spawner() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		p.w.t.Errorf("start %s: %v", p.name, err)
		p.cmd = nil
	}
}

func (p *program) kill() { p.end(syscall.SIGKILL) }
func (p *program) stop() { p.end(syscall.SIGTERM) }

func (p *program) end(how syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(how)
	err := p.cmd.Wait()
	if err != nil && how == syscall.SIGTERM {
		if p.failed++; !p.lax {
			p.w.t.Errorf("%s ended with %v", p.name, err)
		}
	}
	if status, is := p.cmd.ProcessState.Sys().(syscall.WaitStatus); is && p.stays && how == syscall.SIGKILL && !status.Signaled() {
		p.w.t.Errorf("%s had ended by itself before it was killed, with %v; %s may say why", p.name, p.cmd.ProcessState, p.log)
	}
	p.cmd = nil
}

func (p *program) pause()  { p.signal(syscall.SIGSTOP) }
func (p *program) resume() { p.signal(syscall.SIGCONT) }

func (p *program) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.w.t.Errorf("%s: %v", p.name, err)
	}
}

// fill lets the process write no more to any file, as if its disk were full.
func (p *program) fill(full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if full {
		limit.Cur = 0
	}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		p.w.t.Errorf("limit the files of %s: %v", p.name, err)
	}
}

func (p *program) ready() bool { return p.w.ask(p.url+"/readyz", nil) == nil }

func (p *program) metric(name string) string {
	var text bytes.Buffer
	if p.w.ask(p.url+"/metrics", &text) != nil {
		return ""
	}
	for line := range strings.Lines(text.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
