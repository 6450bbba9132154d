package telemetry_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"ringstream/schemas/telemetry"
)

// sink keeps what a collector is sent.
type sink struct {
	collector.UnimplementedTraceServiceServer
	mu   sync.Mutex
	text strings.Builder
}

func (s *sink) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(r.String())
	return &collector.ExportTraceServiceResponse{}, nil
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := new(collector.ExportTraceServiceRequest)
	if err == nil {
		err = proto.Unmarshal(body, request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	_, _ = s.Export(r.Context(), request)
}

func (s *sink) got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// otelEnv clears what the surroundings may have set and sets what is given.
func otelEnv(t *testing.T, pairs map[string]string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
	} {
		t.Setenv(name, pairs[name])
	}
}

// span starts tracing, makes one span and shuts tracing down.
func span(t *testing.T, ctx context.Context) trace.SpanContext {
	t.Helper()
	shutdown, err := telemetry.Tracing(t.Context(), "ringer", "v1")
	if err != nil {
		t.Fatal(err)
	}
	_, s := otel.Tracer("test").Start(ctx, "ring")
	s.End()
	if err := shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	return s.SpanContext()
}

func TestTracesAreExported(t *testing.T) {
	for _, protocol := range []string{"", "http/protobuf", "grpc"} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			got := new(sink)
			web := httptest.NewServer(got)
			defer web.Close()
			endpoint := web.URL
			if protocol == "grpc" {
				endpoint = "http://" + grpcServer(t, got)
			}
			otelEnv(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
				"OTEL_SERVICE_NAME": "renamed", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=trial",
			})
			span(t, t.Context())
			for _, want := range []string{"ring", "renamed", "trial", "v1"} {
				if !strings.Contains(got.got(), want) {
					t.Errorf("%q is not in %s", want, got.got())
				}
			}
			if strings.Contains(got.got(), "ringer") {
				t.Errorf("OTEL_SERVICE_NAME was not heeded: %s", got.got())
			}
		})
	}
}

func grpcServer(t *testing.T, s *sink) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return listener.Addr().String()
}

func TestWithoutAnEndpointThereAreIDsAndNoExport(t *testing.T) {
	got := new(sink)
	web := httptest.NewServer(got)
	defer web.Close()
	for name, pairs := range map[string]map[string]string{
		"no endpoint": {},
		"no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": web.URL, "OTEL_TRACES_EXPORTER": "none"},
	} {
		otelEnv(t, pairs)
		if s := span(t, t.Context()); !s.IsValid() || !s.IsSampled() {
			t.Errorf("%s: no ids: %v", name, s)
		}
	}
	if got.got() != "" {
		t.Errorf("exported %s", got.got())
	}
}

func TestDisabled(t *testing.T) {
	otelEnv(t, map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
	if s := span(t, t.Context()); s.IsValid() {
		t.Errorf("a span was made: %v", s)
	}
}

func TestTracingRefuses(t *testing.T) {
	for name, pairs := range map[string]map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
		"OTEL_RESOURCE_ATTRIBUTES":    {"OTEL_RESOURCE_ATTRIBUTES": "no pair"},
	} {
		otelEnv(t, pairs)
		if _, err := telemetry.Tracing(t.Context(), "ringer", "v1"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestChosenIDsAreUsedOnce(t *testing.T) {
	otelEnv(t, nil)
	shutdown, err := telemetry.Tracing(t.Context(), "ringer", "v1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shutdown(context.WithoutCancel(t.Context())) }()
	tracer := otel.Tracer("test")
	id, spanID := telemetry.TraceID("event"), telemetry.SpanID("event")

	ctx, root := tracer.Start(telemetry.WithIDs(t.Context(), id, spanID), "root")
	if got := root.SpanContext(); got.TraceID() != id || got.SpanID() != spanID {
		t.Errorf("root: %v", got)
	}
	ctx, child := tracer.Start(ctx, "child")
	_, grandchild := tracer.Start(ctx, "grandchild")
	for _, s := range []trace.Span{child, grandchild} {
		if got := s.SpanContext(); got.TraceID() != id || got.SpanID() == spanID || !got.SpanID().IsValid() {
			t.Errorf("below: %v", got)
		}
	}
	if child.SpanContext().SpanID() == grandchild.SpanContext().SpanID() {
		t.Error("two spans share an id")
	}

	remote, _ := telemetry.ParseTraceparent(telemetry.Traceparent(id, spanID))
	next := telemetry.WithIDs(trace.ContextWithSpanContext(t.Context(), remote), telemetry.TraceID("unused"), telemetry.SpanID("delivery"))
	_, delivery := tracer.Start(next, "delivery")
	if got := delivery.SpanContext(); got.TraceID() != id || got.SpanID() != telemetry.SpanID("delivery") {
		t.Errorf("under a remote parent: %v", got)
	}

	carrier := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(trace.ContextWithSpan(t.Context(), root), carrier)
	if got := carrier.Get("traceparent"); got != telemetry.Traceparent(id, spanID) {
		t.Errorf("propagated as %s", got)
	}
}

// What is read without the propagator is what the propagator makes of it.
func TestTraceparentsAreReadAsByThePropagator(t *testing.T) {
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, header := range []string{
		"00-" + traceID + "-" + spanID + "-01", "00-" + traceID + "-" + spanID + "-00", "01-" + traceID + "-" + spanID + "-01", "ff-" + traceID + "-" + spanID + "-01",
		"00-" + strings.ToUpper(traceID) + "-" + spanID + "-01", "00-" + traceID + "-" + strings.ToUpper(spanID) + "-01", "00-" + traceID + "-" + spanID + "-0A",
		"00-" + strings.Repeat("0", 32) + "-" + spanID + "-01", "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01", "00-" + traceID + "x" + spanID + "-01",
		"00-" + traceID + "-" + spanID + "-01-x", "00-" + traceID + "-" + spanID, "", "00-g" + traceID[1:] + "-" + spanID + "-01", "00-é" + traceID[2:] + "-" + spanID + "-01",
	} {
		carrier := propagation.MapCarrier{"traceparent": header}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		if got, ok := telemetry.ParseTraceparent(header); ok != want.IsValid() || ok && !got.Equal(want) {
			t.Errorf("%q: %+v %v, want %+v", header, got, ok, want)
		}
	}
}
