package bustest

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
)

// Cluster starts n clustered servers that end with the test and waits until
// they can make replicated streams.
func Cluster(tb testing.TB, n int) []*Server {
	tb.Helper()
	routes := make([]string, n)
	ports := make([]int, n)
	for i := range n {
		ports[i] = freePort(tb)
		routes[i] = fmt.Sprintf("nats://127.0.0.1:%d", ports[i])
	}
	nodes := make([]*Server, n)
	for i := range n {
		nodes[i] = &Server{tb: tb, opts: server.Options{
			ServerName: fmt.Sprintf("bustest-%d", i), Host: "127.0.0.1", Port: freePort(tb), JetStream: true, StoreDir: tb.TempDir(),
			NoSigs: true, NoLog: true, Routes: server.RoutesFromStr(strings.Join(routes, ",")),
			Cluster: server.ClusterOpts{Name: "bustest", Host: "127.0.0.1", Port: ports[i]},
		}}
		nodes[i].launch()
	}
	for _, node := range nodes {
		if !node.ns.ReadyForConnections(ready) {
			tb.Fatal("nats-server is not ready")
		}
		tb.Cleanup(node.Stop)
	}
	js := connect(tb, bus.Config{URL: ClusterURL(nodes)}, "cluster")
	Eventually(tb, "a replicated stream", func() bool {
		_, err := js.CreateStream(tb.Context(), jetstream.StreamConfig{Name: "READY", Subjects: []string{"ready"}, Replicas: n})
		return err == nil
	})
	if err := js.DeleteStream(tb.Context(), "READY"); err != nil {
		tb.Fatal(err)
	}
	return nodes
}

// ClusterURL names every node.
func ClusterURL(nodes []*Server) string {
	urls := make([]string, len(nodes))
	for i, n := range nodes {
		urls[i] = n.URL()
	}
	return strings.Join(urls, ",")
}

// Leads reports whether this node leads the stream.
func (s *Server) Leads(stream string) bool {
	return s.ns.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream)
}

func connect(tb testing.TB, cfg bus.Config, name string) jetstream.JetStream {
	tb.Helper()
	nc, err := bus.Dial(cfg, name, nats.MaxReconnects(-1))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := bus.JetStream(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
