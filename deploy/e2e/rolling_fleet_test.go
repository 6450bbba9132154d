//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// fleet is two replicas of each service between both simulators, rolled as
// Kubernetes rolls what the chart installs.
type fleet struct {
	*desk
	settings map[string][]string // of a service
	pods     map[string][]*program
	born     map[string]int
	book     *leaseBook
	ends     []ending
}

// ending is how a replica ended that was asked to.
type ending struct {
	name, service   string
	signalled, gone time.Time
}

// rolledOver are the services in the order in which a release's roll-outs are seen
// here, one after the other.
var rolledOver = []string{stack.Ingest, stack.Transform, stack.Deliver}

// readsAtStart is what a replica asks Reapit when it starts: no part of the budget of
// the one that delivers.
const readsAtStart = 4

// newFleet has both simulators and NATS. What Reapit allows is what is promised and
// what replicas read at their start.
func newFleet(t testing.TB, p promised, o office) *fleet {
	t.Helper()
	f := newFleetAt(newDesk(t, p.withReads(), o))
	f.book = watchLeases(f.desk)
	return f
}

// withReads is what Reapit has to allow.
func (p promised) withReads() promised {
	p.rate, p.concurrency = p.rate+readsAtStart, p.concurrency+readsAtStart
	return p
}

// newFleetAt is one where there is all but the hub and the services.
func newFleetAt(d *desk, hub ...string) *fleet {
	t := d.t
	t.Helper()
	f := &fleet{desk: d, pods: map[string][]*program{}, born: map[string]int{}}
	f.control("knobs", fmt.Sprintf(`{"rate":%d,"concurrency":%d}`, d.rate, d.concurrency), nil)
	f.control("latency", `{"meanMs":60,"jitterMs":30}`, nil)
	f.startHub(hub...)
	var subscriptions []string
	for _, o := range d.offices {
		for _, u := range append(slices.Clone(o.staff), o.stranger()) {
			subscriptions = append(subscriptions, "user:"+u.UserID)
		}
	}
	f.settings = map[string][]string{
		stack.Ingest:    {"RTE_SUBSCRIPTIONS=" + strings.Join(subscriptions, ",")},
		stack.Transform: {"LEASE_TTL=" + leaseTTL.String()},
		stack.Deliver: append(d.deadlineSettings(), f.tenancy(), "LEASE_TTL="+leaseTTL.String(), fmt.Sprintf("REAPIT_SHARED_TOKEN=%t", len(d.offices) > 1),
			fmt.Sprintf("REAPIT_RATE=%d", d.rate-readsAtStart), fmt.Sprintf("REAPIT_CONCURRENCY=%d", d.concurrency-readsAtStart)),
	}
	for service := range f.settings {
		f.settings[service] = append(f.settings[service], fmt.Sprintf("SHUTDOWN_TIMEOUT=%ds", shutdownSeconds(t, service)))
	}
	return f
}

