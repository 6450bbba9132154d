package feed

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"

	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

// trace records the span of an arrival and returns its traceparent. Both ids
// come from the message id, so that every replica writes the same.
func trace(id string, raw event.Raw) string {
	traceID, spanID := telemetry.IDs(id)
	if !telemetry.Recording() {
		return telemetry.Traceparent(traceID, spanID)
	}
	_, span := otel.Tracer("ringstream/ingest").Start(telemetry.WithIDs(context.Background(), traceID, spanID), "rte receive",
		oteltrace.WithSpanKind(oteltrace.SpanKindConsumer),
		oteltrace.WithAttributes(attribute.String(telemetry.EventType, raw.EventType), attribute.String(telemetry.CallID, raw.CallID)))
	span.End()
	return telemetry.Traceparent(traceID, spanID)
}
