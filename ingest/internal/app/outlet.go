package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/ingest/internal/feed"
	"ringstream/ingest/internal/spool"
	"ringstream/schemas/bus"
	"ringstream/schemas/probe"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

const (
	// stuck is how long messages may wait without any being stored.
	stuck     = 10 * time.Second
	flushPoll = 5 * time.Millisecond
)

// outlet is the way to JetStream: through the spool, which keeps what was
// handed over until it is stored, and the publisher. What can never be stored
// becomes a dead letter.
type outlet struct {
	spool     *spool.Spool[bus.Outgoing]
	publisher *bus.Publisher
	drain     context.Context //nolint:containedctx // one limit for all that is handed over, at whatever time
	metrics   *metrics
	log       *slog.Logger

	connected atomic.Bool
	dials     atomic.Uint64 // connections made
	cramped   bool          // no room, as told last
	progress  *probe.Progress
	canary    *canary
}

func newOutlet(drain context.Context, queue *spool.Spool[bus.Outgoing], cfg bus.Config, instance string, m *metrics, log *slog.Logger) *outlet {
	o := &outlet{
		spool: queue, drain: drain, metrics: m, log: log,
		progress: probe.NewProgress(stuck), canary: newCanary(instance),
	}
	o.publisher = bus.NewPublisher(cfg, name, queue, log)
	o.publisher.Stored, o.publisher.Refused, o.publisher.Settled, o.publisher.Connected = o.stored, o.refused, o.settled, o.changed
	return o
}

// publish hands a message over; it blocks while the spool has no room, until
// the drain limit.
func (o *outlet) publish(m bus.Outgoing) error {
	err := o.spool.Push(o.drain, m)
	if err != nil {
		o.metrics.lost.Inc()
	}
	o.progress.Waiting(o.spool.Waiting())
	return err
}

// run sends what the spool has until ctx ends. Any other error is the spool's,
// which must be opened anew.
func (o *outlet) run(ctx context.Context) error { return o.publisher.Run(ctx) }

func (o *outlet) stored(m bus.Outgoing, ack *jetstream.PubAck) {
	if ack.Duplicate {
		o.metrics.doubled.Inc()
	} else {
		o.metrics.stored.Inc()
	}
	o.metrics.delay.Observe(time.Since(m.Arrived).Seconds())
	o.canary.stored(m)
}

// settled strikes the oldest messages off.
func (o *outlet) settled(n int) {
	o.spool.Done(n)
	o.metrics.progress.SetToCurrentTime()
	o.progress.Waiting(o.spool.Waiting())
	o.progress.Done()
}

// refused makes the dead letter that takes the place of its message. Those of
// its further parts wait in the spool before it is stored.
func (o *outlet) refused(m bus.Outgoing, refusal error) *bus.Outgoing {
	letters, err := feed.DeadLetters(m, refusal)
	if err != nil || strings.HasPrefix(m.Subject, topology.DeadLetter(name, "")) {
		o.log.Error("message lost: neither it nor its dead letter can be stored", telemetry.Error, errors.Join(refusal, err), "bytes", len(m.Data))
		o.metrics.lost.Inc()
		return nil
	}
	o.log.Error("message too large for the stream, kept as a dead letter", "subject", m.Subject, telemetry.Error, refusal, "bytes", len(m.Data))
	o.metrics.letters.WithLabelValues(feed.TooLarge).Inc()
	for _, letter := range letters[1:] {
		o.queue(letter)
	}
	return &letters[0]
}

// roomWait is how long a part of a dead letter waits for room in the spool:
// nothing leaves it meanwhile.
const roomWait = time.Second

func (o *outlet) queue(letter bus.Outgoing) {
	ctx, cancel := context.WithTimeout(o.drain, roomWait)
	defer cancel()
	if err := o.spool.Push(ctx, letter); err != nil {
		o.log.Error("part of a message lost: the spool has no room for its dead letter", telemetry.Error, err, "bytes", len(letter.Data))
		o.metrics.lost.Inc()
	}
}

func (o *outlet) changed(connected bool, _ error) {
	if connected {
		o.dials.Add(1)
	}
	o.connected.Store(connected)
}

// reconnects is how many connections were made after the first.
func (o *outlet) reconnects() uint64 { return max(o.dials.Load(), 1) - 1 }

// flush waits until everything is stored, or the drain limit. What is left then
// waits in the spool.
func (o *outlet) flush() error {
	tick := time.NewTicker(flushPoll)
	defer tick.Stop()
	for {
		left := o.spool.Waiting()
		if left == 0 {
			return nil
		}
		select {
		case <-o.drain.Done():
			unsafe := o.spool.State().Unsafe
			return fmt.Errorf("%w: %d messages wait in SPOOL_DIR for the next start, %d are in memory only", errUnsent, left-unsafe, unsafe)
		case <-tick.C:
		}
	}
}

// tellRoom says when there is no room any more, why, and when there is again. It
// is for one goroutine.
func (o *outlet) tellRoom() {
	now := o.room()
	if now.OK != o.cramped {
		return
	}
	o.cramped = !now.OK
	if o.cramped {
		o.log.Error("what is heard cannot be kept on disk: make room in SPOOL_DIR or bring NATS back", telemetry.Error, now.Detail)
	} else {
		o.log.Info("what is heard is kept on disk again", "spool", now.Detail)
	}
}

// room tells whether what is heard can be kept, whatever happens.
func (o *outlet) room() probe.Result {
	s := o.spool.State()
	detail := fmt.Sprintf("%d messages wait, %d bytes on disk", s.Waiting, s.Bytes)
	switch {
	case !s.Blocked.IsZero():
		return probe.Result{Detail: fmt.Sprintf("reading stopped %s ago, because there is no room (%v); %s",
			time.Since(s.Blocked).Round(time.Second), s.Trouble, detail)}
	case s.Trouble != nil, s.Unsafe > 0:
		return probe.Result{Detail: fmt.Sprintf("SPOOL_DIR takes nothing (%v), %d messages are in memory only; %s", s.Trouble, s.Unsafe, detail)}
	default:
		return probe.Result{OK: true, Detail: detail}
	}
}
