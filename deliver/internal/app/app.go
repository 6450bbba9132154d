// Package app puts deliver together: settings, probes, the client, the
// directory and the engine that reads CALLS, sends what the schedule says and
// writes the outcomes; and takes it apart again in order.
//
// It owns every effect and decides nothing about a notification: what follows
// from an answer is delivery's, what is sent when is schedule's. It refuses to
// start on streams that are not as the contract says, to send before it has
// read everything that is there, and to send without the lease. The caller owes
// settings that [program.Load] found good, and a context that ends when the
// process is to stop.
//
// REAPIT_RATE is kept by a log of the last second, not by a token bucket alone:
// a bucket of b that is refilled with r keeps any second below the rate only if
// b+r do, so bursts would be paid for with the steady rate (5 at once leave 15 a
// second). The log allows all of it in any second, counts by when Reapit may
// have seen a request and not by when it left, and a bucket before it (a quarter
// of the rate at once, refilled with the rate) keeps a flood from using up the
// second at its beginning: a call that rings then waits for a quarter of a
// second, not for a whole one. A delivery is chosen when there is room for its
// request, which it then claims, so that what rings waits behind nothing that can.
//
// The POST is at least once: a crash between Reapit's answer and the stored
// outcome makes the next replica send again. A foreign message in the log does
// not: the term ends, but the requests under way are waited for a little, and what
// is known of them goes into the next one under the same lease. Everything else is exactly once.
// What was under way at a crash is perhaps on a screen, and so its end is told.
// Which that may be follows from the log without a record of every attempt: in
// each lane only the next one, and of the call events behind the newest snapshot
// only those of its first minute, because later ones make a snapshot first. A
// replica that has to wait for the negotiators sees to it that those are left out
// which came when nobody could deliver (see vacancy).
//
// Of several customers ([directory.File]) one list is enough to begin. An event
// whose customer's list is not there waits in the schedule, and in its
// snapshots, until it is, or until the deadline of the event: then its users are
// recorded as unmapped. What is queued goes to the customer, in the region, that
// its organization had when it was taken in, whatever the file says since.
package app

import (
	"context"
	"log/slog"
	"time"

	"ringstream/deliver/internal/directory"
	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/program"
	"ringstream/schemas/telemetry"
)

const (
	name   = "deliver"
	wrapUp = 3 * time.Second // of SHUTDOWN_TIMEOUT, to store what is left when requests are done
)

// Run delivers until ctx ends, finishes the requests under way, stores what is
// known and gives the lease back.
func Run(ctx context.Context, s Settings, log *slog.Logger) error {
	return run(ctx, s, log, func(string) {})
}

// run tells where the probes are once they are served.
func run(ctx context.Context, s Settings, log *slog.Logger, serving func(address string)) (err error) {
	var undo program.Cleanups
	defer undo.Run(&err)
	log = log.With(telemetry.Instance, s.instance())
	version := program.ReadVersion(name)
	tenants, err := s.tenants()
	if err != nil {
		return err
	}

	flushTraces, err := telemetry.Tracing(ctx, name, version.Version)
	if err != nil {
		return err
	}
	undo.Add("flush traces", program.Bounded(flushTraces))

	life, kill := program.Lingering(ctx, s.ShutdownTimeout)
	undo.Add("end of draining", func() error { kill(); return nil })

	client := s.client()
	undo.Add("close connections", func() error { client.Close(); return nil })
	allowed := newBudget(s.Rate, s.Concurrency, s.Daily, time.Now)
	client.Admit, client.Yield = whileHeld(allowed.admit), yield
	people := directory.New(client, directory.Settings{Tenants: tenants, Refresh: s.Refresh, Log: log})
	client.Customers = people.Customers
	var file *directory.File
	if s.TenantsFile != "" {
		file = s.tenantsFile(log)
	}

	board := probe.New()
	seen := newObserver(log, newStanding(log, people.Customers, allowed.day, time.Now), s.deadlines())
	seen.shadow = s.Shadow
	board.Set("streams", false, "not verified yet")
	seen.conditions(board)
	board.Func("negotiators", func() probe.Result { return known(people) })
	registry := telemetry.Metrics(name, version.Version, version.Revision)
	client.Fetched = seen.token
	seen.register(registry, allowed, people, file)
	stopProbes, address, err := probe.Serve(ctx, s.HTTPAddr, board, registry, version)
	if err != nil {
		return err
	}
	undo.Add("stop probes", program.Bounded(stopProbes))
	log.Info("probes served", "address", address)
	serving(address)

	undo.Add("stop reading negotiators", program.Background(people.Run))
	if file != nil {
		board.Func("tenants", func() probe.Result { return followed(file, people) })
		undo.Add("stop following the tenants", program.Background(func(ctx context.Context) { file.Follow(ctx, people) }))
	}

	nc, err := bus.Connect(ctx, s.Config, name, log)
	if err != nil {
		return program.Asked(ctx, err)
	}
	undo.Add("close NATS", func() error { nc.Close(); return nil })
	board.Func("nats", func() probe.Result { return bus.Online(nc.IsConnected()) })
	telemetry.NATS(registry, nc.IsConnected, func() uint64 { return nc.Stats().Reconnects })
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	if err := bus.Prepare(ctx, js, s.Config, log, uses()...); err != nil {
		return program.Asked(ctx, err)
	}
	go bus.Watch(ctx, js, s.Config, uses(), board)
	leases, err := bus.OpenLeases(ctx, js)
	if err != nil {
		return program.Asked(ctx, err)
	}

	undo.Add("stop keeping negotiators", program.Background(func(ctx context.Context) { people.Remember(ctx, shelf{js}) }))

	seen.role(standby)
	e := &engine{
		js: js, leases: leases, reapit: client, directory: people, budget: allowed, deadlines: s.deadlines(),
		slots: s.Concurrency, group: s.Group, format: s.Format, shadow: s.Shadow, ttl: s.LeaseTTL,
		drain: max(s.ShutdownTimeout-wrapUp, s.ShutdownTimeout/2), instance: s.instance(), seen: seen, log: log, now: time.Now,
	}
	e.run(ctx, life)
	board.Set("running", false, "stopping")
	return nil
}
