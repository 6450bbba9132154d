package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFlushWaitsForWhatIsToBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, lost := context.WithCancelCause(t.Context())
		j := &journal{queue: make(chan func() error, backlog), lost: lost, ended: make(chan struct{})}
		go j.write()
		stored := false
		j.queue <- func() error {
			time.Sleep(time.Second)
			stored = true
			return nil
		}
		if j.flush(ctx); !stored {
			t.Error("flush did not wait")
		}
		fenced := errors.New("fenced")
		j.queue <- func() error { return fenced }
		if j.flush(ctx); !errors.Is(context.Cause(ctx), fenced) {
			t.Errorf("flush returned with %v", context.Cause(ctx))
		}
		close(j.queue)
		<-j.ended
	})
}
