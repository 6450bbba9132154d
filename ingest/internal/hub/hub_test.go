package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
)

// Libraries give up after a quarter of an hour; this must not.
func TestDiallingNeverEndsAndIsNeverHurried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Time
		h := &Hub{
			Grant: func(context.Context) (rte.Grant, error) {
				attempts = append(attempts, time.Now())
				return rte.Grant{}, fmt.Errorf("get an RTE token: %w", rte.ErrUnreachable)
			},
			Sink: nobody{}, Observe: nobody{}, Limits: DefaultLimits(), Log: slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		h.Run(ctx)
		if last := attempts[len(attempts)-1]; time.Since(last) > time.Minute {
			t.Errorf("last attempt %s before the end", time.Since(last))
		}
		var waits []time.Duration
		for i := 1; i < len(attempts); i++ {
			waits = append(waits, attempts[i].Sub(attempts[i-1]))
		}
		if waits[0] > time.Second {
			t.Errorf("first wait %s", waits[0])
		}
		distinct := map[time.Duration]bool{}
		for i, w := range waits[10 : len(waits)-1] {
			if distinct[w] = true; w < 10*time.Second || w > 50*time.Second {
				t.Fatalf("wait %d is %s", i+10, w)
			}
		}
		if len(distinct) < len(waits)/2 {
			t.Error("waits are not jittered")
		}
	})
}

func TestStatusTellsWhyThereIsNoConnection(t *testing.T) {
	h := &Hub{}
	if s := h.Status(); s.Connected || s.Trouble == "" {
		t.Errorf("status at the start is %+v", s)
	}
}

func TestCauseOf(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want session.Cause
	}{
		{t.Context(), rte.ErrUnauthorized, session.Credentials},
		{t.Context(), rte.ErrUnreachable, session.Unreachable},
		{t.Context(), rte.ErrMalformed, session.Malformed},
		{t.Context(), ErrUnauthorized, session.Unauthorized},
		{t.Context(), ErrUnreachable, session.Unreachable},
		{t.Context(), ErrMalformed, session.Malformed},
		{t.Context(), ErrRefused, session.Refused},
		{t.Context(), errors.New("else"), session.Refused},
		{stopped, ErrUnreachable, session.Stopped},
	} {
		if got := causeOf(c.ctx, fmt.Errorf("dial: %w", c.err)); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
}
