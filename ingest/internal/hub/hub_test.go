package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
)

// attempts runs a hub client, to which the REST API gives these answers and
// then the last one again and again, and returns the times between attempts.
func attempts(t *testing.T, d time.Duration, answers ...error) (waits []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		h := &Hub{
			Grant: func(context.Context) (rte.Grant, error) {
				times = append(times, time.Now())
				return rte.Grant{}, fmt.Errorf("get an RTE token: %w", answers[min(len(times), len(answers))-1])
			},
			Sink: nobody{}, Observe: nobody{}, Limits: DefaultLimits(), Log: slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		h.Run(ctx)
		for i := 1; i < len(times); i++ {
			waits = append(waits, times[i].Sub(times[i-1]))
		}
	})
	return waits[:len(waits)-1] // the end may have cut the last one short
}

// Libraries give up after a quarter of an hour; this must not. Nor must it wait
// for longer than a telephone rings, unless only people can help.
func TestDiallingNeverEndsAndIsNeverHurried(t *testing.T) {
	for _, c := range []struct {
		answer         error
		shortest, last time.Duration
	}{
		{rte.ErrUnreachable, time.Second, 5 * time.Second},
		{rte.ErrMalformed, time.Second, 5 * time.Second},
		{ErrRefused, time.Second, 5 * time.Second},
		{rte.ErrUnauthorized, 5 * time.Second, 30 * time.Second},
	} {
		const day = 24 * time.Hour
		waits := attempts(t, day, c.answer)
		if len(waits) < int(day/c.last)-1 {
			t.Errorf("%v: %d attempts in a day", c.answer, len(waits))
		}
		if waits[0] > time.Second {
			t.Errorf("%v: first wait %s", c.answer, waits[0])
		}
		distinct := map[time.Duration]bool{}
		for i, w := range waits[10:] {
			if distinct[w] = true; w < c.shortest || w > c.last {
				t.Fatalf("%v: wait %d is %s", c.answer, i+10, w)
			}
		}
		if len(distinct) < len(waits)/2 {
			t.Errorf("%v: waits are not jittered", c.answer)
		}
	}
}

func TestRefusedTokenIsReplacedAtOnceAfterOtherFailures(t *testing.T) {
	away := slices.Repeat([]error{ErrUnreachable}, 10)
	waits := attempts(t, time.Hour, append(away, ErrUnauthorized, ErrUnauthorized, ErrUnreachable)...)
	if w := waits[10]; w != 0 {
		t.Errorf("after one refused token: %s", w)
	}
	if w := waits[11]; w == 0 {
		t.Error("a token refused again is not waited for")
	}
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
		{t.Context(), rte.ErrUnknownUser, session.Credentials},
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
