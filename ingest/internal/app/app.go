// Package app puts ingest together: settings, probes, the way to JetStream, the
// hub client and the heartbeat, and takes them apart again in order.
//
// It decides nothing about messages. It refuses to start on streams that are
// not as the contract says. The caller owes settings that [program.Load] found
// good, and a context that ends when the process is to stop.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/ingest/internal/feed"
	"ringstream/ingest/internal/hub"
	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/spool"
	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/program"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

const (
	name      = "ingest"
	beat      = time.Second // the heartbeat is the clock of transform
	redirects = 5
)

var (
	// errUnsent means that the drain limit came before the last ack.
	errUnsent    = errors.New("SHUTDOWN_TIMEOUT passed before everything was stored")
	errDowngrade = errors.New("redirected from https to http")
	errRedirects = errors.New("redirected too often")
)

// Run listens until ctx ends, then stores what it has.
func Run(ctx context.Context, s Settings, log *slog.Logger) error {
	return run(ctx, s, hub.DefaultLimits(), feed.Grace, log, func(string) {})
}

// run tells where the probes are once they are served.
func run(ctx context.Context, s Settings, limits hub.Limits, grace time.Duration, log *slog.Logger, serving func(address string)) (err error) {
	var undo program.Cleanups
	defer undo.Run(&err)
	log = log.With(telemetry.Instance, s.instance())
	version := program.ReadVersion(name)

	flushTraces, err := telemetry.Tracing(ctx, name, version.Version)
	if err != nil {
		return err
	}
	undo.Add("flush traces", program.Bounded(flushTraces))

	drain, cancel := program.Lingering(ctx, s.ShutdownTimeout)
	undo.Add("end of draining", func() error { cancel(); return nil })

	counts := newMetrics(log)
	queue, err := openSpool(s, counts, log)
	if err != nil {
		return err
	}
	undo.Add("close spool", func() error { return shut(queue, counts, log) })

	out := newOutlet(drain, queue, s.Config, s.instance(), counts, log)
	web, closeWeb := client()
	undo.Add("close connections", func() error { closeWeb(); return nil })
	messages := feed.New(s.instance(), s.Partitions, out.publish, counts.received, feed.NewAudit(grace), log)
	listener := &hub.Hub{Grant: s.api(web).Grant, Source: s.source(), Sink: messages, Observe: counts, HTTP: web, Limits: limits, Log: log}

	board := readiness(out, listener)
	registry := telemetry.Metrics(name, version.Version, version.Revision)
	counts.register(registry, out, listener.Status)
	streams := bus.NewStanding()
	telemetry.Streams(registry, streams.Differ, streams.Unanswered)
	stopProbes, address, err := probe.Serve(ctx, s.HTTPAddr, board, registry, version)
	if err != nil {
		return err
	}
	undo.Add("stop probes", program.Bounded(stopProbes))
	log.Info("probes served", "address", address)
	serving(address)

	audits := &auditor{messages: messages, every: grace, unheard: counts.unheard, log: log}
	// What is heard before NATS answers waits in the spool.
	listening, end := context.WithCancelCause(ctx)
	defer end(nil)
	undo.Add("stop publishing", program.Background(func(ctx context.Context) {
		// Where that cannot go on, nothing goes out any more: what waits stays in the spool, and nothing waits for room there.
		store(ctx, s.Config, out, watched{board, streams}, audits, log, func(err error) { end(err); cancel() })
	}))
	undo.Add("flush", out.flush)
	undo.Add("stop heartbeat", program.Background(func(ctx context.Context) { heartbeat(ctx, messages, out) }))
	listener.Run(listening)
	board.Set("running", false, "stopping")
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(listening)
}

// readiness is what the probes tell.
func readiness(out *outlet, listener *hub.Hub) *probe.Board {
	board := probe.New()
	board.Set("streams", false, "not verified yet")
	board.Func("nats", func() probe.Result { return bus.Online(out.connected.Load()) })
	board.Func("progress", out.progress.Result)
	board.Func("canary", out.canary.Result)
	board.Func("spool", out.room)
	board.Func("hub", func() probe.Result { return condition(listener.Status()) })
	return board
}

// watched is where it is told whether the streams are as the contract says.
type watched struct {
	board   *probe.Board
	streams *bus.Standing
}

