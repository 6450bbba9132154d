package app

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/nats-io/nuid"

	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/program"
	"ringstream/schemas/telemetry"
)

// Name of the service, in logs, metrics and inbox prefixes.
const Name = "transform"

// Program is the command line of the service.
func Program() program.Program[Settings] {
	return program.Program[Settings]{
		Name: Name, Summary: "folds the raw events of RTE into call events, one state machine per call",
		Run: Run, Check: Check,
		Commands: map[string]program.Command[Settings]{"provision": {
			Summary: "create or verify the streams and buckets of all services, and end",
			Needs:   []string{"NATS_", "LOG_LEVEL", "LOG_FORMAT", "STREAM_REPLICAS", "DUPLICATE_WINDOW", "PARTITIONS"}, Run: Provision,
		}},
	}
}

// stallLimit is how long work may wait before the service reports not ready, and
// a partition for being folded unless a lease of a dead replica takes longer.
const stallLimit = 10 * time.Second

// Run works until ctx ends.
func Run(ctx context.Context, s Settings, log *slog.Logger) (err error) {
	defer runtime.KeepAlive(ballast())
	var undo program.Cleanups
	defer undo.Run(&err)
	version := program.ReadVersion(Name)
	stopTracing, err := telemetry.Tracing(ctx, Name, version.Version)
	if err != nil {
		return fmt.Errorf("set up tracing: %w", err)
	}
	undo.Add("flush traces", program.Bounded(stopTracing))

	registry := telemetry.Metrics(Name, version.Version, version.Revision)
	seen := observe(registry, log, max(stallLimit, 4*s.LeaseTTL))
	streams := bus.NewStanding()
	telemetry.Streams(registry, streams.Differ, streams.Unanswered)
	board := probe.New()
	board.Set("streams", false, "not verified yet")
	board.Func("progress", seen.progress.Result)
	board.Func("partitions", seen.duties.Result)
	board.Func("merge", seen.merged)
	stopProbes, bound, err := probe.Serve(ctx, s.HTTPAddr, board, registry, version)
	if err != nil {
		return err
	}
	undo.Add("stop probes", program.Bounded(stopProbes))
	log.Info("serving probes", "address", bound)

	nc, err := bus.Connect(ctx, s.Config, Name, log)
	if err != nil {
		return program.Asked(ctx, err)
	}
	undo.Add("close NATS", func() error { nc.Close(); return nil })
	telemetry.NATS(registry, nc.IsConnected, func() uint64 { return nc.Stats().Reconnects })
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	if err := bus.Prepare(ctx, js, s.Config, log, s.streams()...); err != nil {
		return program.Asked(ctx, err)
	}
	leases, err := bus.OpenLeases(ctx, js, log)
	if err != nil {
		return program.Asked(ctx, err)
	}
	go bus.Watch(ctx, js, s.Config, s.streams(), board, streams)
	board.Func("nats", func() probe.Result { return bus.Online(nc.IsConnected()) })

	r := replica{
		js: js, leases: leases, settings: s, log: log, seen: seen,
		name: s.instance() + "." + nuid.Next(), // two replicas of one name are still two
	}
	return program.Asked(ctx, r.run(ctx))
}

// ballast is never written to, so that it takes no memory; the garbage collector
// counts it. Without it the heap, of a few MiB, would be collected many times a second
// (schemas/adr/0008); with it the process takes up to 64 MiB more, however large the heap is.
func ballast() []byte { return make([]byte, 32<<20) }

// Check tries what the service depends on.
func Check(ctx context.Context, s Settings) []probe.Result {
	return bus.Check(ctx, s.Config, Name, s.streams()...)
}
