package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestStartRunsEverythingAndStopEndsIt(t *testing.T) {
	o := fakes(t)
	var told buffer
	o.Ingest, o.Out = 2, &told
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	var names []string
	var pids []int
	for _, one := range s.Services() {
		names, pids = append(names, one.Name), append(pids, one.PID)
	}
	if want := []string{RTESim, ReapitSim, "ingest-1", "ingest-2", "transform-1", "deliver-1"}; !slices.Equal(names, want) {
		t.Errorf("processes %v, want %v", names, want)
	}
	env := environment(t, s, "ingest-2")
	for _, want := range []string{
		"NATS_URL=" + s.NATSURL(), "RTE_INSTANCE=ingest-2", "RTE_SUBSCRIPTIONS=user:u1,user:u2",
		"ENREACH_DISCOVERY_URL=" + s.RTESim() + "/api/user", "PARTITIONS=4", "NATS_PROVISION=verify",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("ingest-2 was not given %s", want)
		}
	}
	if !strings.Contains(told.String(), "deliver-1    ready in") {
		t.Errorf("told %q", told.String())
	}
	s.Stop()
	s.Stop() // again
	for i, pid := range pids {
		if !gone(pid) {
			t.Errorf("%s still runs", names[i])
		}
	}
	if err := available(natsPortOf(t, s)); err != nil {
		t.Errorf("NATS still listens: %v", err)
	}
}

func TestSecondRunOnTheSameData(t *testing.T) {
	o := fakes(t)
	for range 2 {
		s, err := Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		s.Stop()
	}
	o.Partitions = 8
	_, err := Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "remove it") || !strings.Contains(err.Error(), filepath.Join(o.Dir, "nats")) {
		t.Errorf("other partitions: %v", err)
	}
}

func TestTwoRunsOnOneDirectory(t *testing.T) {
	o := fakes(t)
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if _, err := Start(t.Context(), o); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "stop it") {
		t.Errorf("a second run: %v", err)
	}
}

