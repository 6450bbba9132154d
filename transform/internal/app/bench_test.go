package app

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bustest"
	"ringstream/schemas/program"
	"ringstream/schemas/telemetry"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

var benchEvents = flag.Int("app.events", 50_000, "how many raw events the service is profiled with")

// BenchmarkRun folds what an office leaves in RTE with the whole service, for its
// CPU profile: the server is in the process too, so that the time it takes says
// nothing. See make profile.
func BenchmarkRun(b *testing.B) {
	s := bustest.Run(b)
	js := s.Provisioned(4)
	o := bustest.NewOffice(1, 400, 4)
	for range *benchEvents {
		m := o.Next(time.Now(), 500)
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	lines, err := os.Create(b.TempDir() + "/log")
	if err != nil {
		b.Fatal(err)
	}
	log, err := telemetry.Logger(lines, "info", "json")
	if err != nil {
		b.Fatal(err)
	}
	settings := Settings{Common: program.Common{HTTPAddr: "127.0.0.1:0"}, Config: s.Config(4), Limits: call.DefaultLimits(), LeaseTTL: 3 * time.Second}
	for b.Loop() {
		foldAll(b, settings, log, func() uint64 {
			calls, err := js.Stream(b.Context(), topology.Calls)
			if err != nil {
				return 0
			}
			return calls.CachedInfo().State.Msgs
		})
	}
}

// foldAll runs the service until it appends nothing any more.
func foldAll(b *testing.B, settings Settings, log *slog.Logger, appended func() uint64) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, settings, log) }()
	before := uint64(0)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := appended(); n == 0 || n > before; n = appended() {
		before = n
		<-tick.C
	}
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
