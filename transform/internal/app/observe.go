package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/probe"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/fold"
)

// observer turns what the partitions do into metrics, readiness, log lines and spans.
type observer struct {
	log      *slog.Logger
	tracer   trace.Tracer
	progress *probe.Progress
	duties   *probe.Duties

	raw        *prometheus.CounterVec
	ignored    *prometheus.CounterVec
	emitted    *prometheus.CounterVec
	unreadable prometheus.Counter
	fences     *prometheus.CounterVec
	leases     *prometheus.GaugeVec
	taken      *prometheus.CounterVec
	open       *prometheus.GaugeVec
	lag        *prometheus.GaugeVec
	behind     *prometheus.GaugeVec
	delay      prometheus.Histogram
	appends    *prometheus.HistogramVec
	lastStored prometheus.Gauge
	merge      *prometheus.GaugeVec
	restarts   prometheus.Counter

	mu      sync.Mutex
	folding map[int]*folding
	mine    map[int]bool   // partitions that are this replica's to fold
	stalled map[int]string // partitions that CALLS does not follow, and what is done about it
}

// folding is what is told of a partition under its lease. Its gauges are looked up
// once: every message of RTE sets them.
type folding struct {
	open, lag prometheus.Gauge
	pending   uint64
	read      time.Time // when the newest message read was stored
}

func observe(registry prometheus.Registerer, log *slog.Logger, patience time.Duration) *observer {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	o := &observer{
		log: log, tracer: otel.Tracer("ringstream/transform"), progress: probe.NewProgress(stallLimit), duties: probe.NewDuties(patience), folding: map[int]*folding{}, mine: map[int]bool{}, stalled: map[int]string{},
		raw:        counter(telemetry.TransformRaw, "Raw events of calls read, refolded ones included.", "verdict"),
		ignored:    counter(telemetry.TransformSkipped, "Messages of RTE that belong to no call, refolded ones included.", "reason"),
		emitted:    counter(telemetry.TransformCallEvents, "Call events appended to the logs.", "type", "inferred"),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{Name: telemetry.TransformUnreadable, Help: "Messages of RTE that could not be read and were skipped."}),
		fences:     counter(telemetry.LogFenceConflicts, "Times that another writer was found in a log.", "stream"),
		leases:     gauge(telemetry.LeaseHeld, "1 while this replica holds the lease.", "lease"),
		taken:      counter(telemetry.LeaseChanges, "Leases taken.", "lease"),
		open:       gauge(telemetry.TransformOpenCalls, "Calls that are not closed.", "partition"),
		lag:        gauge(telemetry.TransformLag, "Messages of RTE not read yet.", "partition"),
		behind: gauge(telemetry.TransformLagSeconds, "From when the newest message read was stored to when that of RTE was: the stream's times, looked up every 2 s. "+
			"Of a stream in which nothing is stored, heartbeats included, it does not grow.", "partition"),
		merge:      gauge(telemetry.TransformMergeLag, "For how long CALLS has lacked something that the log has; looked up twice a second.", "partition"),
		restarts:   prometheus.NewCounter(prometheus.CounterOpts{Name: telemetry.TransformRestarts, Help: "Times that the leader of CALLS was asked to step down because CALLS did not follow a log."}),
		lastStored: prometheus.NewGauge(prometheus.GaugeOpts{Name: telemetry.LastProgressSeconds, Help: "When the last call event or snapshot was stored."}),
		appends: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: telemetry.LogAppendSeconds, Help: "From a call event or snapshot being sent to its being acknowledged.", Buckets: prometheus.ExponentialBuckets(0.0002, 2, 15),
		}, []string{"stream"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: telemetry.TransformDelay, Help: "From a raw event being stored to its call event being appended, seconds.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
	}
	registry.MustRegister(o.raw, o.ignored, o.emitted, o.unreadable, o.fences, o.leases, o.taken, o.open, o.lag, o.behind, o.delay, o.appends, o.lastStored, o.merge, o.restarts)
	return o
}

// assigned tells whether a partition is this replica's to fold.
func (o *observer) assigned(partition int, mine bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mine[partition] = mine
	if mine {
		o.duties.Undone(lease(partition), "not folding, its lease is not to be had")
		return
	}
	o.duties.Done(lease(partition))
}

func (o *observer) held(partition int, held bool) {
	if held {
		o.leases.WithLabelValues(lease(partition)).Set(1)
		o.taken.WithLabelValues(lease(partition)).Inc()
		o.fences.WithLabelValues(topology.CallLog(partition))
		return
	}
	o.leases.WithLabelValues(lease(partition)).Set(0)
	o.open.DeleteLabelValues(strconv.Itoa(partition))
	o.lag.DeleteLabelValues(strconv.Itoa(partition))
	o.behind.DeleteLabelValues(strconv.Itoa(partition))
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.folding, partition)
	o.waiting()
}

// merging tells for how long CALLS has lacked something of a partition's log,
// and, when it does not go on, what is done about it.
func (o *observer) merging(partition int, lag time.Duration, remedy string) {
	o.merge.WithLabelValues(strconv.Itoa(partition)).Set(lag.Seconds())
	o.mu.Lock()
	defer o.mu.Unlock()
	if remedy == "" {
		delete(o.stalled, partition)
		return
	}
	o.stalled[partition] = "CALLS does not follow, " + remedy
}

// unmerged means that another replica looks after the partition.
func (o *observer) unmerged(partition int) {
	o.merge.DeleteLabelValues(strconv.Itoa(partition))
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.stalled, partition)
}

