package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/reapit"
)

// watched is a standing with a clock of its own.
type watched struct {
	*standing
	*testing.T
	at   time.Time
	left dayLeft
	call string // whose attempts are made
	said bytes.Buffer
}

func watch(t *testing.T, customers ...string) *watched {
	w := &watched{T: t, at: time.Date(2026, 11, 22, 12, 3, 4, 0, time.UTC)}
	w.standing = newStanding(slog.New(slog.NewTextHandler(&w.said, nil)), func() []string { return customers }, func() dayLeft { return w.left }, func() time.Time { return w.at })
	return w
}

// try is one attempt for a customer, decided as the table says.
func (w *watched) try(customer string, r reapit.Result) {
	v := delivery.Decide(resultOf(r), delivery.Attempt{Number: 1, Refreshed: true, Patience: time.Second}, 0)
	if v.Reason != "" && r.Fault() != nil {
		v.Reason += ": " + r.Fault().Error()
	}
	w.attempt(customer, w.call, r, v)
	w.limited(r, v)
}

func (w *watched) want(ok bool, words ...string) {
	w.Helper()
	r := w.Result()
	if r.OK != ok {
		w.Errorf("ready is %t: %s", r.OK, r.Detail)
	}
	for _, word := range words {
		if !strings.Contains(r.Detail, word) {
			w.Errorf("no %q in %q", word, r.Detail)
		}
	}
}

var (
	taken    = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 202}
	silent   = reapit.Result{Kind: reapit.Timeout, Sent: true, Err: errors.New("no answer")}
	broken   = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 503}
	ungiven  = reapit.Result{Kind: reapit.NotSent, Err: errors.New("wait for a token: too long")}
	notOurs  = reapit.Result{Kind: reapit.TokenRefused, Err: errors.New("REAPIT_CLIENT_ID or REAPIT_CLIENT_SECRET is not accepted: 401 Unauthorized invalid_client")}
	noScope  = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 403, Description: "not granted"}
	invalid  = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 422, Description: "callerId is odd"}
	leaving  = reapit.Result{Kind: reapit.Cancelled, Err: errors.New("stopping")}
	busy     = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 429}
	hourlong = reapit.Result{Kind: reapit.Answered, Sent: true, Status: 429, Description: "too many", RetryAfter: time.Hour}
)

func TestFailuresOfAMinuteAreNotReady(t *testing.T) {
	for name, r := range map[string]reapit.Result{"timeout": silent, "503": broken, "no token": ungiven, "429": hourlong} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, "SBOX")
			w.want(true, "nothing sent yet")
			w.try("SBOX", taken)
			w.want(true, "accepted the last request, at 2026-11-22T12:03:04Z")
			for range 6 {
				w.at = w.at.Add(10 * time.Second)
				w.try("SBOX", r)
				w.want(true, "since 2026-11-22T12:03:14Z")
			}
			w.at = w.at.Add(10 * time.Second)
			w.try("SBOX", r)
			w.want(false, "no attempt of 7 succeeded since 2026-11-22T12:03:14Z: ")
			if w.failing() != time.Minute {
				t.Errorf("failing for %s", w.failing())
			}
			w.try("SBOX", taken)
			w.want(true, "accepted")
			if said := w.said.String(); strings.Count(said, "level=ERROR msg=\"nothing can be delivered") != 1 || strings.Count(said, "delivered to again") != 1 {
				t.Error(said)
			}
		})
	}
}

// When several calls suffer, nobody waits for a minute.
func TestFailuresOfSeveralCallsAreNotReadySooner(t *testing.T) {
	w := watch(t, "SBOX")
	w.try("SBOX", broken)
	w.at, w.call = w.at.Add(10*time.Second), "another"
	w.try("SBOX", broken)
	w.at = w.at.Add(4 * time.Second)
	w.try("SBOX", broken)
	w.want(true, "failing since 2026-11-22T12:03:04Z")
	w.at = w.at.Add(time.Second)
	w.try("SBOX", broken)
	w.want(false, "no attempt of 4 succeeded since 2026-11-22T12:03:04Z")
	w.at = w.at.Add(6*time.Minute + time.Second) // what waits is tried at least every five
	w.want(true, "failing since")
}

// One odd answer, and nothing to send behind it, is no reason to wake anybody.
func TestQuietIsNotFailing(t *testing.T) {
	w := watch(t, "SBOX")
	w.try("SBOX", silent)
	w.at = w.at.Add(time.Hour)
	w.want(true, "failing since 2026-11-22T12:03:04Z: no answer in time", "check REAPIT_API_URL")
}

