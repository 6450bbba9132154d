package replay

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/schemas/bustest"
)

// What a gate does when so much has passed.
const (
	open   = "stays open"
	cut    = "is cut"
	frozen = "only stands there"
	blip   = "is cut and comes back"
)

// gate stands between replay and its server, and lets so many bytes of the
// server's pass.
type gate struct {
	net.Listener
	to, mode string

	mu     sync.Mutex
	conns  []net.Conn
	left   int
	passed int
	shut   bool
}

func newGate(t *testing.T, to, mode string, left int) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l, to: strings.TrimPrefix(to, "nats://"), mode: mode, left: left}
	var serving sync.WaitGroup
	serving.Go(func() { g.serve(&serving) })
	t.Cleanup(func() {
		_ = l.Close()
		g.drop()
		serving.Wait()
	})
	return g
}

func (g *gate) url() string { return "nats://" + g.Addr().String() }

func (g *gate) serve(serving *sync.WaitGroup) {
	for {
		client, err := g.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", g.to)
		if err != nil || !g.admit(client, server) {
			_ = client.Close()
			continue
		}
		serving.Go(func() { g.copy(client, server, false) })
		serving.Go(func() { g.copy(server, client, true) })
	}
}

func (g *gate) admit(client, server net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns = append(g.conns, server); g.shut && g.mode == cut {
		return false
	}
	g.conns = append(g.conns, client)
	return true
}

func (g *gate) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		_ = c.Close()
	}
	g.conns = nil
}

func (g *gate) copy(from, to net.Conn, counts bool) {
	defer func() { _ = to.Close() }()
	b := make([]byte, 512)
	for {
		n, err := from.Read(b)
		if counts {
			n = g.count(n)
		}
		if g.stands() { // else nobody hears of it
			if _, bad := to.Write(b[:n]); bad != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// count is how much of n bytes may pass.
func (g *gate) count(n int) int {
	g.mu.Lock()
	if g.passed += n; g.shut || g.mode == open || g.left > n {
		g.left -= n
		g.mu.Unlock()
		return n
	}
	n, g.shut = max(0, g.left), true
	g.mu.Unlock()
	if g.mode != frozen {
		g.drop()
	}
	return n
}

// all is how much of the server's passed.
func (g *gate) all() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.passed
}

func (g *gate) stands() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.shut || g.mode != frozen
}

// through runs replay with little patience. It has no deadline, as nobody who calls
// it has: what is asked of the server within one may take all of it.
func through(ctx context.Context, g *gate, now time.Time, args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(time.Minute, cancel).Stop()
	code = Main(ctx, append(args, "--server", g.url()), IO{Out: &stdout, Err: &stderr, Now: now, Patience: 4 * time.Second})
	return stdout.String(), stderr.String(), code
}

// seat is for one of several at a time.
func seat(seats chan struct{}) (leave func()) {
	seats <- struct{}{}
	return func() { <-seats }
}

// A server that goes away in the middle of anything, for good or not, never makes
// half of an answer look like all of it.
func TestTheServerGoesAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	scenes, _, now := r.lived()
	printed := filepath.Join(t.TempDir(), "printed")
	if out, errs, code := r.replay("run", "-o", "json"); code != Clean {
		t.Fatal(errs)
	} else if err := os.WriteFile(printed, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	var cases sync.WaitGroup
	seats := make(chan struct{}, 24)
	for _, args := range [][]string{
		{"run"},
		{"diff", "--wait", "1s"},
		{"diff", "--against", printed},
		{"coverage"},
		{"explain", "call", scenes[0].id},
		{"explain", "user", "jane@agency.example", "--at", now.Format(time.RFC3339Nano)},
	} {
		whole := newGate(t, r.server.URL(), open, 0)
		want, errs, wanted := through(t.Context(), whole, now, args...)
		if wanted == Trouble || errs != "" {
			t.Fatalf("%v: exit %d, %s", args, wanted, errs)
		}
		for _, mode := range []string{cut, frozen, blip} {
			for part := range 3 {
				g := newGate(t, r.server.URL(), mode, (whole.all()*(2*part+1))/6)
				cases.Go(func() {
					defer seat(seats)()
					out, errs, code := through(t.Context(), g, now, args...)
					is := fmt.Sprintf("%v, the server %s after %d/6 of %d bytes: exit %d, %s", args, mode, 2*part+1, whole.all(), code, errs)
					switch {
					case code == wanted && out == want:
					case mode == blip:
						t.Errorf("%s; want exit %d, and %d bytes of answer, not %d", is, wanted, len(want), len(out))
					case code != Trouble || !strings.Contains(errs, "the connection to NATS was lost") && !strings.Contains(errs, "is a server running there?"):
						t.Errorf("%s", is)
					}
				})
			}
		}
	}
	cases.Wait()
}

// Of an export that is cut off no file is left.
func TestTheServerGoesAwayUnderAnExport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	now := time.Now()
	want, _, _ := r.replay("run")
	whole := newGate(t, r.server.URL(), open, 0)
	if _, errs, code := through(t.Context(), whole, now, "export", "--since", "1h", "-o", filepath.Join(t.TempDir(), "whole")); code != Clean {
		t.Fatal(errs)
	}
	var cases sync.WaitGroup
	for _, mode := range []string{cut, frozen, blip} {
		for part := range 4 {
			g := newGate(t, r.server.URL(), mode, whole.all()*(2*part+1)/8)
			dir := t.TempDir()
			cases.Go(func() {
				file := filepath.Join(dir, "a.bundle")
				_, errs, code := through(t.Context(), g, now, "export", "--real", "--since", "1h", "-o", file)
				left, err := os.ReadDir(dir)
				is := fmt.Sprintf("the server %s after %d/8: exit %d, %s, %v", mode, 2*part+1, code, errs, left)
				if err != nil || code != Clean {
					if mode == blip || len(left) > 0 || code != Trouble || errs == "" {
						t.Error(is)
					}
					return
				}
				if got, errs, code := replay(t.Context(), "run", file); got != want || code != Clean {
					t.Errorf("%s; of the bundle comes\n%s%s\nwant\n%s", is, got, errs, want)
				}
			})
		}
	}
	cases.Wait()
}

