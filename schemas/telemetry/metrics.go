package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics is the registry of one process, with the collectors of the Go runtime
// and the process and with the build's description in it.
func Metrics(program, version, revision string) *prometheus.Registry {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: BuildInfo, Help: "Always 1; the labels say which build is running.",
		ConstLabels: prometheus.Labels{"program": program, "version": version, "revision": revision, "goversion": runtime.Version()},
	})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
