package rtesim

import (
	"net"
	"sync"
)

// gate is a socket that can be made to look dead without being closed, or be
// closed without the courtesies.
type gate struct {
	*net.TCPConn
	silent chan struct{} // closed once it is silent
	closed chan struct{}
	mute   func()
	end    func()
}

func newGate(c *net.TCPConn) *gate {
	g := &gate{TCPConn: c, silent: make(chan struct{}), closed: make(chan struct{})}
	g.mute = sync.OnceFunc(func() { close(g.silent) })
	g.end = sync.OnceFunc(func() { close(g.closed) })
	return g
}

func (g *gate) muted() bool {
	select {
	case <-g.silent:
		return true
	default:
		return false
	}
}

// Read gives nothing more once the gate is silent, but still ends when the
// other side leaves: a silent socket must not outlive its peer.
func (g *gate) Read(p []byte) (int, error) {
	for {
		n, err := g.TCPConn.Read(p)
		if err != nil || !g.muted() {
			return n, err
		}
	}
}

// Write blocks until the end once the gate is silent.
func (g *gate) Write(p []byte) (int, error) {
	if g.muted() {
		<-g.closed
		return 0, net.ErrClosed
	}
	return g.TCPConn.Write(p)
}

func (g *gate) Close() error {
	g.end()
	return g.TCPConn.Close()
}

// reset closes so that the other side gets a TCP reset.
func (g *gate) reset() {
	_ = g.SetLinger(0) // on a closed socket there is nothing left to reset
	_ = g.Close()
}

// gatedListener puts every accepted socket behind a gate.
type gatedListener struct{ *net.TCPListener }

func (l gatedListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return newGate(c), nil
}
