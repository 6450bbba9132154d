package replay

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/schemas/probe"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/watch"
)

// behindLimit is how old what is known of a stream may be. Every second there is
// something in RTE, and how the others stand is looked up as often.
const behindLimit = 30 * time.Second

// gauges are what watch tells of itself.
type gauges struct {
	violations, messages *prometheus.CounterVec
	awaited, calls       prometheus.Gauge
	forgotten, gaps      prometheus.Counter

	began time.Time

	mu     sync.Mutex
	asOf   map[string]time.Time // up to when each stream is known
	oldest time.Time            // what CALLS lacks
	lost   int
}

func measure(registry prometheus.Registerer) *gauges {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	g := &gauges{
		violations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: telemetry.WatchViolations, Help: "Violations of what is promised, by kind."}, []string{"kind"}),
		messages:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: telemetry.WatchMessages, Help: "Messages looked at."}, []string{"stream"}),
		awaited:    gauge(telemetry.WatchAwaited, "Deliveries that have no outcome yet."),
		calls:      gauge(telemetry.WatchCalls, "Calls remembered."),
		forgotten:  counter(telemetry.WatchForgotten, "Calls and call events that were too many to remember, and are not judged."),
		gaps:       counter(telemetry.WatchGaps, "Spans in which somebody, or everybody, was not listened to, that began while it watched."),
		asOf:       map[string]time.Time{}, began: time.Now(),
	}
	for _, k := range watch.Kinds() {
		g.violations.WithLabelValues(string(k)) // 0 is worth knowing
	}
	registry.MustRegister(g.violations, g.messages, g.awaited, g.calls, g.forgotten, g.gaps)
	for _, name := range watchedStreams {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: telemetry.WatchLag, Help: "How old what is known of the stream is.", ConstLabels: prometheus.Labels{"stream": name},
		}, func() float64 { return g.age(name).Seconds() }))
	}
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: telemetry.WatchUntold, Help: "Since RTE stored the oldest message of which CALLS lacks an event; 0 when it lacks none.",
	}, g.untold))
	return g
}

var watchedStreams = []string{topology.RTE, topology.Calls, topology.Deliveries}

func (g *gauges) violation(k watch.Kind) { g.violations.WithLabelValues(string(k)).Inc() }
func (g *gauges) took(stream string)     { g.messages.WithLabelValues(stream).Inc() }

// state takes in how far all is known.
func (g *gauges) state(w *watcher) {
	g.awaited.Set(float64(w.checker.Awaited()))
	g.calls.Set(float64(w.checker.Calls()))
	g.gaps.Add(float64(w.lapses.count()))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgotten.Add(float64(w.checker.Forgotten() - g.lost))
	g.lost, g.oldest = w.checker.Forgotten(), w.checker.Oldest()
	for _, f := range w.all() {
		g.asOf[f.name] = f.asOf
	}
}

// age is how long ago the stream was known up to its end.
func (g *gauges) age(stream string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.asOf[stream]
	if known.IsZero() {
		known = g.began
	}
	return max(time.Since(known), 0)
}

func (g *gauges) begun(stream string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.asOf[stream].IsZero()
}

func (g *gauges) untold() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.oldest.IsZero() {
		return 0
	}
	return max(time.Since(g.oldest), 0).Seconds()
}

// current is the condition that what is known is of now.
func (g *gauges) current() probe.Result {
	var late []string
	for _, name := range watchedStreams {
		if age := g.age(name); age > behindLimit || !g.begun(name) {
			late = append(late, fmt.Sprintf("%s is known up to %s ago (limit %s)", name, age.Round(time.Second), behindLimit))
		}
	}
	if len(late) > 0 {
		return probe.Result{Detail: strings.Join(late, "; ")}
	}
	return probe.Result{OK: true, Detail: "up to now"}
}
