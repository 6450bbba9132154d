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

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
)

// asFolder is what transform is compared with: the test binary, which reads every
// partition of RTE as transform does and appends to its log as many messages of
// the same size, but reads nothing of what it carries.
const (
	asFolder    = "E2E_IS_RELAY_OF_RTE"
	folderTells = "E2E_RELAYS"
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
			must(bus.Read(ctx, js, topology.RTE, []string{topology.RawOf(p), topology.FeedAll}, 0, func(m bus.Message) error {
				due += what.Share
				for i := 0; due >= 1; i++ {
					due--
					// The subjects differ as those of the calls do.
					subject := topology.CallLogPrefix(p) + ".ev" + strings.TrimPrefix(m.Subject, strings.TrimSuffix(topology.RawOf(p), ".>"))
					if err := log.Append(subject, maps.Clone(what.Header), what.Data, bus.Position{In: m.Seq, Idx: i, At: m.Stored}); err != nil {
						return err
					}
				}
				return nil
			}))
		}()
	}
	select {}
}
