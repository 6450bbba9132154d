package telemetry

import "github.com/prometheus/client_golang/prometheus"

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
