package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

func TestFlushWaitsForWhatIsToBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, lost := context.WithCancelCause(t.Context())
		j := &journal{queue: make(chan entry, backlog), lost: lost, ended: make(chan struct{})}
		go j.write()
		stored := false
		j.queue <- entry{store: func() error {
			time.Sleep(time.Second)
			stored = true
			return nil
		}}
		if j.flush(ctx); !stored {
			t.Error("flush did not wait")
		}
		fenced := errors.New("fenced")
		j.queue <- entry{store: func() error { return fenced }}
		if j.flush(ctx); !errors.Is(context.Cause(ctx), fenced) {
			t.Errorf("flush returned with %v", context.Cause(ctx))
		}
		behind := schedule.Record{Outcome: event.Delivered}
		j.queue <- entry{func() error { return errors.New("stored behind a failure") }, &behind}
		close(j.queue)
		if <-j.ended; len(j.left) != 1 || j.left[0].Outcome != event.Delivered {
			t.Errorf("left: %v", j.left)
		}
	})
}
