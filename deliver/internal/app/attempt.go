package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/telemetry"
)

const (
	longestRequest  = delivery.GatewayLimit
	shortestRequest = 2 * time.Second
)

// attempt makes one request, decides what follows and reports it. A dead
// letter is stored before anybody can count the delivery as done. If requests are
// broken off meanwhile there is nobody to report to: the next term starts over.
// before is closed when it may go out; nil is at once.
func (t *term) attempt(ctx context.Context, q schedule.Request, before <-chan struct{}) {
	d, r := q[0], t.behind(ctx, before)
	if r.Err == nil {
		r = t.post(ctx, q)
	}
	if errors.Is(r.Err, errOvertaken) { // whom it still concerns is told by a request of his own
		t.tell(schedule.Report{ID: q.ID(), Verdict: delivery.Verdict{Action: delivery.Split}, Now: t.now()})
		return
	}
	v := delivery.Decide(resultOf(r), delivery.Attempt{
		Number: d.Failures + 1, Refreshed: d.Refreshed, Patience: t.deadlines.Patience(d.Call.Type),
		Left: t.deadlines.Of(&d).Sub(t.now()), Targets: len(q),
	}, rand.Float64())
	if v.Reason != "" && r.Fault() != nil {
		v.Reason += ": " + r.Fault().Error()
	}
	if v.Action == delivery.Refresh || r.Kind == reapit.Answered && r.Status == http.StatusUnauthorized {
		t.reapit.RefreshToken(d.Customer)
	}
	t.seen.attempt(ctx, q, r, v)
	if v.Action == delivery.Reject || v.Action == delivery.Bury {
		if bury(ctx, t.js, letterOf(d, v.Cause, v.Reason, r, t.now()), name+"/"+d.ID(), d.Traceparent, t.log) != nil {
			return
		}
		t.seen.letter(v.Cause)
	}
	t.tell(schedule.Report{
		ID: q.ID(), Verdict: v, Posted: posted(r.Kind), Status: r.Status, RequestID: r.RequestID, Started: r.Begun, Now: t.now(),
	})
}

func (t *term) tell(r schedule.Report) {
	select {
	case t.reports <- r:
	case <-t.posts.Done():
	}
}

// whileHeld admits nothing of a term whose lease has ended meanwhile. It is asked
// last before a request is made: what waits for its turn in a process that is
// frozen may be the first to run when it thaws.
func whileHeld(admit func(context.Context) (func(reapit.Result), error)) func(context.Context) (func(reapit.Result), error) {
	return func(ctx context.Context) (func(reapit.Result), error) {
		release, err := admit(ctx)
		if err == nil && !bus.Held(ctx) {
			release(reapit.Result{Kind: reapit.NotSent})
			return nil, errFrozen
		}
		return release, err
	}
}

// behind waits for what must be stored first. With the log the reason to send
// anything is lost.
func (t *term) behind(ctx context.Context, before <-chan struct{}) reapit.Result {
	if before == nil {
		return reapit.Result{}
	}
	select {
	case <-before:
		return reapit.Result{}
	case <-recalling(ctx):
		return takenBack()
	case <-t.ctx.Done():
		return reapit.Result{Kind: reapit.NotSent, Err: fmt.Errorf("wait for the log: %w", context.Cause(t.ctx))}
	}
}

// withheld is the result in shadow mode; the other kinds are those of reapit.
const withheld = reapit.Kind(delivery.Withheld)

func resultOf(r reapit.Result) delivery.Result {
	return delivery.Result{
		Kind: delivery.Kind(r.Kind), Sent: r.Sent, Status: r.Status, RetryAfter: r.RetryAfter, Took: r.Took,
		Misset: r.Suspect() != "",
	}
}

func posted(k reapit.Kind) bool {
	switch k {
	case reapit.NotSent, reapit.Unsendable, reapit.TokenRefused, reapit.TokenUnreachable, reapit.TokenShared, withheld:
		return false
	default:
		return true
	}
}

// post makes the request under a span that is a child of the call event's.
func (t *term) post(ctx context.Context, q schedule.Request) reapit.Result {
	if t.shadow {
		return reapit.Result{Kind: withheld}
	}
	d, also := q[0], negotiators(q[1:])
	ctx, cancel := context.WithTimeout(ctx, t.timeout(d))
	defer cancel()
	if parent, ok := telemetry.ParseTraceparent(d.Traceparent); ok {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	sub, _ := reapit.SubType(d.Call.Type)
	ctx, span := otel.Tracer("ringstream/deliver").Start(ctx, "POST /notifications/", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", http.MethodPost), attribute.String("ringstream.call_id", d.Call.CallID),
		attribute.String("ringstream.event_id", d.Call.EventID()), attribute.String("reapit.sub_type", sub),
		attribute.String("reapit.customer", d.Customer), attribute.StringSlice("reapit.negotiators", negotiators(q)),
		attribute.Int("http.request.resend_count", d.Attempts),
	))
	defer span.End()
	region := d.Region
	if region == "" { // it was taken in by an older version
		region = t.directory.Organization(d.Call.OrganizationID).Region
	}
	r := t.reapit.Notify(ctx, reapit.Notification{
		Customer: d.Customer, NegotiatorID: d.Negotiator, Also: also, SubType: sub, Call: d.Call, AnsweredByID: d.AnsweredBy,
		Region: region, Format: t.format,
	}, traceparent(span))
	span.SetAttributes(attribute.Int("http.response.status_code", r.Status), attribute.String("reapit.request_id", r.RequestID))
	if err := r.Fault(); err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return r
}

func negotiators(q schedule.Request) []string {
	ids := make([]string, len(q))
	for i, d := range q {
		ids[i] = d.Negotiator
	}
	return ids
}

func traceparent(span trace.Span) string {
	c := span.SpanContext()
	if !c.IsValid() {
		return ""
	}
	return telemetry.Traceparent(c.TraceID(), c.SpanID())
}

// timeout is how long one request may take: a fraction of what the type allows,
// and never past the deadline.
func (t *term) timeout(d schedule.Delivery) time.Duration {
	usual := min(max(t.deadlines[d.Call.Type]/3, shortestRequest), longestRequest)
	return min(usual, t.deadlines.Of(&d).Sub(t.now()))
}
