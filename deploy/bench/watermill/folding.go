package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
)

// ackWait is after which time a message that nobody acknowledged comes again.
const ackWait = 2 * time.Second

// Metadata that say where in RTE a message stands.
const (
	subjectKey = "bench-subject"
	seqKey     = "bench-seq"
	storedKey  = "bench-stored"
)

// folding is the handler of one partition and its state.
type folding struct {
	partition int
	to        message.Publisher
	track     bool // call events carry their ids as Nats-Msg-Id
	fold      *fold.Fold
}

// subjectIs makes a topic the subject to which it is published.
func subjectIs(topic string) jetstream.StreamConfig { return jetstream.StreamConfig{Name: topic} }

// consumer is the partition's durable consumer. The state is folded anew before
// the first message comes.
func (f *folding) consumer(ctx context.Context, js jetstream.JetStream, topic string) (jetstream.Consumer, func(context.Context, watermill.LoggerAdapter), error) {
	filters := []string{topic, topology.FeedAll}
	c, err := js.CreateOrUpdateConsumer(ctx, topology.RTE, jetstream.ConsumerConfig{
		Durable: "watermill_" + strconv.Itoa(f.partition), FilterSubjects: filters, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make the consumer of partition %d: %w", f.partition, err)
	}
	return c, nil, f.restore(ctx, js, filters, c.CachedInfo().AckFloor.Stream)
}

// errAcknowledged ends what restore reads.
var errAcknowledged = errors.New("everything that was acknowledged is folded")

// restore folds what was acknowledged, up to and with position floor.
func (f *folding) restore(ctx context.Context, js jetstream.JetStream, filters []string, floor uint64) error {
	f.fold = fold.New(call.DefaultLimits())
	if floor == 0 {
		return nil
	}
	err := bus.ReadAll(ctx, js, topology.RTE, filters, 0, func(m bus.Message) error {
		if m.Seq > floor {
			return errAcknowledged
		}
		f.step(m)
		return nil
	})
	if errors.Is(err, errAcknowledged) {
		return nil
	}
	return err
}

// step folds a message; what cannot be read carries the clock on.
func (f *folding) step(m bus.Message) []fold.Output {
	in, _ := fold.Decode(m)
	return f.fold.Step(in).Outputs
}

// handle folds a message and publishes what comes of it.
func (f *folding) handle(m *message.Message) error {
	raw, err := rawOf(m)
	if err != nil {
		return err
	}
	for _, out := range f.step(raw) {
		header, body, err := fold.Encode(out)
		if err != nil {
			return fmt.Errorf("encode call event: %w", err)
		}
		said := message.NewMessage(out.Call.EventID(), body)
		for name, values := range header {
			said.Metadata[name] = values[0]
		}
		if f.track {
			said.Metadata[jetstream.MsgIDHeader] = out.Call.EventID()
		}
		subject := topology.CallEvent(f.partition, out.Call.OrganizationID, string(out.Call.Type), out.Call.CallID)
		if err := f.to.Publish(subject, said); err != nil {
			return fmt.Errorf("publish call event: %w", err)
		}
	}
	return nil
}

// reading makes a message of the router of one of RTE.
type reading struct{}

func (reading) Unmarshal(m jetstream.Msg) (*message.Message, error) {
	at, err := m.Metadata()
	if err != nil {
		return message.NewMessage("", nil), err // the subscriber looks at it even then
	}
	out := message.NewMessage(m.Headers().Get("ce-id"), m.Data())
	for name, values := range m.Headers() {
		out.Metadata[name] = values[0]
	}
	out.Metadata[subjectKey] = m.Subject()
	out.Metadata[seqKey] = strconv.FormatUint(at.Sequence.Stream, 10)
	out.Metadata[storedKey] = strconv.FormatInt(at.Timestamp.UnixNano(), 10)
	return out, nil
}

func rawOf(m *message.Message) (bus.Message, error) {
	seq, err := strconv.ParseUint(m.Metadata[seqKey], 10, 64)
	if err != nil {
		return bus.Message{}, fmt.Errorf("read position: %w", err)
	}
	stored, err := strconv.ParseInt(m.Metadata[storedKey], 10, 64)
	if err != nil {
		return bus.Message{}, fmt.Errorf("read stored time: %w", err)
	}
	header := make(nats.Header, len(m.Metadata))
	for name, value := range m.Metadata {
		header[name] = []string{value}
	}
	return bus.Message{Subject: m.Metadata[subjectKey], Header: header, Data: m.Payload, Seq: seq, Stored: time.Unix(0, stored).UTC()}, nil
}
