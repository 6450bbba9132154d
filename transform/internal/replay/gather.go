package replay

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
)

const (
	fetchAtOnce = 2000
	fetchWait   = 5 * time.Second
	unused      = 10 * time.Second // a reader that was killed is forgotten after so long
)

// pick reads what a stream holds under one filter, however large the stream is:
// the server's index tells how many there are, and exactly so many are asked for.
// Asked for one more, it would look for it in all that is behind the last one.
func pick(ctx context.Context, js jetstream.JetStream, stream, filter string, handle func(bus.Message) error) error {
	return fetch(ctx, js, stream, jetstream.ConsumerConfig{FilterSubject: filter}, func(m bus.Message) error {
		if err := handle(m); err != nil {
			return err
		}
		if m.Pending == 0 {
			return errEnd
		}
		return nil
	})
}

// fetch reads by a consumer of its own, which is gone afterwards, what there was
// when it began, until handle says errEnd.
func fetch(ctx context.Context, js jetstream.JetStream, stream string, cfg jetstream.ConsumerConfig, handle func(bus.Message) error) error {
	cfg.AckPolicy, cfg.MemoryStorage, cfg.InactiveThreshold, cfg.Replicas = jetstream.AckNonePolicy, true, unused, 1
	c, err := js.CreateConsumer(ctx, stream, cfg)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w: stream %s; is this the right server (NATS_URL, --server), and did the services run?", bus.ErrMissing, stream)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("read stream %s: %w; may this user publish to $JS.API.CONSUMER.CREATE.%s.>? see --help", stream, err, stream)
	}
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = js.DeleteConsumer(ctx, stream, c.CachedInfo().Name) // if that fails, it expires
	}()
	for left := c.CachedInfo().NumPending; left > 0; {
		n, err := some(ctx, c, min(left, fetchAtOnce), handle)
		if err != nil || n == 0 {
			return ended(err)
		}
		left -= n
	}
	return nil
}

func ended(err error) error {
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// some takes up to n messages.
func some(ctx context.Context, c jetstream.Consumer, n uint64, handle func(bus.Message) error) (taken uint64, err error) {
	batch, err := c.Fetch(int(n), jetstream.FetchMaxWait(fetchWait)) //nolint:gosec // at most fetchAtOnce
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	for m := range batch.Messages() {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			continue // what was asked for still comes
		}
		taken++
		err = give(m, handle)
	}
	if err == nil {
		err = batch.Error()
	}
	return taken, err
}

func give(m jetstream.Msg, handle func(bus.Message) error) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return handle(bus.Message{
		Subject: m.Subject(), Header: m.Headers(), Data: m.Data(),
		Seq: meta.Sequence.Stream, Stored: meta.Timestamp.UTC(), Pending: meta.NumPending,
	})
}

// between reads all that a stream stored in a span of time.
func between(ctx context.Context, js jetstream.JetStream, stream string, from, until time.Time, handle func(bus.Message) error) error {
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from}
	return fetch(ctx, js, stream, cfg, func(m bus.Message) error {
		if m.Stored.After(until) {
			return errEnd
		}
		return handle(m)
	})
}

// gatherer looks for evidence.
type gatherer struct {
	js     jetstream.JetStream
	rte    span
	limits call.Limits
	now    time.Time
}

// call gathers all that there is of one call.
func (g gatherer) call(ctx context.Context, id string) (Evidence, error) {
	e := Evidence{Call: id, Now: g.now}
	key := topology.KeyToken(id)
	partition := topology.Partition(key, g.rte.partitions)
	for _, source := range []struct {
		stream, filter string
		take           func(bus.Message)
	}{
		{topology.RTE, fmt.Sprintf("rte.%d.*.*.%s", partition, key), func(m bus.Message) {
			if h, ok := decodeHeard(m); ok {
				e.Raw = append(e.Raw, h)
			}
		}},
		{topology.Calls, "calls.*.*." + key, func(m bus.Message) {
			if s, ok := decodeStored(m); ok {
				e.Events = append(e.Events, s)
			}
		}},
		{topology.Deliveries, "deliveries.*.*.*." + key, func(m bus.Message) {
			if o, ok := decodeOutcome(m); ok {
				e.Outcomes = append(e.Outcomes, o)
			}
		}},
	} {
		err := pick(ctx, g.js, source.stream, source.filter, func(m bus.Message) error {
			source.take(m)
			return nil
		})
		if err != nil {
			return e, err
		}
	}
	e.Cut = slices.ContainsFunc(e.Events, func(s Stored) bool { return s.In > 0 && s.In < g.rte.first })
	if !e.Cut {
		e.Steps = Trace(e.Call, e.Raw, g.limits, g.now)
	}
	return e, errors.Join(g.letters(ctx, &e), g.unheard(ctx, &e))
}

// A dead letter is stored before the outcome of its delivery.
const lettersBefore = time.Minute

// letters finds the dead letters of the deliveries that Reapit refused: they
// have no call in their subjects, but were stored at about the same time.
func (g gatherer) letters(ctx context.Context, e *Evidence) error {
	for _, o := range e.Outcomes {
		if _, known := e.letter(o); known || o.Outcome.Outcome != event.Rejected && o.Outcome.Outcome != event.Dead {
			continue
		}
		err := between(ctx, g.js, topology.DeadLetters, o.FinishedAt.Add(-lettersBefore), o.Stored.Add(lettersBefore), func(m bus.Message) error {
			var d event.DeadLetter
			if json.Unmarshal(m.Data, &d) == nil && strings.EqualFold(d.CallID, e.Call) {
				e.Letters = append(e.Letters, Letter{Seq: m.Seq, DeadLetter: d})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func decodeHeard(m bus.Message) (Heard, bool) {
	in, err := fold.Decode(m)
	if err != nil || in.Raw == nil || !call.Concerns(*in.Raw) {
		return Heard{}, false
	}
	return Heard{Seq: m.Seq, Stored: m.Stored, Recorded: in.Recorded, Raw: *in.Raw, Words: furtherReasons(m.Data)}, true
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

func decodeStored(m bus.Message) (Stored, bool) {
	s := Stored{Seq: m.Seq, Stored: m.Stored}
	if at, ok := positionOf(m); ok {
		s.In = at.In
	}
	return s, json.Unmarshal(m.Data, &s.Call) == nil && s.Call.Type != ""
}

func decodeOutcome(m bus.Message) (Ended, bool) {
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
