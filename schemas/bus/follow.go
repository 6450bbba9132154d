package bus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	readAhead = 500
	// The server forgets the consumer of a reader that was killed after this
	// long; a living one that was cut off makes a new one.
	abandoned = 30 * time.Second
	// sign is how often the server gives a sign of life to a reader who has nothing to
	// read. Two that are missing mean that the server which had the consumer has
	// stopped, or stands still; then it is made anew elsewhere. By default that takes 10 s,
	// in which deliver would show calls that are over.
	sign = time.Second
	// made is how long the server is waited for that is to make a consumer. Whom it is
	// asked of may be gone, and then nobody answers.
	made       = time.Second
	madeAtLast = 10 * time.Second // when one was asked for in vain so often that the server may be slow
	impatient  = 5                // times
)

// follower reads a stream by one consumer after the other. It does what nats.go's ordered
// consumer does, and is sooner back: that one (v1.55.0) waits 10 s for the answer when it
// asks for another consumer, and who asks while a leader is elected gets none (seen:
// 13 s without a call event after a server was killed).
type follower struct {
	js      jetstream.JetStream
	stream  string
	filters []string
	next    uint64 // position
	handle  func(Message) error
	inVain  int            // how often the server was asked for a consumer and did not answer
	left    sync.WaitGroup // consumers that are being deleted
}

// follow is Read by one consumer at a time.
func follow(ctx context.Context, js jetstream.JetStream, stream string, filters []string, from uint64, handle func(Message) error) error {
	f := &follower{js: js, stream: stream, filters: filters, next: max(from, 1), handle: handle}
	defer f.left.Wait()
	consumer, err := f.consumer(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	for ; ; consumer, err = f.again(ctx) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case js.Conn().IsClosed():
			return fmt.Errorf("read stream %s: %w", stream, nats.ErrConnectionClosed)
		case err != nil:
			continue
		}
		before := f.next
		if err := f.read(ctx, consumer); err != nil {
			return err
		}
		if f.next == before { // it was no use at all
			pause(ctx, firstRetry)
		}
	}
}

// consumer makes one that begins with the next message.
func (f *follower) consumer(ctx context.Context) (jetstream.Consumer, error) {
	cfg := jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.next, AckPolicy: jetstream.AckNonePolicy,
		FilterSubjects: f.filters, InactiveThreshold: abandoned, Replicas: 1, MemoryStorage: true,
	}
	if len(f.filters) == 1 { // the server's permissions can name it then
		cfg.FilterSubject, cfg.FilterSubjects = f.filters[0], nil
	}
	return f.js.CreateConsumer(ctx, f.stream, cfg)
}

// again makes a consumer in the place of one that is no use any more. Nobody is asked
// without a connection: every request would make one when there is one again.
func (f *follower) again(ctx context.Context) (jetstream.Consumer, error) {
	if !f.js.Conn().IsConnected() {
		f.inVain = 0
		pause(ctx, firstRetry)
		return nil, nats.ErrDisconnected
	}
	within := made
	if f.inVain++; f.inVain > impatient {
		within = madeAtLast
	}
	began := time.Now()
	asking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	consumer, err := f.consumer(asking)
	switch {
	case err == nil:
		f.inVain = 0
	case time.Since(began) < firstRetry:
		pause(ctx, firstRetry)
	}
	return consumer, err
}

// read hands over what a consumer gives, until handle fails, which is its error, or
// the consumer is no use any more: nil. That is so when it was lost, gives no sign of
// life, or a message of it did not arrive.
func (f *follower) read(ctx context.Context, consumer jetstream.Consumer) error {
	defer f.forget(ctx, consumer)
	messages, err := consumer.Messages(jetstream.PullMaxMessages(readAhead), jetstream.PullHeartbeat(sign))
	if err != nil {
		return nil // the subscription failed: the connection is gone
	}
	defer messages.Stop()
	// What was under way to a connection that broke is lost, and nothing tells of it
	// before the next message: the consumer counts it as read.
	connected, cancel := context.WithCancel(ctx)
	defer cancel()
	broken := f.js.Conn().StatusChanged(nats.RECONNECTING, nats.CLOSED)
	defer f.js.Conn().RemoveStatusListener(broken)
	f.left.Go(func() {
		select {
		case <-broken:
			cancel()
		case <-connected.Done():
		}
	})
	until := jetstream.NextContext(connected)
	for n := uint64(1); ; n++ {
		m, err := messages.Next(until)
		if err != nil {
			return nil // whatever it is, a new consumer is the cure
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", f.stream, err)
		}
		if meta.Sequence.Consumer != n {
			return nil
		}
		if err := f.handle(message(m, meta)); err != nil {
			return err
		}
		f.next = meta.Sequence.Stream + 1
	}
}

// forget deletes a consumer in the background; if that fails, it expires.
func (f *follower) forget(ctx context.Context, consumer jetstream.Consumer) {
	if !f.js.Conn().IsConnected() {
		return
	}
	f.left.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = f.js.DeleteConsumer(ctx, f.stream, consumer.CachedInfo().Name)
	})
}

func message(m jetstream.Msg, meta *jetstream.MsgMetadata) Message {
	return Message{
		Subject: m.Subject(), Header: m.Headers(), Data: m.Data(),
		Seq: meta.Sequence.Stream, Stored: meta.Timestamp.UTC(), Pending: meta.NumPending,
	}
}
