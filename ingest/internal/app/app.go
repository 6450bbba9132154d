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
	"log/slog"
	"net/http"
	"sync"
	"time"

	"ringstream/ingest/internal/feed"
	"ringstream/ingest/internal/hub"
	"ringstream/ingest/internal/rte"
	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/program"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

const (
	name      = "ingest"
	beat      = time.Second            // the heartbeat is the clock of transform
	stop      = 900 * time.Millisecond // of probes and of traces: both within the grace that package program gives
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
	return run(ctx, s, hub.DefaultLimits(), log, func(string) {})
}

// run tells where the probes are once they are served.
func run(ctx context.Context, s Settings, limits hub.Limits, log *slog.Logger, serving func(address string)) (err error) {
	var undo cleanups
	defer undo.run(&err)
	log = log.With(telemetry.Instance, s.instance())
	version := program.ReadVersion(name)

	flushTraces, err := telemetry.Tracing(ctx, name, version.Version)
	if err != nil {
		return err
	}
	undo.add("flush traces", bounded(flushTraces))

	drain, cancel := lingering(ctx, s.ShutdownTimeout)
	undo.add("end of draining", func() error { cancel(); return nil })

	counts := newMetrics()
	out := newOutlet(drain, s.Config, counts, log)
	web, closeWeb := client()
	undo.add("close connections", func() error { closeWeb(); return nil })
	messages := feed.New(s.instance(), s.Partitions, out.publish, counts.received, log)
	listener := &hub.Hub{
		Grant: s.api(web).Grant, Source: s.source(), Sink: messages, Observe: counts,
		HTTP: web, Limits: limits, Log: log,
	}

	board := probe.New()
	board.Set("streams", false, "not verified yet")
	board.Func("nats", out.condition)
	board.Func("progress", out.progress.Result)
	board.Func("hub", func() probe.Result { return condition(listener.Status()) })
	registry := telemetry.Metrics(name, version.Version, version.Revision)
	counts.register(registry, out, listener.Status)
	stopProbes, address, err := probe.Serve(ctx, s.HTTPAddr, board, registry, version)
	if err != nil {
		return err
	}
	undo.add("stop probes", bounded(stopProbes))
	log.Info("probes served", "address", address)
	serving(address)

	if err := prepare(ctx, s.Config, log); err != nil {
		return err
	}
	board.Set("streams", true, "as the contract says")

	publishing := background(func(ctx context.Context) { _ = out.publisher.Run(ctx) }) // it ends only with ctx
	undo.add("stop publishing", publishing)
	undo.add("flush", out.flush)
	undo.add("stop heartbeat", background(func(ctx context.Context) { heartbeat(ctx, messages) }))
	listener.Run(ctx)
	board.Set("running", false, "stopping")
	return nil
}

// prepare verifies the streams over a connection of its own, which it gives up.
func prepare(ctx context.Context, cfg bus.Config, log *slog.Logger) error {
	nc, err := bus.Connect(ctx, cfg, name, log)
	if err != nil {
		return stopped(ctx, err)
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	return stopped(ctx, bus.Prepare(ctx, js, cfg, log, topology.RTE, topology.DeadLetters))
}

// stopped takes the end of ctx for no error: the process was asked to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return context.Canceled
	}
	return err
}

func heartbeat(ctx context.Context, messages *feed.Writer) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		messages.Heartbeat()
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
	default:
		return probe.Result{OK: true, Detail: "listening to " + s.Host}
	}
}

// background runs work until the returned function is called, which waits for it.
func background(work func(context.Context)) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	return func() error {
		cancel()
		running.Wait()
		return nil
	}
}

func bounded(end func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stop)
		defer cancel()
		return end(ctx)
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
