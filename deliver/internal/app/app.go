// Package app puts deliver together: settings, probes, the client, the
// directory and the engine that reads CALLS, sends what the schedule says and
// writes the outcomes; and takes it apart again in order.
//
// It owns every effect and decides nothing about a notification: what follows
// from an answer is delivery's, what is sent when is schedule's. It refuses to
// start on streams that are not as the contract says, to send before it has
// read everything that is there, and to ask Reapit anything without the lease. The caller owes
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

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
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
	p, err := assemble(s, log.With(telemetry.Instance, s.instance()))
	if err != nil {
		return err
	}
	flushTraces, err := telemetry.Tracing(ctx, name, p.version.Version)
	if err != nil {
		return err
	}
	undo.Add("flush traces", program.Bounded(flushTraces))
	life, kill := program.Lingering(ctx, s.ShutdownTimeout)
	undo.Add("end of draining", func() error { kill(); return nil })
	undo.Add("close connections", func() error { p.client.Close(); return nil })
	address, err := p.open(ctx, &undo)
	if err != nil {
		return err
	}
	serving(address)
	js, leases, err := p.connect(ctx, &undo)
	if err != nil {
		return program.Asked(ctx, err)
	}
	p.client.Claim = newOwners(js, p.log).claim // nothing is asked of Reapit before anybody leads or nothing is found to be kept
	undo.Add("stop keeping negotiators", program.Background(func(ctx context.Context) { p.people.Remember(ctx, shelf{js}) }))
	p.seen.role(standby)
	p.engine(js, leases).run(ctx, life)
	p.board.Set("running", false, "stopping")
	return nil
}

// parts are what a deliver is made of besides its connection to NATS.
type parts struct {
	Settings
	log      *slog.Logger
	version  program.Version
	client   *reapit.Client
	allowed  *budget
	people   *directory.Directory
	file     *directory.File // nil: one customer has everything
	board    *probe.Board
	seen     *observer
	registry *prometheus.Registry
	streams  *bus.Standing
}

func assemble(s Settings, log *slog.Logger) (*parts, error) {
	tenants, err := s.tenants()
	if err != nil {
		return nil, err
	}
	p := &parts{
		Settings: s, log: log, version: program.ReadVersion(name), client: s.client(),
		allowed: newBudget(s.Rate, s.Concurrency, s.Daily, time.Now), board: probe.New(),
	}
	p.people = directory.New(p.client, directory.Settings{Tenants: tenants, Refresh: s.Refresh, Log: log})
	if s.TenantsFile != "" {
		p.file = s.tenantsFile(log)
	}
	p.seen = newObserver(log, newStanding(log, p.people.Customers, p.allowed.day, time.Now), s.deadlines())
	p.seen.shadow = s.Shadow
	p.allowed.slots.follow() // nothing is asked of Reapit by whom nobody has given the lease
	p.client.Admit, p.client.Yield = whileHeld(whileWanted(p.allowed.admit)), yield
	p.client.Customers, p.client.Fetched = p.people.Customers, p.seen.token
	p.registry = telemetry.Metrics(name, p.version.Version, p.version.Revision)
	p.streams = bus.NewStanding()
	telemetry.Streams(p.registry, p.streams.Differ, p.streams.Unanswered)
	p.seen.register(p.registry, p.allowed, p.people, p.file)
	p.board.Set("streams", false, "not verified yet")
	p.seen.conditions(p.board)
	p.board.Func("negotiators", func() probe.Result { return known(p.people, p.seen.led.Load()) })
	return p, nil
}

// open serves the probes, reads the negotiators and follows the tenants.
func (p *parts) open(ctx context.Context, undo *program.Cleanups) (address string, err error) {
	stopProbes, address, err := probe.Serve(ctx, p.HTTPAddr, p.board, p.registry, p.version)
	if err != nil {
		return "", err
	}
	undo.Add("stop probes", program.Bounded(stopProbes))
	p.log.Info("probes served", "address", address)
	undo.Add("stop reading negotiators", program.Background(p.people.Run))
	if p.file != nil {
		p.board.Func("tenants", func() probe.Result { return followed(p.file, p.people) })
		undo.Add("stop following the tenants", program.Background(func(ctx context.Context) { p.file.Follow(ctx, p.people) }))
	}
	return address, nil
}

// connect waits for NATS and for streams that are as the contract says.
func (p *parts) connect(ctx context.Context, undo *program.Cleanups) (jetstream.JetStream, *bus.Leases, error) {
	nc, err := bus.Connect(ctx, p.Config, name, p.log)
	if err != nil {
		return nil, nil, err
	}
	undo.Add("close NATS", func() error { nc.Close(); return nil })
	p.board.Func("nats", func() probe.Result { return bus.Online(nc.IsConnected()) })
	telemetry.NATS(p.registry, nc.IsConnected, func() uint64 { return nc.Stats().Reconnects })
	js, err := bus.JetStream(nc)
	if err != nil {
		return nil, nil, err
	}
	if err := bus.Prepare(ctx, js, p.Config, p.log, uses()...); err != nil {
		return nil, nil, err
	}
	go bus.Watch(ctx, js, p.Config, uses(), p.board, p.streams)
	leases, err := bus.OpenLeases(ctx, js, p.log)
	return js, leases, err
}

func (p *parts) engine(js jetstream.JetStream, leases *bus.Leases) *engine {
	return &engine{
		js: js, leases: leases, reapit: p.client, directory: p.people, budget: p.allowed, deadlines: p.deadlines(),
		slots: p.Concurrency, group: p.Group, format: p.Format, shadow: p.Shadow, ttl: p.LeaseTTL,
		drain: max(p.ShutdownTimeout-wrapUp, p.ShutdownTimeout/2), instance: p.instance(), seen: p.seen, log: p.log, now: time.Now,
	}
}
