package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// letter is one dead letter as DEADLETTERS has it.
type letter struct {
	event.DeadLetter
	number      uint64
	id          string
	traceparent string
}

func readLetter(number uint64, header nats.Header, data []byte) (letter, error) {
	l := letter{number: number}
	e, err := event.Decode(header, data)
	if err == nil {
		l.id = e.ID()
		l.traceparent, _ = e.Extensions()[event.ExtTraceParent].(string)
		err = json.Unmarshal(e.Data(), &l.DeadLetter)
	}
	if err != nil {
		return l, fmt.Errorf("dead letter %d: %w", number, err)
	}
	return l, nil
}

// letters reads all that a filter wants, oldest first.
func letters(ctx context.Context, js jetstream.JetStream, wanted func(letter) bool) (found []letter, err error) {
	err = bus.ReadAll(ctx, js, topology.DeadLetters, []string{topology.DeadLetter("*", "*")}, 1, func(m bus.Message) error {
		l, err := readLetter(m.Seq, m.Header, m.Data)
		if err == nil && wanted(l) {
			found = append(found, l)
		}
		return err
	})
	return found, err
}

// pair is a delivery: a call event and a negotiator of a customer.
type pair struct{ event, customer, negotiator string }

func (l letter) pair() pair { return pair{l.EventID, l.Customer, l.NegotiatorID} }

// history is what DELIVERIES has of one delivery.
type history struct {
	last     event.Outcome
	found    bool
	redrives int // outcomes of redrives
}

// histories looks up what became of the deliveries that died.
func histories(ctx context.Context, js jetstream.JetStream, all []letter) (map[pair]history, error) {
	var filters []string
	known := map[pair]history{}
	for _, l := range all {
		if l.notification() {
			filters = append(filters, topology.Delivery(l.Customer, l.NegotiatorID, "*", l.CallID))
		}
	}
	slices.Sort(filters)
	for some := range slices.Chunk(slices.Compact(filters), redriveBatch) {
		err := bus.ReadAll(ctx, js, topology.Deliveries, some, 1, func(m bus.Message) error {
			var o event.Outcome
			if err := json.Unmarshal(m.Data, &o); err != nil || !bus.Own(m.Header, m.Seq) {
				return nil //nolint:nilerr // somebody else has written it
			}
			p := pair{o.EventID, o.Customer, o.NegotiatorID}
			known[p] = history{last: o, found: true, redrives: max(known[p].redrives, o.Redrive)}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// notification reports whether a dead letter is one that could not be delivered.
func (l letter) notification() bool {
	return l.Service == name && l.EventID != "" && l.NegotiatorID != ""
}

// settled tells why a dead letter is not to be tried again, as far as the streams
// tell.
func (l letter) settled(h history) string {
	switch {
	case !l.notification():
		return "it is no notification"
	case l.Event == nil:
		return "it does not hold its event"
	case !h.found:
		return "its delivery has not ended yet, or too long ago"
	case h.open():
		return ""
	default:
		return "it has ended since: " + string(h.last.Outcome)
	}
}

// open reports whether a delivery has not reached anybody and is not overtaken.
func (h history) open() bool {
	switch h.last.Outcome {
	case event.Rejected, event.Dead:
		return true
	case event.Expired:
		return h.redrives > 0
	default:
		return false
	}
}

// laterEvent reports whether CALLS has a later event of the call that Reapit has a
// notification for: the memory of a schedule does not go back so far.
func laterEvent(ctx context.Context, calls jetstream.Stream, c event.Call) (bool, error) {
	for _, kind := range []event.CallType{event.Incoming, event.Answered, event.Ended, event.Missed} {
		m, err := calls.GetLastMsgForSubject(ctx, topology.Call(c.OrganizationID, string(kind), c.CallID))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("find later events of call %s: %w", c.CallID, err)
		}
		var other event.Call
		if json.Unmarshal(m.Data, &other) == nil && other.Sequence > c.Sequence {
			return true, nil
		}
	}
	return false, nil
}
