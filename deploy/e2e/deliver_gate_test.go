package e2e

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gate stands between two processes. While it is shut, every connection is reset,
// those that are open too. While it is silent, nothing gets through, and neither
// side is told. It does to what it holds what a network does whose ends repeat what
// was not received: it comes when the way is whole again, also of somebody who has
// hung up meanwhile; but not of one who never got a connection, or who has reset it.
type gate struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	shut   bool
	silent chan struct{} // closed when it is not any more; nil while it is not
	turned int           // connections that were reset as they came
	open   map[net.Conn]bool
	book   []*transit
}

// transit is what a gate did to one connection.
type transit struct {
	as     string    // what the target took it for; empty: it never got so far
	made   time.Time // when it did
	taken  int       // bytes of whoever came
	gone   time.Time // when that one was: hung up, killed or reset; zero: is still there
	forgot bool      // that was a reset: what it had sent is not sent again
	held   []span    // what came while the gate was silent, until it was passed on
	back   []span    // the same of answers; without an end: there was nobody left
}

// chunk is what came at once.
type chunk struct {
	at    time.Time
	bytes []byte
}

// queued is how much of a connection is taken while nothing gets through: then
// whoever sends has to wait.
const queued = 64

func newGate(t testing.TB, target string) *gate {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{target: target, listener: l, open: map[net.Conn]bool{}}
	g.running.Go(g.serve)
	t.Cleanup(func() {
		_ = l.Close()
		g.turn(true)
		g.hush(false)
		g.running.Wait()
	})
	return g
}

func (g *gate) url() string { return "http://" + g.listener.Addr().String() }

func (g *gate) serve() {
	for {
		c, err := g.listener.Accept()
		if err != nil {
			return
		}
		if !g.enter(c) {
			reset(c)
			continue
		}
		g.running.Go(func() { g.join(c) })
	}
}

// enter lets a connection in, or not.
func (g *gate) enter(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		g.turned++
		return false
	}
	g.open[c] = true
	return true
}

func (g *gate) join(c net.Conn) {
	p := &transit{}
	g.note(func() { g.book = append(g.book, p) })
	coming := g.hear(c, p)
	defer func() {
		reset(c)
		for range coming { // until nobody writes there any more
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.open, c)
	}()
	g.listen()
	if g.left(p) {
		return
	}
	server, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	g.note(func() { p.as, p.made = server.LocalAddr().String(), time.Now() })
	var answers sync.WaitGroup
	answers.Go(func() {
		g.answer(c, server, p) // until one of them ends
		reset(c)
	})
	g.pass(server, coming, p)
	_ = server.Close()
	answers.Wait()
}

// hear takes what comes, whether it gets through or not, until there is no more.
func (g *gate) hear(c net.Conn, p *transit) <-chan chunk {
	coming := make(chan chunk, queued)
	g.running.Go(func() {
		defer close(coming)
		buffer := make([]byte, 32<<10)
		for {
			n, err := c.Read(buffer)
			if n > 0 {
				g.note(func() { p.taken += n })
				coming <- chunk{time.Now(), bytes.Clone(buffer[:n])}
			}
			if err != nil {
				g.note(func() { p.gone, p.forgot = time.Now(), errors.Is(err, syscall.ECONNRESET) })
				return
			}
		}
	})
	return coming
}

// pass hands on what has come, but nothing while the gate is silent.
func (g *gate) pass(to io.Writer, coming <-chan chunk, p *transit) {
	for b := range coming {
		waited := g.listen()
		if g.forgotten(p) {
			return
		}
		if waited {
			g.note(func() { p.held = append(p.held, span{b.at, time.Now()}) })
		}
		if _, err := to.Write(b.bytes); err != nil {
			return
		}
	}
	g.listen() // nor that it has ended
}

// answer hands on what comes back, likewise.
func (g *gate) answer(to io.Writer, from io.Reader, p *transit) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		came := time.Now()
		waited := g.listen()
		_, failed := to.Write(buffer[:n])
		if n > 0 && (waited || failed != nil) {
			kept := span{from: came}
			if failed == nil {
				kept.until = time.Now()
			}
			g.note(func() { p.back = append(p.back, kept) })
		}
		if err != nil || failed != nil {
			return
		}
	}
}

func (g *gate) note(what func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	what()
}

// left reports whether whoever came is not there any more.
func (g *gate) left(p *transit) (is bool) {
	g.note(func() { is = !p.gone.IsZero() })
	return is
}

func (g *gate) forgotten(p *transit) (is bool) {
	g.note(func() { is = p.forgot })
	return is
}

// transits are those that the target has seen.
func (g *gate) transits() (all []transit) {
	g.note(func() {
		for _, p := range g.book {
			if p.as != "" {
				all = append(all, *p)
			}
		}
	})
	return all
}

// listen waits until the gate is not silent, and reports whether it was.
func (g *gate) listen() (waited bool) {
	g.mu.Lock()
	silent := g.silent
	g.mu.Unlock()
	if silent != nil {
		<-silent
	}
	return silent != nil
}

// hush makes the gate silent, or lets through all that has come meanwhile.
func (g *gate) hush(silent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case silent && g.silent == nil:
		g.silent = make(chan struct{})
	case !silent && g.silent != nil:
		close(g.silent)
		g.silent = nil
	}
}

// turn shuts the gate or opens it.
func (g *gate) turn(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	if shut {
		for c := range g.open {
			reset(c)
		}
	}
}

// reset ends a connection so that the other side sees an error.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// refusals is how many connections were reset as they came.
func (g *gate) refusals() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.turned
}
