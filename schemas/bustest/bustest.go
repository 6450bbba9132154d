// Package bustest runs real NATS servers for tests: embedded, with file
// storage, on 127.0.0.1, one or a cluster, that can be stopped and started
// again on the same port and data. [Office] fills them with what RTE holds of an
// office at work.
package bustest

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

const ready = 20 * time.Second

// Server is one nats-server.
type Server struct {
	tb   testing.TB
	opts server.Options
	ns   *server.Server
	ca   string // of a guarded one
}

// Run starts a server that ends with the test.
func Run(tb testing.TB) *Server {
	tb.Helper()
	return RunIn(tb, tb.TempDir())
}

// RunIn starts one that keeps its data in a directory, for another to find there.
func RunIn(tb testing.TB, dir string) *Server {
	tb.Helper()
	s := &Server{tb: tb, opts: server.Options{
		ServerName: "bustest", Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir,
		NoSigs: true, NoLog: true, MaxControlLine: 4096,
	}}
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

// RunWithoutJetStream starts a server that keeps nothing, with options changed
// as its clients shall find it.
func RunWithoutJetStream(tb testing.TB, change ...func(*server.Options)) *Server {
	tb.Helper()
	s := &Server{tb: tb, opts: server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true}}
	for _, f := range change {
		f(&s.opts)
	}
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

// Start starts the server, again on its port and its data if it ran before.
func (s *Server) Start() {
	s.tb.Helper()
	s.launch()
	if !s.ns.ReadyForConnections(ready) {
		s.tb.Fatal("nats-server is not ready")
	}
	if addr, ok := s.ns.Addr().(*net.TCPAddr); ok {
		s.opts.Port = addr.Port
	}
}

func (s *Server) launch() {
	s.tb.Helper()
	opts := s.opts
	ns, err := server.NewServer(&opts)
	if err != nil {
		s.tb.Fatalf("start nats-server: %v", err)
	}
	ns.Start()
	s.ns = ns
}

// Stop stops the server and waits until it is gone.
func (s *Server) Stop() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// URL is where clients connect; it stays the same over Stop and Start.
func (s *Server) URL() string {
	if s.ca != "" {
		return fmt.Sprintf("tls://127.0.0.1:%d", s.opts.Port)
	}
	return fmt.Sprintf("nats://127.0.0.1:%d", s.opts.Port)
}

// Config is bus settings for this server, in create mode.
func (s *Server) Config(partitions int) bus.Config {
	return bus.Config{URL: s.URL(), Provision: bus.ProvisionCreate, Replicas: 1, Partitions: partitions, Duplicates: topology.ShortestDuplicates}
}

// Provisioned connects, creates the streams of the contract and returns JetStream.
func (s *Server) Provisioned(partitions int) jetstream.JetStream {
	s.tb.Helper()
	js := s.JetStream("test")
	err := bus.Create(s.tb.Context(), js, topology.Layout{Partitions: partitions, Replicas: 1})
	if err != nil {
		s.tb.Fatal(err)
	}
	return js
}

// JetStream connects under a name of its own. The connection reconnects and
// ends with the test.
func (s *Server) JetStream(name string) jetstream.JetStream {
	s.tb.Helper()
	return connect(s.tb, s.As(Everything, 0), name)
}

// Messages reads a stream to its present end.
func Messages(tb testing.TB, js jetstream.JetStream, stream string, filters ...string) []bus.Message {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	var all []bus.Message
	err := bus.ReadAll(ctx, js, stream, filters, 0, func(m bus.Message) error {
		all = append(all, m)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// patience is how long a condition is waited for, on a busy machine too.
const patience = 2 * time.Minute

// Eventually polls a condition until it holds, for two minutes at most.
func Eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited %v in vain for: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
