package bundle

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/fold"
)

// Message makes a message anew, subject and header included, so that nothing is
// in it that nobody looked at.
func (p *Pseudonyms) Message(stream string, m bus.Message) (bus.Message, error) {
	was := m.Header
	var err error
	switch {
	case stream == topology.RTE && strings.HasPrefix(m.Subject, "feed."):
		err = p.feed(&m)
	case stream == topology.RTE:
		err = p.raw(&m)
	case stream == topology.Calls:
		err = p.callEvent(&m)
	case stream == topology.Deliveries:
		err = p.outcome(&m)
	default:
		err = p.deadLetter(&m)
	}
	if err != nil {
		return m, err
	}
	for _, name := range []string{bus.HeaderIn, bus.HeaderIdx} {
		if n, err := strconv.ParseUint(was.Get(name), 10, 64); err == nil {
			m.Header[name] = []string{strconv.FormatUint(n, 10)}
		}
	}
	return m, nil
}

// raw is the alias of what RTE said. What the fold cannot read it cannot read
// afterwards either, but it carries the clock on.
func (p *Pseudonyms) raw(m *bus.Message) error {
	if !readable(*m) {
		m.Subject = topology.Raw(PartitionIn(m.Subject), "", "", "none")
		blank(m)
		return nil
	}
	e, err := event.Decode(m.Header, m.Data)
	if err != nil {
		return fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	was, arrival, err := event.DecodeRaw(m.Header, m.Data)
	if err != nil {
		return fmt.Errorf("read message %d: %w", m.Seq, err)
	}
	if m.Data, err = p.json(e.Data()); err != nil {
		return err
	}
	is, err := event.ParseRaw(m.Data)
	if err != nil {
		return fmt.Errorf("read alias of message %d: %w", m.Seq, err)
	}
	p.learn(was.ID, is.ID)
	key := topology.KeyToken(is.Key())
	m.Subject = topology.Raw(PartitionIn(m.Subject), is.OrganizationID, is.EventType, key)
	by := event.Attribute(m.Header, event.ExtRecordedBy)
	m.Header = event.EncodeRaw(is, hubOf(e), key, arrival.Recorded, traced(arrival.Trace))
	event.RecordBy(m.Header, p.instance(by))
	return nil
}

func readable(m bus.Message) bool {
	_, err := fold.Decode(m)
	return err == nil
}

// blank leaves nothing of what cannot be read.
func blank(m *bus.Message) {
	m.Header, m.Data = map[string][]string{}, fmt.Appendf(nil, "(unreadable, %d bytes)", len(m.Data))
}

// PartitionIn is the partition that a subject of RTE names.
func PartitionIn(subject string) int {
	_, rest, _ := strings.Cut(subject, ".")
	token, _, _ := strings.Cut(rest, ".")
	n, _ := strconv.Atoi(token)
	return n
}

func hubOf(e cloudevents.Event) string {
	u, err := url.Parse(e.Source())
	if err != nil || u.Host == "" {
		return "hub.example"
	}
	return u.Host
}

// traced keeps a trace context, which is nothing but digits.
func traced(parent string) string {
	span, ok := telemetry.ParseTraceparent(parent)
	if !ok {
		return ""
	}
	return telemetry.Traceparent(span.TraceID(), span.SpanID())
}

// stopped is how the reason of a connection begins that ingest was asked to end:
// it matters to coverage.
const stopped = "stopped"

func (p *Pseudonyms) feed(m *bus.Message) error {
	if !readable(*m) {
		m.Subject = topology.Feed("none", "none")
		blank(m)
		return nil
	}
	var f event.Feed
	if _, err := Decoded(*m, &f); err != nil {
		return fmt.Errorf("read feed event %d: %w", m.Seq, err)
	}
	f.Instance, f.Epoch, f.LastEventID = p.instance(f.Instance), p.epoch(f.Epoch), p.ID(f.LastEventID)
	if strings.HasPrefix(f.Reason, stopped) {
		f.Reason = stopped
	} else {
		f.Reason = p.text(f.Reason)
	}
	for i, s := range f.Subscriptions {
		f.Subscriptions[i].EntityID, f.Subscriptions[i].EventName, f.Subscriptions[i].Message = p.ID(s.EntityID), p.kind(s.EventName), p.text(s.Message)
	}
	for i, id := range f.UnheardIDs {
		f.UnheardIDs[i] = p.ID(id)
	}
	f.Type = event.FeedType(p.kind(string(f.Type)))
	e, err := event.NewFeed(f, "export", m.Seq)
	return p.encode(m, topology.Feed(f.Instance, string(f.Type)), e, err)
}

// Decoded reads the data of a message of ours.
func Decoded(m bus.Message, into any) (cloudevents.Event, error) {
	e, err := event.Decode(m.Header, m.Data)
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(e.Data(), into)
}

func (p *Pseudonyms) encode(m *bus.Message, subject string, e cloudevents.Event, err error) error {
	if err != nil {
		return err
	}
	m.Subject = subject
	m.Header, m.Data, err = event.Encode(e)
	return err
}

func (p *Pseudonyms) person(u event.User) event.User {
	return event.User{UserID: p.ID(u.UserID), UserName: p.user(u.UserName)}
}

func (p *Pseudonyms) callEvent(m *bus.Message) error {
	var c event.Call
	if _, err := Decoded(*m, &c); err != nil {
		return err
	}
	was := c.EventID()
	c.CallID, c.OrganizationID, c.Caller, c.Called = p.ID(c.CallID), p.ID(c.OrganizationID), p.number(c.Caller), p.number(c.Called)
	for i, u := range c.Audience {
		c.Audience[i] = p.person(u)
	}
	if c.AnsweredBy != nil {
		by := p.person(*c.AnsweredBy)
		c.AnsweredBy = &by
	}
	c.Type = event.CallType(p.kind(string(c.Type)))
	c.Direction, c.Coverage = event.Direction(p.word(string(c.Direction))), event.Coverage(p.word(string(c.Coverage)))
	c.Cause.EventID, c.Cause.EventType = p.ID(c.Cause.EventID), p.kind(c.Cause.EventType)
	if c.Cause.Reason != nil {
		reason := p.word(*c.Cause.Reason)
		c.Cause.Reason = &reason
	}
	// A timer's event has a trace of its own, made of its id.
	trace := traced(event.Attribute(m.Header, event.ExtTraceParent))
	if span, ok := telemetry.ParseTraceparent(trace); ok && span.TraceID() == telemetry.TraceID(was) {
		trace = ""
	}
	var err error
	m.Subject = topology.Call(c.OrganizationID, string(c.Type), c.CallID)
	m.Header, m.Data, err = fold.Encode(fold.Output{Call: c, Trace: trace})
	return err
}

func (p *Pseudonyms) outcome(m *bus.Message) error {
	var o event.Outcome
	if _, err := Decoded(*m, &o); err != nil {
		return err
	}
	o.EventID, o.CallID, o.OrganizationID = p.EventID(o.EventID), p.ID(o.CallID), p.ID(o.OrganizationID)
	o.Customer, o.NegotiatorID = p.customer(o.Customer), p.negotiator(o.NegotiatorID)
	for i, u := range o.Users {
		o.Users[i] = p.person(u)
	}
	o.Type, o.SubType, o.Outcome = event.CallType(p.kind(string(o.Type))), p.word(o.SubType), event.OutcomeType(p.kind(string(o.Outcome)))
	o.Cause, o.Reason, o.RequestID = p.word(o.Cause), p.text(o.Reason), p.ID(o.RequestID)
	again, err := event.NewOutcome(o, traced(event.Attribute(m.Header, event.ExtTraceParent)))
	return p.encode(m, topology.Delivery(o.Customer, o.NegotiatorID, string(o.Outcome), o.CallID), again, err)
}

// EventID is the alias of the id of a call event: <callId>/<n>.
func (p *Pseudonyms) EventID(id string) string {
	callID, n, ok := strings.Cut(id, "/")
	if _, err := strconv.ParseUint(n, 10, 16); !ok || err != nil {
		return p.ID(id)
	}
	return p.ID(callID) + "/" + n
}

func (p *Pseudonyms) deadLetter(m *bus.Message) error {
	var d event.DeadLetter
	e, err := Decoded(*m, &d)
	if err != nil {
		return err
	}
	d.Service, d.Reason, d.Detail = p.kind(d.Service), p.kind(d.Reason), p.text(d.Detail)
	d.EventID, d.CallID = p.EventID(d.EventID), p.ID(d.CallID)
	d.Customer, d.NegotiatorID = p.customer(d.Customer), p.negotiator(d.NegotiatorID)
	for i, x := range d.Errors {
		d.Errors[i] = event.FieldError{Field: p.word(x.Field), Message: p.text(x.Message)}
	}
	for _, part := range []*json.RawMessage{&d.Request, &d.Event} {
		if len(*part) == 0 {
			continue
		}
		if *part, err = p.json(*part); err != nil {
			return err
		}
	}
	if len(d.Body) > 0 {
		d.Body = fmt.Appendf(nil, "(unreadable, %d bytes)", len(d.Body))
	}
	again, err := event.NewDeadLetter(d, p.ID(e.ID()), traced(event.Attribute(m.Header, event.ExtTraceParent)))
	return p.encode(m, topology.DeadLetter(d.Service, d.Reason), again, err)
}
