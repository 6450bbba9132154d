package bus_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
)

// BenchmarkPublisher is two publishers that have heard the same, of three servers.
// What follows itself is what a call does: its phones ring one after the other.
func BenchmarkPublisher(b *testing.B) {
	for name, run := range map[string]int{"NothingFollowsItself": 1, "SixOfACall": 6, "TwentyOfACall": 20} {
		b.Run(name, func(b *testing.B) {
			nodes := bustest.Cluster(b, 3)
			cfg := bus.Config{URL: bustest.ClusterURL(nodes), Provision: bus.ProvisionCreate, Replicas: 3, Partitions: 1}
			js := connected(b, cfg)
			if err := bus.Prepare(b.Context(), js, cfg, slog.New(slog.DiscardHandler)); err != nil {
				b.Fatal(err)
			}
			var both sync.WaitGroup
			b.ResetTimer()
			for range 2 {
				_, q, start := publisherOf(b, cfg)
				for i := range b.N {
					q.publish(of(i, fmt.Sprintf("call-%d", i/run)))
				}
				start()
				both.Go(func() { q.flush(b) })
			}
			both.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}
