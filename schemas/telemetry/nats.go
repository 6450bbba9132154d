package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// NATS registers what every service tells of its connection to NATS. A
// reconnect is a connection made again: the first one is none.
func NATS(registry prometheus.Registerer, connected func() bool, reconnects func() uint64) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: NATSConnected, Help: "1 while connected to NATS."}, func() float64 {
			if connected() {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: NATSReconnects, Help: "Connections made to NATS again."}, func() float64 {
			return float64(reconnects())
		}),
	)
}

// Streams registers what a service tells of the streams and buckets it uses.
func Streams(registry prometheus.Registerer, differ func() bool, unanswered func() time.Duration) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: StreamsDiffer, Help: "1 while a stream or bucket in use is missing or not as the contract says."}, func() float64 {
			if differ() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: StreamsUnanswered, Help: "Since how long NATS, connected or not, answers nothing about the streams in use, or that one of them has no leader; 0 otherwise. Looked up every 10 s.",
		}, func() float64 { return unanswered().Seconds() }),
	)
}
