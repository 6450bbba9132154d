// The account of CPU time and memory is that of Linux.

//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// asFolder is what transform is compared with: the test binary, which reads every
// partition of RTE by an ordered consumer with its two filters, as anybody would, and
// appends to its log as many messages of the same size, but reads nothing of what it
// carries. With readsApart it reads as transform does.
const (
	asFolder    = "E2E_IS_RELAY_OF_RTE"
	folderTells = "E2E_RELAYS"
	readsApart  = "E2E_READS_APART"
)

// relayed is what a bare relay appends: a message like those of transform, so
// many for each that it reads.
type relayed struct {
	Header nats.Header
	Data   []byte
	Share  float64
}

func foldBare(url string) {
	var what relayed
	b, err := os.ReadFile(os.Getenv(folderTells))
	must(err)
	must(json.Unmarshal(b, &what))
	ctx := context.Background()
	nc, err := bus.Connect(ctx, bus.Config{URL: url}, "relay", slog.New(slog.DiscardHandler))
	must(err)
	js, err := bus.JetStream(nc)
	must(err)
	for p := range foldPartitions {
		log, err := bus.OpenLog(ctx, js, topology.CallLog(p), topology.CallLogPrefix(p))
		must(err)
		due := 0.0
		go func() {
			must(relayReads(ctx, js, []string{topology.RawOf(p), topology.FeedAll}, func(subject string, at bus.Position) error {
				due += what.Share
				for ; due >= 1; at.Idx++ {
					due--
					// The subjects differ as those of the calls do.
					own := topology.CallLogPrefix(p) + ".ev" + strings.TrimPrefix(subject, strings.TrimSuffix(topology.RawOf(p), ".>"))
					if err := log.Append(own, maps.Clone(what.Header), what.Data, at); err != nil {
						return err
					}
				}
				return nil
			}))
		}()
	}
	select {}
}

// relayReads hands over the subject and the position of each message.
func relayReads(ctx context.Context, js jetstream.JetStream, filters []string, take func(subject string, at bus.Position) error) error {
	if os.Getenv(readsApart) != "" {
		return bus.Read(ctx, js, topology.RTE, filters, 0, func(m bus.Message) error { return take(m.Subject, bus.Position{In: m.Seq, At: m.Stored}) })
	}
	c, err := js.OrderedConsumer(ctx, topology.RTE, jetstream.OrderedConsumerConfig{FilterSubjects: filters})
	if err != nil {
		return err
	}
	messages, err := c.Messages()
	if err != nil {
		return err
	}
	for {
		m, err := messages.Next()
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if err := take(m.Subject(), bus.Position{In: meta.Sequence.Stream, At: meta.Timestamp}); err != nil {
			return err
		}
	}
}
