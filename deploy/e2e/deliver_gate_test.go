package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// gate stands between two processes. While it is shut, every connection is reset,
// those that are open too. While it is silent, nothing gets through, and neither
// side is told.
type gate struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	shut   bool
	silent chan struct{} // closed when it is not any more; nil while it is not
	turned int           // connections that were reset as they came
	open   map[net.Conn]bool
}

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
	defer func() {
		reset(c)
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.open, c)
	}()
	g.listen()
	server, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		g.pass(c, server) // until one of them ends
		reset(c)
	})
	g.pass(server, c)
	_ = server.Close()
	answers.Wait()
}

// pass copies what comes, but nothing while the gate is silent.
func (g *gate) pass(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		g.listen()
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// listen waits until the gate is not silent.
func (g *gate) listen() {
	g.mu.Lock()
	silent := g.silent
	g.mu.Unlock()
	if silent != nil {
		<-silent
	}
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
