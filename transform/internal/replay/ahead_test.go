package replay

import (
	"context"
	"errors"
	"testing"

	"ringstream/schemas/bus"
	"ringstream/transform/internal/replay/stream"
)

var errBroken = errors.New("broken")

// reading gives so many messages and then fails, unless err is nil.
func reading(n int, err error) func(context.Context, func(bus.Message) error) error {
	return func(ctx context.Context, handle func(bus.Message) error) error {
		for i := range n {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := handle(bus.Message{Seq: uint64(i + 1)}); err != nil {
				return err
			}
		}
		return err
	}
}

// What is read is handled in order, all of it, also what was read before reading
// failed; and nothing behind what handle did not want.
func TestAhead(t *testing.T) {
	const many = 20*aheadMessages + 7
	for name, tt := range map[string]struct {
		read    int
		broken  error // of reading
		until   int   // handle ends there
		by      error
		handled int
		want    error
	}{
		"nothing":           {},
		"one":               {read: 1, handled: 1},
		"many":              {read: many, handled: many},
		"broken":            {read: many, broken: errBroken, handled: many, want: errBroken},
		"broken at once":    {broken: errBroken, want: errBroken},
		"enough":            {read: many, until: 300, by: stream.ErrEnd, handled: 300},
		"failed":            {read: many, until: 300, by: errBroken, handled: 300, want: errBroken},
		"failed at the end": {read: many, broken: stream.ErrNothing, until: many, by: errBroken, handled: many, want: errBroken},
	} {
		handled := 0
		err := ahead(t.Context(), reading(tt.read, tt.broken), func(m decoded) error {
			if handled++; m.Seq != uint64(handled) || m.in.Seq != m.Seq || m.err == nil {
				t.Fatalf("%s: message %d as the %d-th, %v", name, m.Seq, handled, m.err)
			}
			if handled == tt.until {
				return tt.by
			}
			return nil
		})
		if handled != tt.handled || !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %d handled, %v; want %d, %v", name, handled, err, tt.handled, tt.want)
		}
	}
}

func TestAheadIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	err := ahead(ctx, reading(1<<30, nil), func(decoded) error {
		cancel(errBroken)
		return nil
	})
	if !errors.Is(err, errBroken) {
		t.Error(err)
	}
}
