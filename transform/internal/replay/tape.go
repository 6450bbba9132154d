package replay

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/bundle"
	"ringstream/transform/internal/replay/stream"
)

// tape is something that holds RTE.
type tape struct {
	rte    stream.Span
	limits call.Limits
	read   func(ctx context.Context, handle func(bus.Message) error) error
}

// bundleTape reads RTE from a bundle, with the times at which its messages
// were stored where they come from. It is folded within the limits that it
// carries: others would make other call events of it.
func bundleTape(path string) (tape, error) {
	s := tape{rte: stream.Span{Name: topology.RTE}}
	each := func(handle func(bus.Message) error) error {
		return bundle.Read(path, func(h bundle.Head) (err error) {
			s.rte.Partitions = h.Partitions
			s.limits, err = h.Settings.Limits()
			return err
		}, func(r bundle.Record) error {
			if r.Stream != topology.RTE {
				return nil
			}
			return handle(r.Message())
		})
	}
	err := each(func(m bus.Message) error {
		if s.rte.Last == 0 {
			s.rte.First, s.rte.From = m.Seq, m.Stored
		}
		s.rte.Last, s.rte.To = m.Seq, m.Stored
		return nil
	})
	if err == nil && s.rte.Empty() {
		err = fmt.Errorf("%w: the bundle has no message of RTE", stream.ErrNothing)
	}
	s.read = func(ctx context.Context, handle func(bus.Message) error) error {
		err := each(func(m bus.Message) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return handle(m)
		})
		return stream.NotEnd(err)
	}
	return s, err
}

// streamTape reads RTE from a server.
func streamTape(ctx context.Context, js jetstream.JetStream, s Settings) (tape, error) {
	rte, err := stream.LookRTE(ctx, js, s.Partitions)
	return tape{rte: rte, limits: s.Limits, read: func(ctx context.Context, handle func(bus.Message) error) error {
		return stream.Read(ctx, js, rte, rte.First, handle)
	}}, err
}
