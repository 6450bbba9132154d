package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/stream"
)

// Gatherer looks for evidence.
type Gatherer struct {
	JS     jetstream.JetStream
	RTE    stream.Span
	Limits call.Limits
	Now    time.Time
	Seen   func(stream string, m bus.Message) // is shown each message of a call, if set
}

func (g Gatherer) show(stream string, m bus.Message) {
	if g.Seen != nil {
		g.Seen(stream, m)
	}
}

// Call gathers all that there is of one call.
func (g Gatherer) Call(ctx context.Context, id string) (Evidence, error) {
	e := Evidence{Call: id, Now: g.Now}
	key := topology.KeyToken(id)
	partition := topology.Partition(key, g.RTE.Partitions)
	for _, source := range []struct {
		stream, filter string
		take           func(bus.Message)
	}{
		{topology.RTE, fmt.Sprintf("rte.%d.*.*.%s", partition, key), func(m bus.Message) {
			if h, ok := DecodeHeard(m); ok {
				e.Raw = append(e.Raw, h)
			} else if _, err := fold.Decode(m); err != nil {
				e.Unread = append(e.Unread, m.Seq)
			}
		}},
		{topology.Calls, "calls.*.*." + key, func(m bus.Message) {
			if s, ok := DecodeStored(m); ok {
				e.Events = append(e.Events, s)
			}
		}},
		{topology.Deliveries, "deliveries.*.*.*." + key, func(m bus.Message) {
			if o, ok := DecodeOutcome(m); ok {
				e.Outcomes = append(e.Outcomes, o)
			}
		}},
	} {
		err := stream.Pick(ctx, g.JS, source.stream, source.filter, func(m bus.Message) error {
			source.take(m)
			g.show(source.stream, m)
			return nil
		})
		if err != nil {
			return e, err
		}
	}
	e.Cut = slices.ContainsFunc(e.Events, func(s Stored) bool { return s.In > 0 && s.In < g.RTE.First })
	if !e.Cut {
		e.Steps = Trace(e.Call, e.Raw, g.Limits, g.Now)
	}
	return e, errors.Join(g.letters(ctx, &e), g.unheard(ctx, &e))
}

// A dead letter is stored before the outcome of its delivery.
const lettersBefore = time.Minute

// letters finds the dead letters of the deliveries that Reapit refused: they
// have no call in their subjects, but were stored at about the same time.
func (g Gatherer) letters(ctx context.Context, e *Evidence) error {
	for _, o := range e.Outcomes {
		if _, known := e.letter(o); known || o.Outcome.Outcome != event.Rejected && o.Outcome.Outcome != event.Dead {
			continue
		}
		err := stream.Between(ctx, g.JS, topology.DeadLetters, o.FinishedAt.Add(-lettersBefore), o.Stored.Add(lettersBefore), func(m bus.Message) error {
			var d event.DeadLetter
			if json.Unmarshal(m.Data, &d) == nil && strings.EqualFold(d.CallID, e.Call) {
				e.Letters = append(e.Letters, Letter{Seq: m.Seq, DeadLetter: d})
				g.show(topology.DeadLetters, m)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DecodeHeard reads a message of RTE, if it is a raw event of a call.
func DecodeHeard(m bus.Message) (Heard, bool) {
	in, err := fold.Decode(m)
	if err != nil || in.Raw == nil || !call.Concerns(*in.Raw) {
		return Heard{}, false
	}
	return Heard{Seq: m.Seq, Stored: m.Stored, Recorded: in.Recorded, By: event.Attribute(m.Header, event.ExtRecordedBy), Raw: *in.Raw, Words: furtherReasons(m.Data)}, true
}

// furtherReasons reads what an event says besides its Reason.
func furtherReasons(body []byte) (words []string) {
	var message struct {
		Data struct{ OverflowReason, DetailedReason any } // any case; a number would be no reason
	}
	_ = json.Unmarshal(body, &message)
	for _, v := range []any{message.Data.OverflowReason, message.Data.DetailedReason} {
		if s, ok := v.(string); ok && s != "" {
			words = append(words, s)
		}
	}
	return words
}

// DecodeStored reads a message of CALLS.
func DecodeStored(m bus.Message) (Stored, bool) {
	s := Stored{Seq: m.Seq, Stored: m.Stored}
	if at, ok := stream.PositionOf(m); ok {
		s.In = at.In
	}
	return s, json.Unmarshal(m.Data, &s.Call) == nil && s.Call.Type != ""
}

// DecodeOutcome reads a message of DELIVERIES, if it is an outcome.
func DecodeOutcome(m bus.Message) (Ended, bool) {
	o := Ended{Seq: m.Seq, Stored: m.Stored}
	if !strings.HasPrefix(m.Subject, "deliveries.") || !bus.Own(m.Header, m.Seq) {
		return o, false // a snapshot, or written by somebody else
	}
	return o, json.Unmarshal(m.Data, &o.Outcome) == nil
}

// availability reads what RTE says of a user's presence.
func availability(m bus.Message) string {
	var message struct {
		Data struct{ EventType, Availability any }
	}
	if json.Unmarshal(m.Data, &message) != nil {
		return ""
	}
	if kind, _ := message.Data.EventType.(string); !strings.EqualFold(kind, "UserAvailability") {
		return ""
	}
	state, _ := message.Data.Availability.(string)
	return state
}