// shutdownSeconds are those of a service in the chart.
func shutdownSeconds(t testing.TB, service string) (seconds int) {
	t.Helper()
	values, err := os.ReadFile("../chart/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)\n` + service + `:\n.*?\n  shutdownSeconds: (\d+)\n`).FindSubmatch(values)
	if found == nil {
		t.Fatalf("the chart's values say no shutdownSeconds of %s", service)
	}
	_, _ = fmt.Sscan(string(found[1]), &seconds) // digits
	return seconds
}

// open starts two replicas of each service.
func (f *fleet) open(build string) {
	f.t.Helper()
	for _, service := range rolledOver {
		for range 2 {
			p := f.pod(service, build)
			p.start()
			f.pods[service] = append(f.pods[service], p)
		}
	}
	for _, service := range rolledOver {
		for _, p := range f.pods[service] {
			f.eventually(time.Minute, p.name, p.ready)
		}
	}
}

// pod is a new replica, under a name of its own, that is not started yet.
func (f *fleet) pod(service, build string) (p *program) {
	f.t.Helper()
	f.born[service]++
	name, addr := fmt.Sprintf("%s-%d", service, f.born[service]), fmt.Sprintf("127.0.0.1:%d", freePort(f.t))
	switch service {
	case stack.Ingest:
		p = f.listener(name, f.settings[service]...)
	case stack.Deliver:
		p = f.candidate(name, f.settings[service]...)
	default:
		p = f.program(name, "", "http://"+addr, slices.Concat(stack.Settings(f.as(service)), []string{
			"HTTP_ADDR=" + addr, "TRANSFORM_INSTANCE=" + name, "NATS_PROVISION=verify", fmt.Sprintf("PARTITIONS=%d", deskPartitions), "LOG_FORMAT=text",
		}, f.settings[service])...)
	}
	p.bin = filepath.Join(build, service)
	return p
}

// roll replaces both replicas of a service, one after the other, and returns when
// that was.
func (f *fleet) roll(service, build string, rest time.Duration) span {
	f.t.Helper()
	during := span{from: time.Now()}
	if service == stack.Ingest {
		f.rollSet(build, rest)
	} else {
		f.rollDeployment(service, build, rest)
	}
	during.until = time.Now()
	return during
}

// rollSet replaces the replicas of ingest as a StatefulSet does: the last one
// first; each ends before it comes again, under its name, with its spool.
func (f *fleet) rollSet(build string, rest time.Duration) {
	f.t.Helper()
	for _, p := range slices.Backward(f.pods[stack.Ingest]) {
		f.end(stack.Ingest, p)
		p.bin = filepath.Join(build, stack.Ingest)
		f.come(p)
		wait(f.t.Context(), rest)
	}
}

// rollDeployment replaces replicas as a Deployment does (maxSurge 1, maxUnavailable
// 0): the new one is ready before an old one is asked to end, and nobody waits
// for that end.
func (f *fleet) rollDeployment(service, build string, rest time.Duration) {
	f.t.Helper()
	var leaving sync.WaitGroup
	for i, old := range f.pods[service] {
		f.pods[service][i] = f.pod(service, build)
		f.come(f.pods[service][i])
		leaving.Go(func() { f.end(service, old) })
		wait(f.t.Context(), rest)
	}
	leaving.Wait()
}

// rollTogether replaces the replicas of all services at the same time, as the upgrade
// of a release does, and returns when that was.
func (f *fleet) rollTogether(build string, rest time.Duration) span {
	f.t.Helper()
	during := span{from: time.Now()}
	var leaving sync.WaitGroup
	for i := range 2 {
		var changing sync.WaitGroup
		listener := f.pods[stack.Ingest][1-i]
		changing.Go(func() {
			f.end(stack.Ingest, listener)
			listener.bin = filepath.Join(build, stack.Ingest)
			listener.start()
		})
		fresh := map[string]*program{stack.Transform: f.pod(stack.Transform, build), stack.Deliver: f.pod(stack.Deliver, build)}
		for _, p := range fresh {
			p.start()
		}
		changing.Wait()
		f.arrived(listener)
		for service, p := range fresh {
			f.arrived(p)
			old := f.pods[service][i]
			leaving.Go(func() { f.end(service, old) })
			f.pods[service][i] = p
		}
		wait(f.t.Context(), rest)
	}
	leaving.Wait()
	during.until = time.Now()
	return during
}

func (f *fleet) come(p *program) {
	f.t.Helper()
	p.start()
	f.arrived(p)
}

// arrived waits until a replica is ready, and is of the build that it ought to be of.
func (f *fleet) arrived(p *program) {
	f.t.Helper()
	f.eventually(time.Minute, p.name, p.ready)
	var said struct{ Version string }
	f.get(p.url+"/version", &said)
	if ours := said.Version == secondVersion; ours != (filepath.Dir(p.bin) != filepath.Clean(binaries)) {
		f.t.Errorf("%s says that it is %q", p.name, said.Version)
	}
}

// end asks a replica to end and waits until it has. It exits with 0, or the test fails.
func (f *fleet) end(service string, p *program) {
	if service == stack.Ingest {
		f.heardAll(p)
	}
	e := ending{name: p.name, service: service, signalled: time.Now()}
	p.stop()
	e.gone = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, e)
}

