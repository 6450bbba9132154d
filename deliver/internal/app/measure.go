package app

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

// notified are the call events that Reapit has a notification for.
var notified = []event.CallType{event.Incoming, event.Answered, event.Ended, event.Missed}

// latency is how long it takes from a ring to the screen, as far as is seen from
// here. Each bucket has an exemplar: the trace of a call that took so long.
type latency struct {
	post, answer *prometheus.HistogramVec // by type
	retries      *prometheus.CounterVec
}

// edges tell a pop that comes at once from one that nobody sees any more. An
// objective such as "within 1 s" and each deadline need an edge of their own.
func edges(deadlines schedule.Deadlines) []float64 {
	all := []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 120, 600, 3600, 86400}
	for _, d := range deadlines {
		all = append(all, d.Seconds())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func newLatency(deadlines schedule.Deadlines) latency {
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: edges(deadlines)}, []string{"type"})
	}
	return latency{
		post:    histogram(telemetry.DeliverPostDelay, "From ingest hearing of the event to the first POST, answered or not."),
		answer:  histogram(telemetry.DeliverDelay, "From ingest hearing of the event to the answer with which Reapit accepted it."),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: telemetry.DeliverRetries, Help: "POSTs that repeat an earlier one of their delivery."}, []string{"type"}),
	}
}

func (l latency) register(r *prometheus.Registry) { r.MustRegister(l.post, l.answer, l.retries) }

// posted is told of a request that was sent.
func (l latency) posted(q schedule.Request, at time.Time) {
	if q[0].Attempts > 0 {
		l.retries.WithLabelValues(string(q[0].Call.Type)).Inc()
	}
	for _, d := range q {
		if d.Attempts == 0 && d.Redrive == 0 {
			observe(l.post, &d, max(0, at.Sub(d.Heard()))) // two clocks may differ
		}
	}
}

// answered is told of a delivery that was accepted.
func (l latency) answered(d *schedule.Delivery, age time.Duration) { observe(l.answer, d, age) }

func observe(h *prometheus.HistogramVec, d *schedule.Delivery, took time.Duration) {
	o := h.WithLabelValues(string(d.Call.Type))
	exemplary, ok := o.(prometheus.ExemplarObserver)
	if trace := traceOf(d); ok && trace != "" {
		exemplary.ObserveWithExemplar(took.Seconds(), prometheus.Labels{telemetry.TraceIDKey: trace})
		return
	}
	o.Observe(took.Seconds())
}

// traceOf is the trace of the call event, if it has one.
func traceOf(d *schedule.Delivery) string {
	parent, ok := telemetry.ParseTraceparent(d.Traceparent)
	if !ok {
		return ""
	}
	return parent.TraceID().String()
}

// oldest tells how long the oldest delivery of each type has been waiting. It
// grows from scrape to scrape, also when nobody looks any more.
type oldest struct {
	mu     sync.Mutex
	heard  map[event.CallType]time.Time
	looked time.Time
}

// lookPause is how often all that waits is looked at.
const lookPause = time.Second

func (o *oldest) due() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Since(o.looked) >= lookPause
}

func (o *oldest) set(heard map[event.CallType]time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard, o.looked = heard, time.Now()
}

func (o *oldest) age(t event.CallType) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	first, waits := o.heard[t]
	if !waits {
		return 0
	}
	return max(0, time.Since(first))
}

func (o *oldest) register(r *prometheus.Registry) {
	for _, t := range notified {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: telemetry.DeliverOldest, Help: "Since ingest heard of the oldest that waits or is under way; 0 when none does.",
			ConstLabels: prometheus.Labels{"type": string(t)},
		}, func() float64 { return o.age(t).Seconds() }))
	}
}

// registerBudget tells how much of each of Reapit's limits is used.
func registerBudget(r *prometheus.Registry, b *budget) {
	for limit, usage := range b.usage() {
		gauge := func(name, help string, value func() float64) {
			r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{"limit": limit}}, value))
		}
		gauge(telemetry.DeliverUsed, "Requests that count now: of the day, within the last second, under way.", func() float64 { return float64(usage.used()) })
		gauge(telemetry.DeliverAllowed, "Requests that the limit allows.", func() float64 { return float64(usage.allowed) })
	}
}

// usage is one limit and how much of it is used.
type usage struct {
	used    func() int
	allowed int
}

func (b *budget) usage() map[string]usage {
	return map[string]usage{
		"day": {func() int { return b.daily - b.left() }, b.daily},
		"second": {func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			free, _ := b.window.room(time.Now())
			return b.window.limit - free
		}, b.window.limit},
		"slots": {b.slots.used, b.slots.size},
	}
}
