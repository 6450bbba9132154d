package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/probe"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

// Roles of a replica.
const (
	starting int32 = iota
	standby
	leading
)

const (
	// stalled is how long work may wait without any being done.
	stalled = time.Minute
	// patience is how long one term after the other may fail.
	patience   = 10 * time.Second
	delivering = "delivering"
	// unreadable is the reason of a dead letter that is no call event.
	unreadable = "unreadable"
)

// observer tells what happens: metrics, log lines and the state for the probes.
type observer struct {
	log      *slog.Logger
	progress *probe.Progress
	duties   *probe.Duties
	reapit   *standing
	is       atomic.Int32 // role
	led      atomic.Bool  // another replica delivers, as far as one that knows no negotiators can tell
	shadow   bool
	parked   map[string]string

	latency                                                     latency
	oldest                                                      oldest
	outcomes, requests, tries, tokens, letters, changes, fenced *prometheus.CounterVec
	requestTime                                                 prometheus.Histogram
	snapshots, appends                                          *prometheus.HistogramVec
	queued, parkedNow                                           *prometheus.GaugeVec
	flying, unreadNow, unresolvedNow, lastDone                  prometheus.Gauge
}

func newObserver(log *slog.Logger, reapit *standing, deadlines schedule.Deadlines) *observer {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	single := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	return &observer{
		log: log, progress: probe.NewProgress(stalled), duties: probe.NewDuties(patience), reapit: reapit,
		outcomes: counter(telemetry.DeliverOutcomes, "Deliveries that ended, and why.", "outcome", "type", "cause"),
		requests: counter(telemetry.DeliverRequests, "Notifications posted, by HTTP status or by what came instead.", "code"),
		tries:    counter(telemetry.DeliverAttempts, "Attempts, by class of the answer and by what followed.", "class", "action"),
		tokens:   counter(telemetry.DeliverTokens, "Tokens asked for, by what came of it.", "result"),
		letters:  counter(telemetry.DeliverDeadLetters, "Dead letters stored.", "reason"),
		changes:  counter(telemetry.LeaseChanges, "Leases taken.", "lease"),
		fenced:   counter(telemetry.LogFenceConflicts, "Appends refused because somebody else had written.", "stream"),
		requestTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: telemetry.DeliverRequestTime, Help: "From sending a notification to Reapit's answer.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}),
		latency: newLatency(deadlines),
		snapshots: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: telemetry.LogSnapshotSeconds, Help: "Time to store a snapshot.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"stream"}),
		appends: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: telemetry.LogAppendSeconds, Help: "Time to store an outcome.", Buckets: prometheus.ExponentialBuckets(0.0002, 2, 15),
		}, []string{"stream"}),
		queued:        gauge(telemetry.DeliverQueued, "Deliveries that wait or are under way.", "type"),
		parkedNow:     gauge(telemetry.DeliverParked, "1 for a customer who is parked because Reapit refuses it.", "customer", "cause"),
		flying:        single(telemetry.DeliverInFlight, "Deliveries under way."),
		unresolvedNow: single(telemetry.DeliverUnresolved, "Call events that wait for the negotiators of their customer."),
		unreadNow:     single(telemetry.DeliverUnread, "Call events that are not taken in yet, by this replica or, while it knows no negotiators, by any."),
		lastDone:      single(telemetry.LastProgressSeconds, "When the last outcome was stored."),
	}
}