// An import that is cut off says so, and what to do; a second one does not take
// half of it for all.
func TestTheServerGoesAwayUnderAnImport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.morning()
	r.transformed()
	now := time.Now()
	file := filepath.Join(t.TempDir(), "a.bundle")
	if _, errs, code := r.replay("export", "--real", "--since", "1h", "-o", file); code != Clean {
		t.Fatal(errs)
	}
	want, _, _ := r.replay("run")
	empty := bustest.Run(t)
	whole := newGate(t, empty.URL(), open, 0)
	if _, errs, code := through(t.Context(), whole, now, "import", file); code != Clean {
		t.Fatal(errs)
	}
	var cases sync.WaitGroup
	for _, mode := range []string{cut, frozen, blip} {
		for part := range 3 {
			s := bustest.Run(t)
			g := newGate(t, s.URL(), mode, whole.all()*(2*part+1)/6)
			cases.Go(func() {
				_, errs, code := through(t.Context(), g, now, "import", file)
				is := fmt.Sprintf("the server %s after %d/6: exit %d, %s", mode, 2*part+1, code, errs)
				if code != Clean {
					begun := strings.Contains(errs, "half filled")
					if code != Trouble || errs == "" || mode == blip && !begun {
						t.Error(is)
					}
					_, again, code := replay(t.Context(), "import", file, "--into", s.URL())
					if code == Trouble && strings.Contains(again, "make run ARGS=-empty") {
						return
					}
					if is += fmt.Sprintf("; then exit %d, %s", code, again); code != Clean {
						t.Error(is)
						return
					}
				}
				if got, errs, code := replay(t.Context(), "run", "--server", s.URL()); got != want || code != Clean {
					t.Errorf("%s; run gives\n%s%s\nwant\n%s", is, got, errs, want)
				}
			})
		}
	}
	cases.Wait()
}

// Who follows is told that the server is away, and misses nothing when it is back.
func TestTailAcrossAnOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.beat()
	out, end := r.tail("--type", "incoming")
	r.server.Stop()
	r.server.Start()
	r.js = r.server.JetStream("again")
	r.raw(agencyOrg, answered, rings, jane)
	r.transformed()
	bustest.Eventually(t, "the ring", func() bool { return strings.Contains(out.String(), "incoming to jane@agency.example") })
	errs, code := end()
	if code != Clean || !strings.Contains(errs, "replay: the connection to NATS is lost") || !strings.Contains(errs, "replay: connected to NATS again") {
		t.Errorf("exit %d, said %q", code, errs)
	}
}

// What follows streams that are others now would hear nothing for ever.
func TestTailOfStreamsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := bustest.RunIn(t, dir)
	r := &rig{T: t, server: s, js: s.Provisioned(partitions)}
	r.beat()
	var errs screen
	code := make(chan int, 1)
	go func() {
		code <- r.main(t.Context(), []string{"tail"}, IO{Out: new(screen), Err: &errs, Now: time.Now()})
	}()
	bustest.Eventually(r, "it listens", func() bool { return r.consumers() == 3 })
	s.Stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.Start()
	s.Provisioned(partitions)
	if is := <-code; is != Trouble || !strings.Contains(errs.String(), "was made anew") && !strings.Contains(errs.String(), "stream does not exist") {
		t.Errorf("exit %d, said %q", is, errs.String())
	}
}
