package stack

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one thread that lives as long as they may: on
// Linux a child that asked for a signal at its parent's death gets it when the
// thread that started it ends.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	runtime.LockOSThread()
	for job := range s.jobs {
		job()
	}
}

func (s *spawner) start(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	s.jobs <- func() { started <- cmd.Start() }
	return <-started
}

func (s *spawner) stop() {
	close(s.jobs)
	<-s.done
}
