package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one program that can be started again and again, with one log.
type process struct {
	plan
	bin, log string
	spawn    *spawner
	ended    func(*process, error) // is told of an end that nobody asked for

	mu   sync.Mutex
	life *life // nil before the first start
}

// life is one run of a process.
type life struct {
	cmd    *exec.Cmd
	from   int64         // where in the log it begins
	done   chan struct{} // closed when it is gone
	err    error         // how it ended; to be read when done
	wanted bool          // somebody asked for the end
}

func (l *life) running() bool {
	if l == nil {
		return false
	}
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

func newProcess(p plan, o Options, spawn *spawner, ended func(*process, error)) *process {
	return &process{
		plan: p, bin: filepath.Join(o.Bin, p.program), log: filepath.Join(o.logs(), p.name+".log"),
		spawn: spawn, ended: ended,
	}
}

func (p *process) launch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.running() {
		return fmt.Errorf("start %s: %w", p.name, ErrRunning)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	cmd := exec.Command(p.bin) //nolint:noctx // it outlives whoever asked for it; Stop ends it
	l := &life{cmd: cmd, from: from, done: make(chan struct{})}
	l.cmd.Env, l.cmd.Dir = p.env, filepath.Dir(filepath.Dir(p.log))
	l.cmd.Stdout, l.cmd.Stderr, l.cmd.SysProcAttr = log, log, attributes()
	if err := p.spawn.start(l.cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.life = l
	go p.reap(l)
	return nil
}

func (p *process) reap(l *life) {
	err := l.cmd.Wait()
	p.mu.Lock()
	l.err = err
	wanted := l.wanted
	close(l.done)
	p.mu.Unlock()
	if !wanted {
		p.ended(p, err)
	}
}

// present is the newest life, which may have ended, or nil.
func (p *process) present() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// signal sends sig to a living process; farewell says that it is meant to end of it.
func (p *process) signal(sig os.Signal, farewell bool) (*life, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.life.running() {
		return nil, fmt.Errorf("%s is not running", p.name)
	}
	p.life.wanted = p.life.wanted || farewell
	if err := p.life.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("signal %s: %w", p.name, err)
	}
	return p.life, nil
}

func (p *process) kill() error {
	l, err := p.signal(syscall.SIGKILL, true)
	if err == nil {
		<-l.done
	}
	return err
}

// terminate asks a process to end and kills it when it does not. It reports
// whether it ended by itself.
func (p *process) terminate(grace time.Duration) bool {
	l, err := p.signal(syscall.SIGTERM, true)
	if err != nil {
		return true // it is gone
	}
	_, _ = p.signal(syscall.SIGCONT, true) // a stopped one does not hear SIGTERM
	select {
	case <-l.done:
		return true
	case <-time.After(grace):
		_ = p.kill()
		return false
	}
}

const (
	tailLines = 12
	tailBytes = 16 << 10
)

// failure adds what the process last wrote.
func (p *process) failure(err error) error {
	return &Failure{Process: p.name, Log: p.log, Tail: p.tail(), Err: err}
}

func (p *process) tail() []string {
	l := p.present()
	content, err := os.ReadFile(p.log)
	if err != nil || l == nil || int64(len(content)) < l.from {
		return nil
	}
	content = bytes.TrimSpace(content[l.from:])
	content = content[max(0, len(content)-tailBytes):]
	if len(content) == 0 {
		return nil
	}
	lines := strings.Split(string(content), "\n")
	return lines[max(0, len(lines)-tailLines):]
}
