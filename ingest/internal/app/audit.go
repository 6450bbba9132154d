package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"ringstream/ingest/internal/feed"
	"ringstream/schemas/bus"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
)

const (
	auditRetry = 5 * time.Second // until RTE is read again
	auditWarn  = time.Minute     // between lines of the log
	auditNamed = 10              // ids in one of them
)

// auditor tells what the hub sent to other replicas and not to this one.
type auditor struct {
	messages *feed.Writer
	every    time.Duration // between comparisons
	unheard  prometheus.Counter
	log      *slog.Logger

	warned time.Time
	unsaid int
	ids    []string // the first of the unsaid
}

// run compares until ctx ends. What nobody reads meanwhile is not compared.
func (a *auditor) run(ctx context.Context, js jetstream.JetStream) {
	var comparing sync.WaitGroup
	comparing.Go(func() { a.compare(ctx) })
	defer comparing.Wait()
	for ctx.Err() == nil {
		err := bus.ReadHeaders(ctx, js, topology.RTE, []string{"rte.>"}, func(m bus.Message) error {
			a.messages.Stored(m.Header)
			return nil
		})
		if ctx.Err() == nil {
			a.log.Warn("what other replicas heard cannot be compared", telemetry.Error, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(auditRetry):
		}
	}
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
