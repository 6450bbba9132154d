package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// What transform reads of a partition it may read however far behind it is, and
// nothing that it asks for on the way is refused.
func TestTransformMayCatchUp(t *testing.T) {
	const messages = 3000
	for name, open := range guards {
		t.Run(name, func(t *testing.T) {
			g := open(t)
			g.provision()
			all, err := bus.JetStream(g.connect(test).nc)
			if err != nil {
				t.Fatal(err)
			}
			for n := range messages {
				subject := topology.Raw(0, "o", "UserStatus", fmt.Sprint(n%50))
				if n%10 == 0 {
					subject = topology.Feed("a", "heartbeat")
				}
				if _, err := all.PublishAsync(subject, nil, jetstream.WithStallWait(time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			<-all.PublishAsyncComplete()
			c := g.connect(string(topology.Transform))
			js, err := bus.JetStream(c.nc)
			if err != nil {
				t.Fatal(err)
			}
			enough, read := errors.New("enough"), uint64(0)
			err = bus.Read(t.Context(), js, topology.RTE, []string{topology.RawOf(0), topology.FeedAll}, 1, func(m bus.Message) error {
				if read++; m.Seq != read {
					t.Errorf("message %d is the %d-th", m.Seq, read)
				}
				if read == messages {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) {
				t.Errorf("read %d: %v", read, err)
			}
			select {
			case err := <-c.refusals:
				t.Error(err)
			default:
			}
		})
	}
}
