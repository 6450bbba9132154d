package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Stack is everything that runs. Its methods may be called from many
// goroutines, except that those that change one process, or NATS, must not meet.
type Stack struct {
	options Options
	nats    *natsNode
	spawn   *spawner
	lock    *os.File
	failed  chan error
	once    sync.Once

	rteSim, reapitSim string // URLs, empty without

	mu        sync.Mutex
	processes []*process // in the order of their start
	saying    sync.Mutex
}

// Service is where a process can be reached.
type Service struct {
	Name    string // ingest-1
	Program string // ingest
	URL     string // of its probes, or of the simulator
	PID     int    // 0 while it does not run
	Log     string // its log file
}

// Start starts NATS, provisions the streams, and starts simulators and
// services; it returns when all are ready. On failure nothing is left running,
// and the error tells of the process, its last words and its log. The end of
// ctx ends the waiting, not the stack.
func Start(ctx context.Context, o Options) (*Stack, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.logs(), 0o750); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	held, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Stack{options: o, lock: held, spawn: newSpawner(), failed: make(chan error, 1)}
	if err := s.start(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	if err := clearLogs(s.options.logs()); err != nil {
		return err
	}
	free := newPorts(s.options.FirstPort)
	if err := s.startBus(ctx, free); err != nil || s.options.Bare {
		return err
	}
	p := &planner{options: s.options, inherited: inherit(os.Environ(), s.options), nats: s.nats.url(), port: free.free}
	sims, err := p.sims()
	if err != nil {
		return err
	}
	s.rteSim, s.reapitSim = p.rteSim, p.reapitSim
	if err := s.run(ctx, sims); err != nil {
		return err
	}
	subscriptions, err := s.subscriptions(ctx)
	if err != nil {
		return err
	}
	services, err := p.services(subscriptions)
	if err != nil {
		return err
	}
	return s.run(ctx, services)
}

// clearLogs forgets what earlier runs wrote.
func clearLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clear logs: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".log") {
			continue
		}
		if err := os.Remove(dir + "/" + e.Name()); err != nil {
			return fmt.Errorf("clear logs: %w", err)
		}
	}
	return nil
}

func (s *Stack) startBus(ctx context.Context, free *ports) error {
	begun := time.Now()
	node, note, err := newNATS(s.options, free.free)
	if err != nil {
		return err
	}
	if note != "" {
		s.say("  %s\n", note)
	}
	s.nats = node
	if err := node.start(); err != nil {
		return err
	}
	if !s.options.Bare {
		if err := node.provision(ctx, s.options.Partitions); err != nil {
			return err
		}
	}
	s.say("  %-12s ready in %4.1f s  %s\n", "NATS", time.Since(begun).Seconds(), node.url())
	return nil
}

// run starts processes together and waits for every one. The first failure ends the waiting.
func (s *Stack) run(ctx context.Context, plans []plan) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var waiting sync.WaitGroup
	for _, one := range plans {
		p := newProcess(one, s.options, s.spawn, s.ended)
		if err := p.launch(); err != nil {
			cancel(err)
			break
		}
		s.mu.Lock()
		s.processes = append(s.processes, p)
		s.mu.Unlock()
		waiting.Go(func() {
			if err := s.ready(ctx, p); err != nil {
				cancel(err)
			}
		})
	}
	waiting.Wait()
	return context.Cause(ctx)
}

func (s *Stack) ready(ctx context.Context, p *process) error {
	begun := time.Now()
	if err := p.await(ctx, s.options.Patience, s.say); err != nil {
		return err
	}
	s.say("  %-12s ready in %4.1f s  %s\n", p.name, time.Since(begun).Seconds(), p.url())
	return nil
}

// ended hears of a process that nobody asked to end.
func (s *Stack) ended(p *process, err error) {
	select {
	case s.failed <- p.failure(fmt.Errorf("%w: %s", ErrEnded, ending(err))):
	default: // one is enough to tell
	}
}

// Failed tells of the first process that ended and was not asked to.
func (s *Stack) Failed() <-chan error { return s.failed }

// subscriptions names every user that the simulator knows.
func (s *Stack) subscriptions(ctx context.Context) (string, error) {
	if s.rteSim == "" {
		return "", nil
	}
	var directory struct{ Users []struct{ ID string } }
	if err := get(ctx, s.rteSim+"/control/directory", &directory); err != nil {
		return "", fmt.Errorf("read the simulator's users: %w", err)
	}
	var items []string
	for _, u := range directory.Users {
		items = append(items, "user:"+u.ID)
	}
	return strings.Join(items, ","), nil
}

func get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

func (s *Stack) say(format string, args ...any) {
	s.saying.Lock()
	defer s.saying.Unlock()
	fmt.Fprintf(s.options.Out, format, args...)
}

func (s *Stack) all() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.processes)
}
