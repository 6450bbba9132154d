package program_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/schemas/program"
)

func TestCleanupsRunBackwardsAndNameWhatFailed(t *testing.T) {
	var undo program.Cleanups
	var order []string
	undo.Add("first", func() error { order = append(order, "first"); return errors.New("bad") })
	undo.Add("second", func() error { order = append(order, "second"); return nil })
	err := errors.New("cause")
	cause := err
	undo.Run(&err)
	if !slices.Equal(order, []string{"second", "first"}) || !errors.Is(err, cause) || err.Error() != "cause\nfirst: bad" {
		t.Errorf("ran %v, error %v", order, err)
	}
}

func TestBackgroundIsWaitedFor(t *testing.T) {
	over := false
	stop := program.Background(func(ctx context.Context) { <-ctx.Done(); over = true })
	if err := stop(); err != nil || !over {
		t.Errorf("over: %v, %v", over, err)
	}
}

func TestBoundedEndsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if err := program.Bounded(hang)(); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestLingeringEndsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		late, end := program.Lingering(ctx, time.Minute)
		defer end()
		cancel()
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if late.Err() != nil {
			t.Error("ended early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if late.Err() == nil {
			t.Error("did not end")
		}
		early, end := program.Lingering(t.Context(), time.Minute)
		end()
		if early.Err() == nil {
			t.Error("did not end when told to")
		}
	})
}

func TestAskedToStopIsNoError(t *testing.T) {
	other := errors.New("other")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx       context.Context
		err, want error
	}{
		"going on":            {t.Context(), other, other},
		"cancelled elsewhere": {t.Context(), context.Canceled, context.Canceled},
		"asked":               {ended, fmt.Errorf("read: %w", context.Canceled), nil},
		"failed meanwhile":    {ended, other, other},
		"nothing":             {ended, nil, nil},
	} {
		if err := program.Asked(tt.ctx, tt.err); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
