package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/ingest/internal/feed"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

const (
	auditBacklog = 64          // messages of other replicas that may wait
	auditWarn    = time.Minute // between lines of the log
	auditNamed   = 10          // ids in one of them
)

// auditor tells what the hub sent to other replicas and not to this one.
type auditor struct {
	messages *feed.Writer
	every    time.Duration // between comparisons
	unheard  prometheus.Counter
	log      *slog.Logger

	warned  time.Time
	unsaid  int
	ids     []string  // the first of the unsaid
	puzzled time.Time // when it was last said that nobody understands another
}

// run tells the other replicas what was heard here, listens to what they tell,
// and compares, until ctx ends. What is lost on the way is not compared.
func (a *auditor) run(ctx context.Context, nc *nats.Conn) {
	others, err := nc.Subscribe(topology.HeardAll, a.told)
	if err != nil {
		a.log.Warn("what other replicas heard cannot be compared", telemetry.Error, err)
		return
	}
	defer func() { _ = others.Unsubscribe() }()                            // the connection may have ended
	_ = others.SetPendingLimits(auditBacklog, auditBacklog*feed.HeardRoom) // fails on a subscription that has ended
	var telling sync.WaitGroup
	telling.Go(func() { a.say(ctx, nc) })
	defer telling.Wait()
	a.compare(ctx)
}

// told takes in what a replica says. Anybody may say what no replica does, as
// often as they like.
func (a *auditor) told(m *nats.Msg) {
	if err := a.messages.Told(m); err != nil && time.Since(a.puzzled) > auditWarn {
		a.puzzled = time.Now()
		a.log.Warn("what another replica heard cannot be read", telemetry.Error, err)
	}
}

// say tells what was heard every second, and sooner when there is much of it,
// but not while the server does not answer: what nobody reads fills the socket,
// and then whoever uses the connection waits for a minute, the end too.
func (a *auditor) say(ctx context.Context, nc *nats.Conn) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.messages.Enough():
		}
		if !answers(ctx, nc) {
			continue
		}
		said, err := a.messages.Unsaid(int(nc.MaxPayload()))
		for _, m := range said {
			err = errors.Join(err, nc.PublishMsg(m))
		}
		if err != nil && nc.IsConnected() { // else it is lost, and that is told elsewhere
			a.log.Warn("other replicas were not told what was heard", telemetry.Error, err)
		}
	}
}

// answers reports whether the server has read all that it was sent.
func answers(ctx context.Context, nc *nats.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	return nc.IsConnected() && nc.FlushWithContext(ctx) == nil
}

func (a *auditor) compare(ctx context.Context) {
	tick := time.NewTicker(a.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.tell(a.messages.Compare(), now)
		}
	}
}

// tell counts, and says so once in a while.
func (a *auditor) tell(ids []string, now time.Time) {
	a.unheard.Add(float64(len(ids)))
	a.unsaid += len(ids)
	a.ids = append(a.ids, ids[:min(len(ids), auditNamed-len(a.ids))]...)
	if a.unsaid == 0 || now.Sub(a.warned) < auditWarn {
		return
	}
	a.log.Warn("the hub sent another replica events that it did not send this one", "events", a.unsaid, "ids", a.ids)
	a.warned, a.unsaid, a.ids = now, 0, nil
}