func TestFailuresName(t *testing.T) {
	for name, c := range map[string]struct {
		program, fake string
		want          []string
	}{
		"a service that exits": {Ingest, "exits", []string{
			"ingest-1 ended by itself before it was ready: exit status 2", "ingest-1.log", "settings: ENREACH_USERNAME is missing",
		}},
		"one that says nothing":       {Deliver, "silent", []string{"deliver-1 ended", "exit status 3", "fake begins"}},
		"one that never listens":      {Transform, "mute", []string{"transform-1 is not ready after 2s", "does not answer", "transform-1.log"}},
		"one that is never ready":     {Deliver, "unready", []string{"deliver-1 is not ready after 2s: hub: not connected", "deliver-1.log"}},
		"a simulator that ends":       {RTESim, "exits", []string{"rte-sim ended by itself", "rte-sim.log"}},
		"a simulator that is no more": {ReapitSim, "mute", []string{"reapit-sim is not ready after 2s"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := fakes(t)
			o.Patience, o.Env = 2*time.Second, map[string][]string{c.program: {"FAKE=" + c.fake}}
			s, err := Start(t.Context(), o)
			if err == nil {
				s.Stop()
				t.Fatal("it started")
			}
			var failure *Failure
			if !errors.As(err, &failure) {
				t.Errorf("not a Failure: %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
}

func TestWaitingIsTold(t *testing.T) {
	o := fakes(t)
	var told buffer
	o.Out, o.Patience, o.Env = &told, sayAfter+time.Second, map[string][]string{Deliver: {"FAKE=unready"}}
	if s, err := Start(t.Context(), o); err == nil {
		s.Stop()
		t.Fatal("it started")
	}
	if !strings.Contains(told.String(), "waiting for deliver-1: hub: not connected") {
		t.Errorf("told %q", told.String())
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	o := fakes(t)
	o.Env = map[string][]string{Deliver: {"FAKE=mute"}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Start(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestMissingBinaries(t *testing.T) {
	o := fakes(t)
	o.Bin = binaries(t, RTESim, Ingest, Transform)
	_, err := Start(t.Context(), o)
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "reapit-sim, deliver; run make build") {
		t.Errorf("%v", err)
	}
}

func TestPortInUse(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	o := fakes(t)
	o.NATSPort = busy.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("give port %d to NATS", o.NATSPort)) {
		t.Errorf("%v", err)
	}
}

func TestKillAndRestart(t *testing.T) {
	s := started(t, fakes(t))
	before, _ := s.Service("transform-1")
	if err := s.Kill("transform-1"); err != nil {
		t.Fatal(err)
	}
	if dead, _ := s.Service("transform-1"); dead.PID != 0 || !gone(before.PID) {
		t.Errorf("killed, and has pid %d", dead.PID)
	}
	if err := s.Kill("transform-1"); err == nil {
		t.Error("killed a dead process")
	}
	if err := s.Restart("transform-1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart("transform-1"); err != nil { // while it runs
		t.Fatal(err)
	}
	after, _ := s.Service("transform-1")
	if after.PID == 0 || after.PID == before.PID || after.URL != before.URL {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if err := s.Launch("transform-1"); !errors.Is(err, ErrRunning) {
		t.Errorf("launched twice: %v", err)
	}
	if err := s.Kill("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("killed nobody: %v", err)
	}
	select {
	case err := <-s.Failed():
		t.Errorf("what was asked for is a failure: %v", err)
	default:
	}
}

// A setting that is given to a running process counts from its next start on.
func TestSetCountsFromTheNextStart(t *testing.T) {
	o := fakes(t)
	o.Env = map[string][]string{Deliver: {"REAPIT_RATE=20"}}
	s := started(t, o)
	if err := s.Set("deliver-1", "REAPIT_RATE=5"); err != nil {
		t.Fatal(err)
	}
	if now := environment(t, s, "deliver-1"); !slices.Contains(now, "REAPIT_RATE=20") {
		t.Errorf("the running one has %v", now)
	}
	if err := s.Restart("deliver-1"); err != nil {
		t.Fatal(err)
	}
	if now := environment(t, s, "deliver-1"); !slices.Contains(now, "REAPIT_RATE=5") || slices.Contains(now, "REAPIT_RATE=20") {
		t.Errorf("the next one has %v", now)
	}
	if err := s.Set("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("nobody was given settings: %v", err)
	}
}

func TestTerminate(t *testing.T) {
	s := started(t, fakes(t))
	if err := s.Signal("ingest-1", syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := s.Terminate("ingest-1"); err != nil {
		t.Errorf("a stopped process: %v", err)
	}
}

func TestTerminateKillsTheStubborn(t *testing.T) {
	o := fakes(t)
	o.Grace, o.Env = time.Second, map[string][]string{Deliver: {"FAKE=stubborn"}}
	s := started(t, o)
	if err := s.Terminate("deliver-1"); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("a stubborn process: %v", err)
	}
}

func TestAnEndThatNobodyAskedFor(t *testing.T) {
	s := started(t, fakes(t))
	one, _ := s.Service("ingest-1")
	if err := syscall.Kill(one.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.Failed():
		if !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "ingest-1 ended by itself: signal: killed") {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody told")
	}
}

func TestNATSComesBackWithItsData(t *testing.T) {
	s := started(t, fakes(t))
	url := s.NATSURL()
	s.StopNATS()
	if available(natsPortOf(t, s)) != nil {
		t.Error("it still listens")
	}
	if err := s.StartNATS(); err != nil {
		t.Fatal(err)
	}
	if err := s.StartNATS(); !errors.Is(err, ErrRunning) {
		t.Errorf("started twice: %v", err)
	}
	if s.NATSURL() != url {
		t.Errorf("was %s, is %s", url, s.NATSURL())
	}
	// Verify accepts what Create made before.
	if err := s.nats.provision(t.Context(), s.options.Partitions); err != nil {
		t.Error(err)
	}
}

func started(t *testing.T, o Options) *Stack {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func environment(t *testing.T, s *Stack, name string) []string {
	t.Helper()
	one, _ := s.Service(name)
	response, err := http.Get(one.URL + "/env")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(body), "\n")
}

// gone reports whether no such process is there any more.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func natsPortOf(t *testing.T, s *Stack) int {
	t.Helper()
	return s.nats.opts.Port
}

// buffer is written to by many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
