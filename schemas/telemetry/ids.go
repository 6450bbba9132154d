package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync/atomic"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// IDs derives the ids of the span that makes a trace begin.
func IDs(seed string) (trace.TraceID, trace.SpanID) {
	sum := sha256.Sum256([]byte(seed))
	return trace.TraceID(sum[:16]), trace.SpanID(sum[16:24])
}

// TraceID derives a trace id from what makes the trace one, such as the id of
// the raw event: both replicas of ingest, and a replay, come to the same.
func TraceID(seed string) trace.TraceID {
	id, _ := IDs(seed)
	return id
}

// SpanID derives a span id. It shares no bytes with the trace id of the same seed.
func SpanID(seed string) trace.SpanID {
	_, id := IDs(seed)
	return id
}

// Traceparent writes the W3C header of a sampled span.
func Traceparent(traceID trace.TraceID, spanID trace.SpanID) string {
	return "00-" + traceID.String() + "-" + spanID.String() + "-01"
}

// ParseTraceparent reads the W3C header; the span context it returns is remote.
func ParseTraceparent(header string) (trace.SpanContext, bool) {
	if span, ok := parseOwn(header); ok {
		return span, true
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": header})
	span := trace.SpanContextFromContext(ctx)
	return span, span.IsValid()
}

// parseOwn reads what Traceparent writes, as everybody would. The propagator,
// which knows all else that the header may be, makes a dozen allocations of it.
func parseOwn(header string) (trace.SpanContext, bool) {
	const length = len("00-") + 32 + len("-") + 16 + len("-01")
	if len(header) != length || header[:3] != "00-" || header[35] != '-' || header[52:] != "-01" {
		return trace.SpanContext{}, false
	}
	traceID, badTrace := trace.TraceIDFromHex(header[3:35])
	spanID, badSpan := trace.SpanIDFromHex(header[36:52])
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled, Remote: true}),
		badTrace == nil && badSpan == nil
}

type idsKey struct{}

type chosen struct {
	trace trace.TraceID
	span  trace.SpanID
	used  atomic.Bool
}

// WithIDs chooses the ids of the next span that is started with the context or
// one made from it. The spans below get random ids, or two would share one. If
// the context holds a span already, its trace goes on and only the span id is
// chosen.
func WithIDs(ctx context.Context, traceID trace.TraceID, spanID trace.SpanID) context.Context {
	return context.WithValue(ctx, idsKey{}, &chosen{trace: traceID, span: spanID})
}

// ids generates ids for the SDK: those chosen in the context, else random ones.
type ids struct{}

// NewIDs implements [sdktrace.IDGenerator].
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if c, ok := ctx.Value(idsKey{}).(*chosen); ok && c.used.CompareAndSwap(false, true) {
		return c.trace, c.span
	}
	var t trace.TraceID
	var s trace.SpanID
	_, _ = rand.Read(t[:]) // never fails
	_, _ = rand.Read(s[:])
	return t, s
}

// NewSpanID implements [sdktrace.IDGenerator].
func (g ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, s := g.NewIDs(ctx)
	return s
}