// merged is told with readiness and does not decide it: another replica would
// fare no better.
func (o *observer) merged() probe.Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	words := make([]string, 0, len(o.stalled))
	for _, p := range slices.Sorted(maps.Keys(o.stalled)) {
		words = append(words, lease(p)+": "+o.stalled[p])
	}
	if len(words) == 0 {
		return probe.Result{OK: true, Detail: "CALLS follows the logs that this replica holds"}
	}
	return probe.Result{OK: true, Detail: strings.Join(words, "; ")}
}

// newest tells when the newest message of RTE was stored.
func (o *observer) newest(stored time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for partition, p := range o.folding {
		o.behind.WithLabelValues(strconv.Itoa(partition)).Set(max(0, stored.Sub(p.read).Seconds()))
	}
}

// refused counts the refusals of a log. That of a lease, which has a fence as
// well, is none.
func (o *observer) refused(partition int, err error) {
	if errors.Is(err, bus.ErrFenced) && !errors.Is(err, bus.ErrLeaseLost) {
		o.fences.WithLabelValues(topology.CallLog(partition)).Inc()
	}
}

// interrupted tells why a partition is not folded at the moment.
func (o *observer) interrupted(partition int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mine[partition] {
		o.duties.Undone(lease(partition), "not folding, "+err.Error())
	}
}

func lease(partition int) string { return "partition." + strconv.Itoa(partition) }

// Started implements fold.Observer.
func (o *observer) Started(partition int, from uint64) {
	o.duties.Done(lease(partition))
	o.log.Info("folding", telemetry.Partition, partition, "from", from)
}

// Stepped implements fold.Observer.
func (o *observer) Stepped(partition int, m bus.Message, f *fold.Fold, s fold.Step) {
	switch {
	case s.Unread: // counted
	case !s.Skipped:
		o.raw.WithLabelValues(s.Verdict.String()).Inc()
	case strings.HasPrefix(m.Subject, "feed."):
		o.ignored.WithLabelValues("coverage").Inc()
	default:
		o.ignored.WithLabelValues("no-call").Inc()
	}
	o.reached(partition, m, f.Open())
	o.progress.Done()
}

func (o *observer) reached(partition int, m bus.Message, open int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.folding[partition]
	if p == nil {
		label := strconv.Itoa(partition)
		p = &folding{open: o.open.WithLabelValues(label), lag: o.lag.WithLabelValues(label)}
		o.folding[partition] = p
	}
	p.open.Set(float64(open))
	p.lag.Set(float64(m.Pending))
	p.pending, p.read = m.Pending, m.Stored
	o.waiting()
}

// waiting is called under the lock.
func (o *observer) waiting() {
	sum := 0
	for _, p := range o.folding {
		sum += int(p.pending) //nolint:gosec // messages in a stream fit an int
	}
	o.progress.Waiting(sum)
}

// Stored implements fold.Observer.
func (o *observer) Stored(partition int, took time.Duration) {
	o.appends.WithLabelValues(topology.CallLog(partition)).Observe(took.Seconds())
	o.lastStored.SetToCurrentTime()
}

// Unreadable implements fold.Observer. Many of them are many lines only as far
// as the logger's limit of repeats lets them.
func (o *observer) Unreadable(partition int, m bus.Message, err error) {
	o.unreadable.Inc()
	o.log.Error("unreadable message skipped", telemetry.Partition, partition, telemetry.Stream, topology.RTE, telemetry.Seq, m.Seq,
		"subject", m.Subject, telemetry.Error, err, "see", "nats stream get "+topology.RTE+" "+strconv.FormatUint(m.Seq, 10))
}

// Emitted implements fold.Observer.
func (o *observer) Emitted(partition int, out fold.Output, at bus.Message, header map[string][]string) {
	c := out.Call
	o.emitted.WithLabelValues(string(c.Type), strconv.FormatBool(c.Inferred)).Inc()
	now := time.Now()
	o.delay.Observe(now.Sub(at.Stored).Seconds())
	if ctx := o.span(partition, out, header, at.Stored, now); o.log.Enabled(ctx, slog.LevelInfo) {
		o.log.LogAttrs(ctx, slog.LevelInfo, "call event", slog.String(telemetry.EventType, string(c.Type)), slog.String(telemetry.EventID, c.EventID()),
			slog.String(telemetry.Org, c.OrganizationID), slog.Int("audience", len(c.Audience)), slog.String("caller", telemetry.Mask(c.Caller)),
			slog.String("cause", c.Cause.EventID), slog.Bool("inferred", c.Inferred), slog.Int(telemetry.Partition, partition))
	}
}

// span records one that ends where the event's traceparent says that the next
// one begins, if anybody is told of it, and returns a context of the trace.
func (o *observer) span(partition int, out fold.Output, header map[string][]string, from, until time.Time) context.Context {
	ctx := context.Background()
	own, ok := telemetry.ParseTraceparent(first(header["ce-"+event.ExtTraceParent]))
	if !telemetry.Recording() {
		return trace.ContextWithRemoteSpanContext(ctx, own)
	}
	if parent, ok := telemetry.ParseTraceparent(out.Trace); ok {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	if ok {
		ctx = telemetry.WithIDs(ctx, own.TraceID(), own.SpanID())
	}
	ctx, span := o.tracer.Start(ctx, "fold "+string(out.Call.Type), trace.WithTimestamp(from), trace.WithAttributes(
		attribute.String("call.id", out.Call.CallID), attribute.String("event.id", out.Call.EventID()), attribute.Int("partition", partition)))
	span.End(trace.WithTimestamp(until))
	return ctx
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
