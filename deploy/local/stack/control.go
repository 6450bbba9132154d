package stack

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
)

// NATSURL is where clients connect; it stays the same over StopNATS and StartNATS.
func (s *Stack) NATSURL() string { return s.nats.url() }

// RTESim is the URL of Enreach's simulator, empty without one.
func (s *Stack) RTESim() string { return s.rteSim }

// ReapitSim is the URL of Reapit's simulator, empty without one.
func (s *Stack) ReapitSim() string { return s.reapitSim }

// LogDir is where each process has its log.
func (s *Stack) LogDir() string { return s.options.logs() }

// Services lists the processes in the order of their start.
func (s *Stack) Services() []Service {
	var all []Service
	for _, p := range s.all() {
		all = append(all, p.service())
	}
	return all
}

// Service finds a process by its name.
func (s *Stack) Service(name string) (Service, bool) {
	p, err := s.find(name)
	if err != nil {
		return Service{}, false
	}
	return p.service(), true
}

func (p *process) service() Service {
	one := Service{Name: p.name, Program: p.program, URL: p.url(), Log: p.log}
	if l := p.present(); l.running() {
		one.PID = l.cmd.Process.Pid
	}
	return one
}

func (s *Stack) find(name string) (*process, error) {
	for _, p := range s.all() {
		if p.name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
}

// Kill ends a process as kill -9 does and returns when it is gone.
func (s *Stack) Kill(name string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	return p.kill()
}

// Terminate asks a process to end and returns when it is gone; one that
// outstays the grace is killed, which is an error.
func (s *Stack) Terminate(name string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	if !p.terminate(s.options.Grace) {
		return p.failure(fmt.Errorf("did not end within %s and was killed", s.options.Grace))
	}
	return nil
}

// Signal sends a signal that is not meant to end the process, such as SIGSTOP.
func (s *Stack) Signal(name string, sig os.Signal) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	_, err = p.signal(sig, false)
	return err
}

// Launch starts a process that was ended and does not wait for it.
func (s *Stack) Launch(name string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	return p.launch()
}

// Await returns once a process is ready.
func (s *Stack) Await(ctx context.Context, name string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	return p.await(ctx, s.options.Patience, s.say)
}

// Restart kills a process if it runs, starts it again with the same port and
// settings and returns once it is ready.
func (s *Stack) Restart(name string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	if p.present().running() {
		if err := p.kill(); err != nil {
			return err
		}
	}
	if err := p.launch(); err != nil {
		return err
	}
	return p.await(context.Background(), s.options.Patience, s.say)
}

// Set adds settings, as NAME=value, to those of a process. They win over those
// it had, from its next start on.
func (s *Stack) Set(name string, env ...string) error {
	p, err := s.find(name)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env = p.with(env...).env
	return nil
}

// StopNATS stops the server in order; data and port stay.
func (s *Stack) StopNATS() { s.nats.stop() }

// StartNATS starts it again.
func (s *Stack) StartNATS() error { return s.nats.start() }

// Stop ends everything and returns when it is gone: the services first, then
// the simulators they talk to, then NATS. It may be called again.
func (s *Stack) Stop() { s.once.Do(s.stop) }

func (s *Stack) stop() {
	services := s.all()
	first := slices.IndexFunc(services, func(p *process) bool { return p.program != RTESim && p.program != ReapitSim })
	if first < 0 {
		first = len(services)
	}
	s.terminate(services[first:])
	s.terminate(services[:first])
	if s.nats != nil {
		s.nats.stop()
	}
	s.spawn.stop()
	_ = s.lock.Close() // which gives the directory back
}

func (s *Stack) terminate(processes []*process) {
	var ending sync.WaitGroup
	for _, p := range processes {
		ending.Go(func() {
			if !p.terminate(s.options.Grace) {
				s.say("  %s did not end within %s and was killed; see %s\n", p.name, s.options.Grace, p.log)
			}
		})
	}
	ending.Wait()
}
