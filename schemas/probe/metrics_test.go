package probe_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/schemas/probe"
)

// Exemplars are only in what OpenMetrics asks for; everybody else gets what he
// has always got.
func TestMetricsSpeakOpenMetricsToWhoAsks(t *testing.T) {
	registry := prometheus.NewRegistry()
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ringstream_test_seconds", Help: "took", Buckets: []float64{1}})
	took.(prometheus.ExemplarObserver).ObserveWithExemplar(0.5, prometheus.Labels{"trace_id": "abc"})
	registry.MustRegister(took)
	handler := probe.Handler(probe.New(), registry, nil)
	for accept, open := range map[string]bool{
		"": false, "*/*": false, "text/plain;version=0.0.4": false,
		"application/openmetrics-text;version=1.0.0": true, "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5": true,
	} {
		ask := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		ask.Header.Set("Accept", accept)
		said := httptest.NewRecorder()
		handler.ServeHTTP(said, ask)
		body := said.Body.String()
		if strings.Contains(body, `# {trace_id="abc"} 0.5`) != open || strings.HasSuffix(body, "# EOF\n") != open || !strings.Contains(body, "ringstream_test_seconds_count 1") {
			t.Errorf("%q: %s", accept, body)
		}
	}
}