// register adds what is counted here and what is read from others.
func (o *observer) register(r *prometheus.Registry, b *budget, people *directory.Directory, file *directory.File) {
	r.MustRegister(o.outcomes, o.requests, o.tries, o.tokens, o.letters, o.changes, o.fenced, o.requestTime,
		o.snapshots, o.appends, o.queued, o.parkedNow, o.flying, o.unreadNow, o.unresolvedNow, o.lastDone)
	read := func(name, help string, labels prometheus.Labels, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	read(telemetry.LeaseHeld, "1 while this replica is the one that delivers.", prometheus.Labels{"lease": leaseKey}, func() float64 {
		if o.is.Load() == leading {
			return 1
		}
		return 0
	})
	read(telemetry.DeliverBudgetLeft, "Requests left of the day's.", nil, func() float64 { return float64(b.left()) })
	o.latency.register(r)
	o.oldest.register(r)
	registerBudget(r, b)
	read(telemetry.DeliverPaused, "For how much longer nothing is sent because of Reapit's limits.", nil, func() float64 { return o.reapit.pause().Seconds() })
	read(telemetry.DeliverFailing, "Since how long no attempt has succeeded, or none to read the negotiators at all; 0 while they do.", nil,
		func() float64 { return max(o.reapit.failing(), unknown(people)).Seconds() })
	for _, t := range notified { // what has never happened has a rate, too
		o.latency.post.WithLabelValues(string(t))
		o.latency.answer.WithLabelValues(string(t))
		o.latency.retries.WithLabelValues(string(t))
		for _, cause := range event.Causes(event.Expired) {
			o.outcomes.WithLabelValues(string(event.Expired), string(t), cause)
		}
	}
	o.fenced.WithLabelValues(topology.Deliveries)
	for _, reason := range slices.Concat(event.Causes(event.Rejected), event.Causes(event.Dead), []string{unreadable}) {
		o.letters.WithLabelValues(reason)
	}
	r.MustRegister(newRosters(people, file))
	for _, reason := range directory.Reasons() {
		read(telemetry.DeliverUnmapped, "Users who were no negotiator when they last took part in a call that this replica took in.",
			prometheus.Labels{"reason": reason}, func() float64 { return float64(people.Unmapped()[reason]) })
	}
}

func sum(counts map[string]int) (n int) {
	for _, one := range counts {
		n += one
	}
	return n
}

// unread tells how many call events wait for somebody to take them in.
func (o *observer) unread(n uint64) { o.unreadNow.Set(float64(n)) }

func (o *observer) role(r int32) {
	if was := o.is.Swap(r); was == r {
		return
	}
	if r == leading {
		o.changes.WithLabelValues(leaseKey).Inc()
		return
	}
	o.progress.Waiting(0)
	o.reapit.reset()
	o.queued.Reset()
	o.oldest.set(nil)
	o.parked = nil
	o.parkedNow.Reset()
	o.flying.Set(0)
	o.unreadNow.Set(0)
	o.unresolvedNow.Set(0)
}

// done tells that the call events up to the present one are taken in, by this
// replica or by another.
func (o *observer) done() { o.duties.Done(delivering) }

// ended tells why a term ended.
func (o *observer) ended(err error) {
	o.duties.Undone(delivering, "the term ended, "+bus.Offline(err).Error())
	if errors.Is(err, bus.ErrFenced) {
		o.fenced.WithLabelValues(topology.Deliveries).Inc()
	}
}

// conditions states what readiness is made of. None of them is one of life:
// Reapit does not come back because this process is started again, and what it
// has under way would be in doubt.
func (o *observer) conditions(b *probe.Board) {
	b.Func("role", o.condition)
	b.Func("progress", o.progress.Result)
	b.Func("log", o.duties.Result)
	b.Func("reapit", o.reapit.Result)
}

func (o *observer) condition() probe.Result {
	switch o.is.Load() {
	case leading:
		if o.shadow {
			return probe.Result{OK: true, Detail: "delivering in shadow: nothing is sent to Reapit (DELIVER_SHADOW)"}
		}
		return probe.Result{OK: true, Detail: "delivering"}
	case standby:
		return probe.Result{OK: true, Detail: "standby"}
	default:
		return probe.Result{Detail: "not started yet"}
	}
}

// state tells what waits.
func (o *observer) state(m memory, unread uint64, waiting int) {
	o.unresolvedNow.Set(float64(sum(m.Unresolved())))
	for t, n := range m.Queued() {
		o.queued.WithLabelValues(string(t)).Set(float64(n))
	}
	if o.oldest.due() {
		o.oldest.set(m.Oldest())
	}
	o.flying.Set(float64(m.Flying()))
	o.unreadNow.Set(float64(unread))
	o.progress.Waiting(int(unread) + m.Flying() + waiting) //nolint:gosec // far from overflowing
	now := m.Parked()
	o.reapit.waits(now, m.Paused())
	if !maps.Equal(now, o.parked) {
		o.parked = now
		o.parkedNow.Reset()
		for customer, cause := range now {
			o.parkedNow.WithLabelValues(customer, cause).Set(1)
		}
	}
}

func (o *observer) appended(took time.Duration) {
	o.appends.WithLabelValues(topology.Deliveries).Observe(took.Seconds())
}

func (o *observer) snapshot(took time.Duration) {
	o.snapshots.WithLabelValues(topology.Deliveries).Observe(took.Seconds())
}

// token counts one request for a token.
func (o *observer) token(k reapit.Kind) {
	result := string(k)
	if k == reapit.Answered {
		result = "given"
	}
	o.tokens.WithLabelValues(result).Inc()
}

func (o *observer) letter(reason string) { o.letters.WithLabelValues(reason).Inc() }

// attempt counts one attempt; one that did not succeed has a line of its own.
func (o *observer) attempt(ctx context.Context, q schedule.Request, r reapit.Result, v delivery.Verdict) {
	d, code, class := q[0], string(r.Kind), string(r.Kind)
	if r.Kind == reapit.Answered {
		code, class = strconv.Itoa(r.Status), strconv.Itoa(r.Status/100)+"xx"
	}
	if posted(r.Kind) {
		o.requests.WithLabelValues(code).Inc()
		o.requestTime.Observe(r.Took.Seconds())
		o.latency.posted(q, r.Begun)
	}
	o.tries.WithLabelValues(class, string(v.Action)).Inc()
	o.reapit.attempt(d.Customer, d.Call.CallID, r, v)
	o.reapit.limited(r, v)
	if v.Reason == "" {
		return
	}
	level := slog.LevelWarn
	if v.Action == delivery.Park {
		level = slog.LevelError
	}
	o.log.Log(ctx, level, "attempt did not succeed", telemetry.EventID, d.Call.EventID(), telemetry.Customer, d.Customer,
		telemetry.Negotiator, strings.Join(negotiators(q), ","), telemetry.Reason, v.Cause, "detail", v.Reason, "then", v.Action,
		"wait", v.Wait.Round(time.Millisecond).String(), "attempt", d.Attempts+1)
}

// outcome is told when the log has the outcome: one wide line.
func (o *observer) outcome(r schedule.Record, x event.Outcome) {
	o.outcomes.WithLabelValues(string(x.Outcome), string(x.Type), x.Cause).Inc()
	o.lastDone.SetToCurrentTime()
	age := max(0, x.FinishedAt.Sub(r.Delivery.Heard())) // two clocks may differ
	if x.Outcome == event.Delivered && x.Redrive == 0 {
		o.latency.answered(&r.Delivery, age)
	}
	trace := traceOf(&r.Delivery)
	users := make([]string, len(x.Users))
	for i, u := range x.Users {
		users[i] = u.UserID
	}
	o.log.Info("delivery", telemetry.Outcome, x.Outcome, telemetry.EventType, x.Type, telemetry.CallID, x.CallID, telemetry.EventID, x.EventID,
		telemetry.Org, x.OrganizationID, telemetry.Customer, x.Customer, telemetry.Negotiator, x.NegotiatorID, "users", users, "redrive", x.Redrive,
		telemetry.Number, telemetry.Mask(r.Delivery.Call.Caller), telemetry.Cause, x.Cause, telemetry.Reason, x.Reason, "attempts", x.Attempts, "status", x.Status,
		"request_id", x.RequestID, "latency_ms", x.LatencyMS, "age_ms", age.Milliseconds(),
		telemetry.Stream, topology.Calls, telemetry.Seq, r.Delivery.Position, telemetry.TraceIDKey, trace)
}
