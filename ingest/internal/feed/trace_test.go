package feed

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"

	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

func TestSpanHasTheIdsOfItsMessage(t *testing.T) {
	var got bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(&got, r.Body); err != nil {
			t.Error(err)
		}
	}))
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	flush, err := telemetry.Tracing(t.Context(), "ingest", "test")
	if err != nil {
		t.Fatal(err)
	}
	defer otel.SetTracerProvider(noop.NewTracerProvider())
	w, out := recorder(t)
	w.Opened("epoch", "rte.example", now)
	w.Message([]byte(body))
	if err := flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	collector.Close()

	msgID := (*out)[1].Header.Get("Nats-Msg-Id")
	parent, ok := telemetry.ParseTraceparent(header((*out)[1], event.ExtTraceParent))
	if !ok || parent.TraceID() != telemetry.TraceID(msgID) {
		t.Errorf("traceparent is %v", parent)
	}
	traceID, spanID := parent.TraceID(), parent.SpanID()
	for what, part := range map[string][]byte{"trace id": traceID[:], "span id": spanID[:], "name": []byte("rte receive"), "call": []byte(call)} {
		if !bytes.Contains(got.Bytes(), part) {
			t.Errorf("the exported span lacks its %s", what)
		}
	}
}
