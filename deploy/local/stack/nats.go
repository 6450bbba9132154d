package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

const (
	natsPort  = 4222
	natsReady = 30 * time.Second
)

// natsNode is an embedded server that keeps its port and data over Stop and Start.
type natsNode struct {
	opts  server.Options
	guard *Guard         // nil: none
	ns    *server.Server // nil while stopped
}

// newNATS finds a port; note says why it is not the usual one.
func newNATS(o Options, free func() (int, error)) (n *natsNode, note string, err error) {
	port := max(o.NATSPort, 0)
	if o.NATSPort == 0 {
		port = natsPort
	}
	if port > 0 {
		err = available(port)
	}
	switch {
	case err != nil && o.NATSPort > 0:
		return nil, "", fmt.Errorf("give port %d to NATS: %w; stop what listens there or choose another", port, err)
	case err != nil || port == 0:
		if err != nil {
			note = fmt.Sprintf("port %d is in use, perhaps by another NATS server: this one takes another", port)
		}
		if port, err = free(); err != nil {
			return nil, "", fmt.Errorf("find a port for NATS: %w", err)
		}
	}
	return &natsNode{guard: o.Guard, opts: server.Options{
		ServerName: "ringstream-local", Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: o.store(),
		NoSigs: true, MaxControlLine: 4096, Logtime: true, LogFile: filepath.Join(o.logs(), "nats.log"),
	}}, note, nil
}

func (n *natsNode) start() error {
	if n.ns != nil {
		return fmt.Errorf("start NATS: %w", ErrRunning)
	}
	opts := n.opts // the server writes into what it is given
	if n.guard != nil {
		if err := n.guard.Server(&opts); err != nil {
			return fmt.Errorf("guard NATS: %w", err)
		}
	}
	ns, err := server.NewServer(&opts)
	if err != nil {
		return fmt.Errorf("start NATS: %w", err)
	}
	ns.ConfigureLogger()
	ns.Start()
	n.ns = ns
	if !ns.ReadyForConnections(natsReady) {
		n.stop()
		return fmt.Errorf("start NATS: %w within %s; see %s", ErrNotReady, natsReady, n.opts.LogFile)
	}
	return nil
}

func (n *natsNode) stop() {
	if n.ns == nil {
		return
	}
	n.ns.Shutdown()
	n.ns.WaitForShutdown()
	n.ns = nil
}

func (n *natsNode) url() string {
	scheme := "nats://"
	if n.guard != nil {
		scheme = "tls://"
	}
	return scheme + net.JoinHostPort(n.opts.Host, fmt.Sprint(n.opts.Port))
}

// provision creates the streams that are not there and refuses those of
// another layout.
func (n *natsNode) provision(ctx context.Context, partitions int) error {
	nc, err := bus.Connect(ctx, n.guard.config(provisioner, n.url()), provisioner, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	layout := topology.Layout{Partitions: partitions, Replicas: 1}
	err = bus.Create(ctx, js, layout)
	if err == nil {
		err = bus.Verify(ctx, js, layout)
	}
	if errors.Is(err, bus.ErrDiffers) {
		return fmt.Errorf("provision the streams: %w\n  the data in %s was made otherwise: remove it, or choose another directory by RINGSTREAM_DIR",
			err, n.opts.StoreDir)
	}
	if err != nil {
		return fmt.Errorf("provision the streams: %w", err)
	}
	return nil
}
