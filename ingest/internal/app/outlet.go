package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/ingest/internal/feed"
	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

// queue is how many messages may wait for JetStream before reading stops.
const queue = 8192

// stuck is how long messages may wait without any being stored.
const stuck = 10 * time.Second

// outlet is the way to JetStream: it counts what is under way and turns what
// can never be stored into dead letters.
type outlet struct {
	publisher *bus.Publisher
	drain     context.Context //nolint:containedctx // one limit for all that is handed over, at whatever time
	metrics   *metrics
	log       *slog.Logger

	waiting   atomic.Int64 // handed over and neither stored nor given up
	connected atomic.Bool
	dials     atomic.Uint64 // connections made
	progress  *probe.Progress
	letters   sync.WaitGroup
}

func newOutlet(drain context.Context, cfg bus.Config, m *metrics, log *slog.Logger) *outlet {
	o := &outlet{
		publisher: bus.NewPublisher(cfg, "ingest", queue, log), drain: drain, metrics: m, log: log,
		progress: probe.NewProgress(stuck),
	}
	o.publisher.Stored, o.publisher.Refused, o.publisher.Connected = o.stored, o.refused, o.changed
	return o
}

// publish hands a message over; it blocks while the queue is full, until the
// drain limit.
func (o *outlet) publish(m bus.Outgoing) error {
	o.progress.Waiting(int(o.waiting.Add(1)))
	err := o.publisher.Publish(o.drain, m)
	if err != nil {
		o.metrics.lost.Inc()
		o.settled()
	}
	return err
}

func (o *outlet) stored(m bus.Outgoing, ack *jetstream.PubAck) {
	result := "stored"
	if ack.Duplicate {
		result = "duplicate"
	}
	o.metrics.published.WithLabelValues(result).Inc()
	o.metrics.delay.Observe(time.Since(m.Arrived).Seconds())
	o.metrics.progress.SetToCurrentTime()
	o.settled()
	o.progress.Done()
}

func (o *outlet) settled() { o.progress.Waiting(int(o.waiting.Add(-1))) }

// refused is called by the publisher, whose queue may be full: the dead letter
// must not be waited for here. It takes the place of its message.
func (o *outlet) refused(m bus.Outgoing, refusal error) {
	letter, err := feed.DeadLetter(m, refusal)
	if err != nil || m.Subject == topology.DeadLetter("ingest", feed.TooLarge) {
		o.log.Error("message lost: neither it nor its dead letter can be stored", telemetry.Error, errors.Join(refusal, err), "bytes", len(m.Data))
		o.metrics.lost.Inc()
		o.settled()
		return
	}
	o.log.Error("message too large for the stream, kept as a dead letter", "subject", m.Subject, telemetry.Error, refusal, "bytes", len(m.Data))
	o.metrics.letters.WithLabelValues(feed.TooLarge).Inc()
	o.letters.Go(func() {
		if err := o.publish(letter); err != nil {
			o.log.Error("dead letter lost", telemetry.Error, err)
		}
		o.settled()
	})
}

func (o *outlet) changed(connected bool, _ error) {
	if connected {
		o.dials.Add(1)
	}
	o.connected.Store(connected)
}

// reconnects is how many connections were made after the first.
func (o *outlet) reconnects() uint64 { return max(o.dials.Load(), 1) - 1 }

// flush waits until everything is stored, dead letters too, or the drain limit.
func (o *outlet) flush() error {
	for o.waiting.Load() > 0 {
		if err := o.publisher.Flush(o.drain); err != nil {
			return fmt.Errorf("%w: %d messages", errUnsent, o.waiting.Load())
		}
		o.letters.Wait()
	}
	return nil
}
