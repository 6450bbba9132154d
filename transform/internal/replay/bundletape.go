package replay

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

const maxPartitions = topology.MaxPartitions

// tape is something that holds RTE.
type tape struct {
	rte    span
	limits call.Limits
	read   func(ctx context.Context, handle func(bus.Message) error) error
}

// bundleTape reads RTE from a bundle, with the times at which its messages
// were stored where they come from. It is folded within the limits that it
// carries: others would make other call events of it.
func bundleTape(path string) (tape, error) {
	s := tape{rte: span{stream: topology.RTE}}
	each := func(handle func(bus.Message) error) error {
		return readBundle(path, func(h BundleHead) (err error) {
			s.rte.partitions = h.Partitions
			s.limits, err = h.Settings.limits()
			return err
		}, func(r Record) error {
			if r.Stream != topology.RTE {
				return nil
			}
			return handle(r.message())
		})
	}
	err := each(func(m bus.Message) error {
		if s.rte.last == 0 {
			s.rte.first, s.rte.from = m.Seq, m.Stored
		}
		s.rte.last, s.rte.to = m.Seq, m.Stored
		return nil
	})
	if err == nil && s.rte.empty() {
		err = fmt.Errorf("%w: the bundle has no message of RTE", ErrNothing)
	}
	s.read = func(ctx context.Context, handle func(bus.Message) error) error {
		err := each(func(m bus.Message) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return handle(m)
		})
		return notEnd(err)
	}
	return s, err
}

// streamTape reads RTE from a server.
func streamTape(ctx context.Context, js jetstream.JetStream, s Settings) (tape, error) {
	rte, err := lookRTE(ctx, js, s)
	return tape{rte: rte, limits: s.Limits, read: func(ctx context.Context, handle func(bus.Message) error) error {
		return read(ctx, js, rte, rte.first, handle)
	}}, err
}
