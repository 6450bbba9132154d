package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Keys of log attributes.
const (
	CallID     = "call_id"
	EventID    = "event_id"
	EventType  = "event_type"
	TraceIDKey = "trace_id"
	Stream     = "stream"
	Seq        = "seq"
	Partition  = "partition"
	Instance   = "instance"
	Org        = "organization"
	Customer   = "customer"
	Negotiator = "negotiator"
	Outcome    = "outcome"
	Reason     = "reason"
	Cause      = "cause"  // the reason in one word
	Number     = "number" // masked
	Error      = "error"
	Suppressed = "suppressed" // lines that a repeat limit held back
)

// Logger writes JSON lines with time, level and msg, or text for people. A line
// written under a span carries its trace_id.
func Logger(w io.Writer, level, format string) (*slog.Logger, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	l, ok := levels[level]
	if !ok {
		return nil, fmt.Errorf("log level %q is none of debug, info, warn, error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "json":
		return slog.New(traced{slog.NewJSONHandler(w, options)}), nil
	case "text":
		return slog.New(traced{slog.NewTextHandler(w, options)}), nil
	default:
		return nil, fmt.Errorf("log format %q is neither json nor text", format)
	}
}

// traced adds the trace_id of the context, unless the line names one itself.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() && !has(r, TraceIDKey) {
		r = r.Clone()
		r.AddAttrs(slog.String(TraceIDKey, span.TraceID().String()))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(attrs)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }

func has(r slog.Record, key string) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

// Mask keeps the last three digits of a telephone number, so that two lines of
// one caller can be told to belong together and nobody can be rung up. Of
// three digits and fewer nothing is kept; of nothing, nothing is made.
func Mask(number string) string {
	if number == "" {
		return ""
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
	if len(digits) <= 3 {
		return "…"
	}
	return "…" + digits[len(digits)-3:]
}