// heardAll asks a replica of ingest whether it has lost anything, or missed what the
// other one was sent.
func (f *fleet) heardAll(p *program) {
	for _, name := range []string{"ringstream_ingest_lost_messages_total", "ringstream_ingest_unheard_total"} {
		if n := p.metric(name); n != "0" {
			f.t.Errorf("%s: %s is %q", p.name, name, n)
		}
	}
}

// close ends every replica in order.
func (f *fleet) close() {
	for _, p := range f.pods[stack.Ingest] {
		f.heardAll(p)
	}
	for _, service := range rolledOver {
		for _, p := range f.pods[service] {
			p.stop()
		}
	}
}

// ring has the hub play the shift, window after window, until ctx ends.
func (f *fleet) ring(ctx context.Context, s shift) (windows []playing) {
	tick := time.NewTicker(s.window)
	defer tick.Stop()
	for ctx.Err() == nil {
		var started playing
		f.exchange(f.sim.url+"/control/play", play{Text: s.text, Subscribers: 1, All: true}, &started)
		windows = append(windows, started)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return windows
}

// rung waits until the hub has played a window to its end, or the test is over.
func (f *fleet) rung(p playing) {
	f.t.Helper()
	f.eventually(3*time.Minute, "the last call to be over", func() bool {
		if f.t.Context().Err() != nil {
			return true
		}
		var now []playing
		f.get(f.sim.url+"/control/playing?id="+p.ID, &now)
		return len(now) == 1 && now[0].Finished != nil
	})
}

const secondVersion = "second"

// secondBuild builds the services as another version, meanwhile; the returned
// function waits for it.
func secondBuild(t testing.TB, flags ...string) (ready func() (dir string)) {
	if *rollingOld != "" {
		return nil // that is the other one
	}
	dir, done := t.TempDir(), make(chan error, 1)
	build := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-C", "../.."}, flags, []string{
		"-ldflags", "-s -w -X ringstream/schemas/program.version=" + secondVersion,
		"-o", dir + "/", "./ingest/cmd/ingest", "./transform/cmd/transform", "./deliver/cmd/deliver",
	})...)
	var said bytes.Buffer
	build.Stdout, build.Stderr = &said, &said
	go func() { done <- build.Run() }()
	return func() string {
		t.Helper()
		if err := <-done; err != nil {
			t.Fatalf("build another version: %v\n%s", err, &said)
		}
		return dir
	}
}

// foldIsEqual asks replay whether CALLS is what RTE folds to.
func (f *fleet) foldIsEqual() {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), filepath.Join(binaries, "replay"), "diff", "--wait", "10s")
	cmd.Env = append(stack.Settings(f.as("replay")), "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Errorf("replay diff: %v\n%s", err, out)
	}
}

// rawIsWhole finds raw events that RTE has not exactly once.
func (f *fleet) rawIsWhole(events int) (found []finding) {
	f.t.Helper()
	times := map[string]int{}
	f.everything(topology.RTE, "rte.>", func(m bus.Message) error {
		times[m.Header.Get("ce-id")]++
		return nil
	})
	for id, n := range times {
		if n > 1 {
			found = append(found, finding{where: topology.RTE, kind: doubledEvent, id: id, note: fmt.Sprintf("%d times", n)})
		}
	}
	if len(times) != events {
		found = append(found, finding{where: topology.RTE, kind: missingEvent, note: fmt.Sprintf("%d raw events, the hub made %d", len(times), events)})
	}
	return found
}
