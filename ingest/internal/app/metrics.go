package app

import (
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/ingest/internal/feed"
	"ringstream/ingest/internal/hub"
	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

// metrics counts; it is the observer of hub, feed and outlet.
type metrics struct {
	messages, published, connections, letters *prometheus.CounterVec
	renewals                                  *prometheus.CounterVec
	swallowed, lost, unheard                  prometheus.Counter
	delay                                     prometheus.Histogram
	progress                                  prometheus.Gauge
	skewNow                                   *prometheus.GaugeVec // without labels: there is none before the first event

	log   *slog.Logger
	skew  skew
	heard map[string]prometheus.Counter // of messages, by type: as it is documented and in lower case
	other prometheus.Counter            // of messages of any other type

	stored, doubled prometheus.Counter // of published
}

func newMetrics(log *slog.Logger) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		messages:    vector(telemetry.IngestMessages, "Messages received from the hub.", "event_type"),
		published:   vector(telemetry.IngestPublished, "Messages that JetStream has, new or known already.", "result"),
		connections: vector(telemetry.IngestConnections, "Connections and attempts that ended, by cause.", "reason"),
		letters:     vector(telemetry.IngestDeadLetters, "Messages that the stream refused for good, and records of the hub that are no message.", "reason"),
		renewals:    vector(telemetry.IngestRenewals, "Attempts to fetch the token for the next connection while the present one is live.", "result"),
		swallowed:   counter(telemetry.IngestSwallowed, "Records of the hub that are no message: unknown callbacks, answers to nothing that was asked, and broken ones."),
		lost:        counter(telemetry.IngestLost, "Messages received and not stored."),
		unheard:     counter(telemetry.IngestUnheard, "Events that another replica heard and this one did not, though it listened and had them subscribed."),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: telemetry.IngestPublishDelay, Help: "From arrival to the stream's ack, of the message and of all that arrived before it.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		progress: prometheus.NewGauge(prometheus.GaugeOpts{Name: telemetry.LastProgressSeconds, Help: "When the last message was stored."}),
		skewNow: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: telemetry.IngestHubSkew, Help: "How far the hub's clock is behind ours: the least age of the events of the last minute on arrival.",
		}, nil),
		log:   log,
		heard: map[string]prometheus.Counter{},
	}
	for _, t := range rte.EntityTypes() {
		for _, name := range rte.EventNames(t) {
			m.heard[name] = m.messages.WithLabelValues(name)
			m.heard[strings.ToLower(name)] = m.heard[name]
		}
	}
	m.other = m.messages.WithLabelValues("other")
	m.stored, m.doubled = m.published.WithLabelValues("stored"), m.published.WithLabelValues("duplicate")
	for _, cause := range session.Causes() {
		m.connections.WithLabelValues(string(cause))
	}
	for _, reason := range []string{feed.TooLarge, feed.NotReadable} {
		m.letters.WithLabelValues(reason) // the first one of a kind is an increase, too
	}
	for _, result := range []string{"renewed", "failed"} {
		m.renewals.WithLabelValues(result)
	}
	return m
}

// register adds what is counted here and what is read from others.
func (m *metrics) register(registry *prometheus.Registry, o *outlet, status func() hub.Status) {
	registry.MustRegister(m.messages, m.published, m.connections, m.letters, m.renewals, m.swallowed, m.lost, m.unheard, m.delay, m.progress, m.skewNow)
	gauge := func(name, help string, labels prometheus.Labels, value func() int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(value()) }))
	}
	gauge(telemetry.IngestQueued, "Messages received and not stored yet, and those behind them.", nil, func() int { return o.spool.Waiting() })
	gauge(telemetry.IngestUnsafe, "Messages received and not stored yet that are in memory only, because SPOOL_DIR takes nothing.", nil, func() int { return o.spool.State().Unsafe })
	gauge(telemetry.IngestSpoolBytes, "Bytes that the spool takes on disk.", nil, func() int { return int(o.spool.State().Bytes) })
	telemetry.NATS(registry, o.connected.Load, o.reconnects)
	gauge(telemetry.IngestConnected, "1 while a connection to the hub stands.", nil, func() int { return one(status().Connected) })
	registry.MustRegister(newRefusals(status))
	for state, value := range map[string]func(hub.Status) int{
		"wanted":  func(s hub.Status) int { return s.Wanted },
		"held":    func(s hub.Status) int { return s.Held },
		"refused": func(s hub.Status) int { return s.Refused },
	} {
		gauge(telemetry.IngestSubscriptions, "Subscriptions at the hub.", prometheus.Labels{"state": state}, func() int { return value(status()) })
	}
}

// refusals is a collector of the refused subscriptions, each by name.
type refusals struct {
	about  *prometheus.Desc
	status func() hub.Status
}

func newRefusals(status func() hub.Status) refusals {
	return refusals{prometheus.NewDesc(telemetry.IngestRefused, "1 for each subscription that the hub refuses, for the first 100 of them.",
		[]string{"entity", "event_type", "reason"}, nil), status}
}

// Describe implements [prometheus.Collector].
func (r refusals) Describe(all chan<- *prometheus.Desc) { all <- r.about }

// Collect implements [prometheus.Collector].
func (r refusals) Collect(all chan<- prometheus.Metric) {
	for _, item := range r.status().Refusals {
		all <- prometheus.MustNewConstMetric(r.about, prometheus.GaugeValue, 1, item.EntityID, item.EventName, item.Message)
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// received counts a message. Types that are not known share one label, since
// anybody may invent some.
func (m *metrics) received(r event.Raw, arrived time.Time) {
	count, known := m.heard[r.EventType]
	if !known {
		count, known = m.heard[strings.ToLower(r.EventType)]
	}
	if !known {
		count = m.other
	}
	count.Inc()
	if m.skew.arrived(arrived, r.Timestamp) {
		m.compared()
	}
}

// compared tells when the hub's clock went astray, and when it came back.
// Deliver does not go by it, but what it shows of a call is dated by it.
func (m *metrics) compared() {
	behind := m.skew.value().Round(time.Millisecond)
	m.skewNow.WithLabelValues().Set(behind.Seconds())
	switch turned := m.skew.turned(); {
	case turned && m.skew.far:
		m.log.Warn("the hub's clock and ours differ; calls are dated by the hub's", "behind_by", behind.String(), "tolerated", tolerable.String())
	case turned:
		m.log.Info("the hub's clock and ours agree again", "behind_by", behind.String())
	}
}

// Ended implements [hub.Observer].
func (m *metrics) Ended(cause session.Cause) { m.connections.WithLabelValues(string(cause)).Inc() }

// Swallowed implements [hub.Observer].
func (m *metrics) Swallowed(reason string) {
	m.swallowed.Inc()
	m.letters.WithLabelValues(reason).Inc()
}

// Renewed implements [hub.Observer].
func (m *metrics) Renewed(err error) {
	result := "renewed"
	if err != nil {
		result = "failed"
	}
	m.renewals.WithLabelValues(result).Inc()
}