// store verifies the streams and publishes what the spool has, until ctx ends or
// that cannot go on; over is told at once, since whoever hears may wait for room,
// and all else for whoever hears. Meanwhile the streams are watched, and what
// other replicas hear is compared.
func store(ctx context.Context, cfg bus.Config, out *outlet, seen watched, audits *auditor, log *slog.Logger, over func(error)) {
	if err := prepare(ctx, cfg, log); err != nil {
		over(err)
		return
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	while, enough := context.WithCancel(ctx)
	defer enough()
	watching.Go(func() { watch(while, cfg, log, seen, audits.run) })
	over(out.run(ctx))
}

// openSpool opens the queue, and says what an earlier process left in it.
func openSpool(s Settings, counts *metrics, log *slog.Logger) (*spool.Spool[bus.Outgoing], error) {
	queue, left, err := spool.Open(s.SpoolDir, int64(s.SpoolMaxBytes), packer(counts, log))
	if err != nil {
		return nil, fmt.Errorf("SPOOL_DIR: %w", err)
	}
	tellOf(left, counts, log)
	return queue, nil
}

// tellOf says what an earlier process left behind.
func tellOf(left spool.Found, counts *metrics, log *slog.Logger) {
	if left.Records > 0 || left.Torn > 0 {
		log.Info("messages of an earlier process wait in SPOOL_DIR; they go out first", "messages", left.Records, "bytes_cut_off", left.Torn)
	}
	for _, path := range left.Damaged {
		log.Error("a file of the spool was damaged; the file is kept", "file", path)
	}
	if left.Lost > 0 {
		log.Error("messages lost: what the spool had of them was damaged", "messages", left.Lost)
		counts.lost.Add(float64(left.Lost))
	}
	for _, path := range left.Strange {
		log.Warn("a file in SPOOL_DIR is not the spool's; passed over", "file", path)
	}
}

// shut closes the spool, and says what dies with the process.
func shut(queue *spool.Spool[bus.Outgoing], counts *metrics, log *slog.Logger) error {
	lost, err := queue.Close()
	if lost > 0 {
		log.Error("messages lost: they were not stored, and SPOOL_DIR takes nothing", "messages", lost)
		counts.lost.Add(float64(lost))
	}
	return err
}

// prepare verifies the streams over a connection of its own, which it gives up.
func prepare(ctx context.Context, cfg bus.Config, log *slog.Logger) error {
	nc, js, err := connect(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer nc.Close()
	return bus.Prepare(ctx, js, cfg, log, uses()...)
}

// watch tells whether the streams are still there, over a connection of its
// own: that of the publisher ends with every failure. audit runs over it too.
func watch(ctx context.Context, cfg bus.Config, log *slog.Logger, seen watched, audit func(context.Context, *nats.Conn)) {
	nc, js, err := connect(ctx, cfg, log)
	if err != nil {
		return // the end
	}
	defer nc.Close()
	var auditing sync.WaitGroup
	auditing.Go(func() { audit(ctx, nc) })
	defer auditing.Wait()
	bus.Watch(ctx, js, cfg, uses(), seen.board, seen.streams)
}

func uses() []string { return []string{topology.RTE, topology.DeadLetters} }

func connect(ctx context.Context, cfg bus.Config, log *slog.Logger) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := bus.Connect(ctx, cfg, name, log)
	if err != nil {
		return nil, nil, err
	}
	js, err := bus.JetStream(nc)
	if err != nil {
		nc.Close()
	}
	return nc, js, err
}

func heartbeat(ctx context.Context, messages *feed.Writer, out *outlet) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		messages.Heartbeat()
		out.tellRoom()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func condition(s hub.Status) probe.Result {
	switch {
	case !s.Connected:
		return probe.Result{Detail: s.Trouble}
	case s.Held == 0:
		return probe.Result{Detail: "nothing subscribed"}
	case s.Token != "":
		return probe.Result{OK: true, Detail: "listening to " + s.Host + "; no token for the next connection: " + s.Token}
	default:
		return probe.Result{OK: true, Detail: "listening to " + s.Host}
	}
}

// client is one HTTP client for REST, negotiation and WebSocket.
func client() (*http.Client, func()) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http says so
	return &http.Client{Transport: transport, CheckRedirect: keepSecret}, transport.CloseIdleConnections
}

// keepSecret refuses to be sent from https to http: the credentials would go along.
func keepSecret(next *http.Request, before []*http.Request) error {
	switch {
	case before[0].URL.Scheme == "https" && next.URL.Scheme != "https":
		return errDowngrade
	case len(before) >= redirects:
		return errRedirects
	default:
		return nil
	}
}

func (s Settings) api(web *http.Client) *rte.API {
	return &rte.API{
		URL: s.APIURL, DiscoveryURL: s.DiscoveryURL, Username: s.Username, SecretKey: rte.Secret(s.SecretKey),
		User: s.RTEUser, HTTP: web,
	}
}