func TestEveryCustomerParkedIsNotReadyAtOnce(t *testing.T) {
	for cause, c := range map[string]struct {
		r    reapit.Result
		says []string
	}{
		"token": {notOurs, []string{"401 Unauthorized invalid_client", "REAPIT_CLIENT_ID or REAPIT_CLIENT_SECRET"}},
		"scope": {noScope, []string{"403", "have notifications.telephony.write granted"}},
	} {
		w := watch(t, "SBOX", "RES")
		w.try("SBOX", c.r)
		w.waits(map[string]string{"SBOX": cause}, time.Time{})
		w.want(true, "refuses SBOX since 2026-11-22T12:03:04Z", "others are delivered to")
		w.at = w.at.Add(10 * time.Second)
		w.try("RES", c.r)
		w.waits(map[string]string{"SBOX": cause, "RES": cause}, time.Time{})
		w.want(false, append(c.says, "refuses RES since 2026-11-22T12:03:14Z", "; SBOX since 2026-11-22T12:03:04Z")...)
		w.try("RES", taken)
		w.waits(map[string]string{"SBOX": cause}, time.Time{})
		w.want(true, "refuses SBOX")
		w.waits(nil, time.Time{})
		w.want(true, "accepted")
	}
}

// A replica that takes over learns from the log who is parked.
func TestParkedSinceBeforeTheTerm(t *testing.T) {
	w := watch(t, "SBOX")
	w.waits(map[string]string{"SBOX": "scope"}, time.Time{})
	w.want(false, "refuses SBOX", "scope")
	w.reset()
	w.want(true, "nothing sent yet")
}

func TestWhatIsOursIsNoFailure(t *testing.T) {
	w := watch(t, "SBOX")
	for range 20 {
		w.at = w.at.Add(10 * time.Second)
		w.try("SBOX", leaving)
		w.try("SBOX", reapit.Result{Kind: reapit.Unsendable, Err: errors.New("odd")})
	}
	w.want(true, "nothing sent yet")
	w.try("SBOX", invalid)
	w.want(true, "accepted the last request")
}

func TestAPauseIsToldWithWhatReapitSaid(t *testing.T) {
	w := watch(t, "SBOX")
	w.try("SBOX", hourlong)
	w.waits(nil, w.at.Add(time.Minute))
	w.want(false, "everything is held back until 2026-11-22T12:04:04Z: Reapit's limits are reached (HTTP 429): answered 429: too many")
	if w.pause() != time.Minute {
		t.Errorf("paused for %s", w.pause())
	}
	for _, words := range []string{"level=ERROR", "asked=1h0m0s", "paused_for=1m0s", "too many"} {
		if !strings.Contains(w.said.String(), words) {
			t.Errorf("no %q in %s", words, w.said.String())
		}
	}
	w.at = w.at.Add(time.Minute)
	if w.pause() != 0 {
		t.Errorf("paused for %s", w.pause())
	}
	w.want(true, "failing since")
}

// A short pause is Reapit's everyday; one behind the other is none.
func TestPausesInARowAreOneLongPause(t *testing.T) {
	w := watch(t, "SBOX")
	w.try("SBOX", busy)
	w.waits(nil, w.at.Add(4*time.Second))
	w.want(true, "paused until")
	for range 3 {
		w.at = w.at.Add(2 * time.Second)
		w.waits(nil, w.at.Add(4*time.Second))
	}
	w.want(false, "everything is held back")
	w.at = w.at.Add(5 * time.Second)
	w.waits(nil, w.at.Add(-time.Second))
	w.waits(nil, w.at.Add(4*time.Second))
	w.want(true, "paused until")
}

func TestADayUsedUpIsNotReady(t *testing.T) {
	w := watch(t, "SBOX")
	w.left = spent
	w.want(false, "REAPIT_DAILY", "00:00 UTC")
}

// What waits for the next day, although Reapit takes everything, is told.
func TestTheLastOfTheDayIsTold(t *testing.T) {
	w := watch(t, "SBOX")
	w.try("SBOX", taken)
	w.left = scarce
	w.waits(nil, time.Time{})
	w.waits(nil, time.Time{})
	w.want(true, "REAPIT_DAILY", "missed", "00:00 UTC")
	w.try("SBOX", broken)
	w.want(true, "failing since")
	w.try("SBOX", taken)
	w.left = ample
	w.waits(nil, time.Time{})
	w.want(true, "accepted")
	if said := w.said.String(); strings.Count(said, "kept for calls that ring") != 1 || strings.Count(said, "a new day") != 1 {
		t.Errorf("said %s", said)
	}
}
