package replay

import (
	"context"
	"runtime/debug"

	"ringstream/schemas/bus"
	"ringstream/transform/internal/replay/stream"
)

const (
	aheadMessages = 256 // handed over at once
	aheadBatches  = 4   // that wait to be folded
	// Folding again makes much that is of no use a moment later, and keeps
	// little: what the heap may grow by, in percent, before that is looked for.
	aheadGarbage = 400
)

// ahead reads and decodes in a goroutine of its own, which is half of the work,
// and hands over what it has in the same order. It ends when all is read, or at
// once when handle fails or has seen enough.
func ahead(ctx context.Context, read func(context.Context, func(bus.Message) error) error, handle func(decoded) error) error {
	defer debug.SetGCPercent(debug.SetGCPercent(aheadGarbage))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches, ended := make(chan []decoded, aheadBatches), make(chan error, 1)
	go func() {
		defer close(batches)
		ended <- hand(ctx, read, batches)
	}()
	var failed error
	for batch := range batches {
		for i := 0; i < len(batch) && failed == nil; i++ {
			if failed = handle(batch[i]); failed != nil {
				stop()
			}
		}
	}
	if err := <-ended; failed == nil {
		return err
	}
	return stream.NotEnd(failed)
}

// hand gives the messages on in batches, and the last of them also when reading
// fails.
func hand(ctx context.Context, read func(context.Context, func(bus.Message) error) error, batches chan<- []decoded) error {
	var batch []decoded
	give := func() error {
		select {
		case batches <- batch:
			batch = nil
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := read(ctx, func(m bus.Message) error {
		if batch == nil {
			batch = make([]decoded, 0, aheadMessages)
		}
		if batch = append(batch, decode(m)); len(batch) < aheadMessages {
			return nil
		}
		return give()
	})
	if len(batch) > 0 {
		if late := give(); err == nil {
			err = late
		}
	}
	return err
}
