package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// input is one message of CALLS.
type input struct {
	seq, pending uint64
	stored       time.Time
	call         event.Call
	traceparent  string
	readable     bool
}

// read hands over CALLS from behind what the memory has.
func (t *term) read() {
	err := bus.Read(t.ctx, t.js, topology.Calls, nil, t.memory.in+1, func(m bus.Message) error {
		in, err := t.decode(m)
		if err != nil {
			return err
		}
		select {
		case t.inputs <- in:
			return nil
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		}
	})
	t.cancel(fmt.Errorf("read call events: %w", err))
}

// letterBytes is how much of an unreadable body a dead letter keeps: a whole one
// in base64 may be more than the server takes. The stream has the rest.
const letterBytes = 256 << 10

// decode reads a call event. One that cannot be read is kept as a dead letter
// and passed on as nothing but a position.
func (t *term) decode(m bus.Message) (input, error) {
	in := input{seq: m.Seq, pending: m.Pending, stored: m.Stored}
	e, err := event.Decode(m.Header, m.Data)
	if err == nil {
		err = json.Unmarshal(e.Data(), &in.call)
	}
	if err == nil {
		in.readable = true
		in.traceparent, _ = e.Extensions()[event.ExtTraceParent].(string)
		return in, nil
	}
	letter := event.DeadLetter{
		Service: name, Reason: unreadable, Detail: fmt.Sprintf("message %d of %s, %d bytes: %v", m.Seq, m.Subject, len(m.Data), err), At: t.now().UTC(),
		Body: m.Data[:min(len(m.Data), letterBytes)],
	}
	t.seen.letter(letter.Reason)
	return in, bury(t.ctx, t.js, letter, fmt.Sprintf("%s/%d", topology.Calls, m.Seq), "", t.log)
}

// take offers one call event and what else has already been read.
func (t *term) take(in input) {
	t.offer(in)
	for range cap(t.inputs) {
		select {
		case in := <-t.inputs:
			t.offer(in)
		default:
			return
		}
	}
}

func (t *term) offer(in input) {
	t.memory.in, t.unread = in.seq, in.pending
	t.taken++
	if t.late.took(in.stored, t.now()) {
		t.caught, t.goal, t.nearer = false, in.seq, approach{}
	}
	t.seen.progress.Done()
	if !in.readable || !schedule.Wanted(in.call) || schedule.Heard(in.call).Before(t.memory.since) {
		return
	}
	t.learn()
	t.decide(schedule.Offer{
		Call: in.call, Position: in.seq, Received: in.stored, Traceparent: in.traceparent, Now: t.now(),
		Doubt: in.seq <= t.doubted && !in.stored.After(t.memory.doubt),
	})
}

// learn offers what has waited for the negotiators of organizations that are known
// by now, or are none of Reapit's customers any more.
func (t *term) learn() {
	for organization := range t.memory.Unresolved() {
		if !t.directory.Organization(organization).Known {
			continue
		}
		for _, o := range t.memory.Known(organization, t.now()) {
			t.taken++
			t.decide(o)
		}
	}
}

// decide offers an event, or has it wait for its organization's negotiators.
func (t *term) decide(o schedule.Offer) {
	if t.resolve(&o) {
		t.record(t.memory.Offer(o))
	} else {
		t.memory.Await(o)
	}
}

// resolve asks the directory who everybody is, and reports whether it can tell.
func (t *term) resolve(o *schedule.Offer) bool {
	organization := t.directory.Organization(o.Call.OrganizationID)
	o.Customer, o.Region = organization.Customer, organization.Region
	if !organization.Known {
		return false
	}
	for _, u := range o.Call.Audience {
		m := schedule.Member{User: u}
		m.Negotiator, m.Cause, m.Reason = organization.Negotiator(u)
		o.Audience = append(o.Audience, m)
	}
	if o.Call.AnsweredBy != nil {
		o.AnsweredBy, _, _ = organization.Negotiator(*o.Call.AnsweredBy)
	}
	return true
}
