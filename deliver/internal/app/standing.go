package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/probe"
	"ringstream/schemas/telemetry"
)

// How long attempts may fail, none succeeding, before deliver is not ready:
// less long when several calls suffer, so that an odd answer in a quiet office
// wakes nobody. What nobody has tried for longer than the longest wait between
// two attempts says nothing any more. Readiness alerts and holds up rollouts; it
// stops nothing: who delivers is decided by the lease.
const (
	failingLimit  = time.Minute
	severalLimit  = 15 * time.Second
	severalFailed = 3 // attempts, of two calls or more
	failingNews   = 6 * time.Minute
)

// standing is how deliver stands with Reapit, told by what came of its attempts.
type standing struct {
	log       *slog.Logger
	customers func() []string // all that there are
	day       func() dayLeft
	now       func() time.Time

	mu       sync.Mutex
	good     time.Time // when an attempt last succeeded
	since    time.Time // the first that failed since then; zero while none did
	last     time.Time // the newest that failed
	failures int
	call     string              // of the first that failed
	several  bool                // calls of which attempts failed
	trouble  string              // of the newest, with what to do about it
	parked   map[string]hardship // by customer
	paused   time.Time           // nothing is sent until then
	held     time.Time           // since when, without a break
	said     string              // by Reapit, of the pause
	bad      bool                // as told last
	scarce   bool                // likewise, of the requests of the day
}

// dayLeft is how much of the requests of the day is left.
type dayLeft int

const (
	ample  dayLeft = iota
	scarce         // the rest is kept for calls that ring
	spent
)

const lastOfTheDay = "the last requests of the day (REAPIT_DAILY) are kept for calls that ring; ended and missed calls wait until 00:00 UTC"

// hardship is what keeps a customer parked.
type hardship struct {
	since   time.Time
	trouble string
}

func newStanding(log *slog.Logger, customers func() []string, day func() dayLeft, now func() time.Time) *standing {
	return &standing{log: log, customers: customers, day: day, now: now, parked: map[string]hardship{}}
}

// attempt is told what came of one of a call, and what followed.
func (s *standing) attempt(customer, call string, r reapit.Result, v delivery.Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tell()
	now := s.now()
	switch {
	case v.Action == delivery.Deliver || v.Action == delivery.Reject || v.Action == delivery.Shadow:
		// Who is told that a notification is invalid was let in.
		s.good, s.since, s.failures, s.several = now, time.Time{}, 0, false
		return
	case v.Action == delivery.Resume && r.Kind != reapit.NotSent, r.Kind == reapit.Unsendable:
		return // ours, and no sign of anything
	}
	if s.since.IsZero() {
		s.since, s.call = now, call
	}
	s.several = s.several || call != s.call
	s.last, s.trouble = now, v.Reason+cure(r, v)
	s.failures++
	if v.Action == delivery.Pause {
		s.said = s.trouble
	}
	if v.Action == delivery.Park {
		s.parked[customer] = hardship{s.began(customer, now), s.trouble}
	}
}

func (s *standing) began(customer string, now time.Time) time.Time {
	if p, ok := s.parked[customer]; ok {
		return p.since
	}
	return now
}

// waits is told who is parked, why, and until when everybody waits.
func (s *standing) waits(parked map[string]string, paused time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tell()
	if now := s.now(); !now.Before(s.paused) {
		s.held = now
	}
	s.paused = paused
	maps.DeleteFunc(s.parked, func(customer string, _ hardship) bool {
		_, still := parked[customer]
		return !still
	})
	for customer, cause := range parked {
		if _, known := s.parked[customer]; !known { // since before this term
			s.parked[customer] = hardship{s.now(), "not tried again yet: " + cause}
		}
	}
}

// reset is for a replica that does not deliver any more, and knows nothing.
func (s *standing) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good, s.since, s.failures, s.several, s.paused, s.bad, s.scarce = time.Time{}, time.Time{}, 0, false, time.Time{}, false, false
	clear(s.parked)
}

// tell writes a line when readiness changes.
func (s *standing) tell() {
	r := s.result()
	switch {
	case !r.OK && !s.bad:
		s.log.Error("nothing can be delivered to Reapit", "detail", r.Detail)
	case r.OK && s.bad:
		s.log.Info("Reapit can be delivered to again")
	}
	s.bad = !r.OK
	if low := s.day() != ample; low != s.scarce {
		s.scarce = low
		if low {
			s.log.Warn(lastOfTheDay)
		} else {
			s.log.Info("a new day's requests to Reapit (REAPIT_DAILY)")
		}
	}
}

// Result is the condition of readiness.
func (s *standing) Result() probe.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result()
}

func (s *standing) result() probe.Result {
	bad := func(format string, args ...any) probe.Result {
		return probe.Result{Detail: fmt.Sprintf(format, args...)}
	}
	good := func(format string, args ...any) probe.Result {
		return probe.Result{OK: true, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(s.parked) > 0 && s.allParked():
		return bad("Reapit refuses %s", s.parkedInWords())
	case s.now().Before(s.paused) && s.paused.Sub(s.held) >= alarming:
		return bad("everything is held back until %s: %s", clock(s.paused), cmp.Or(s.said, "since before this replica took over"))
	case s.failed():
		return bad("no attempt of %d succeeded since %s: %s", s.failures, clock(s.since), s.trouble)
	case s.day() == spent:
		return bad("the requests of the day (REAPIT_DAILY) are used up; nothing is sent before 00:00 UTC")
	case s.now().Before(s.paused):
		return good("paused until %s: %s", clock(s.paused), s.said)
	case len(s.parked) > 0:
		return good("Reapit refuses %s; others are delivered to", s.parkedInWords())
	case !s.since.IsZero():
		return good("failing since %s: %s", clock(s.since), s.trouble)
	case s.day() == scarce:
		return good(lastOfTheDay)
	case s.good.IsZero():
		return good("nothing sent yet")
	default:
		return good("accepted the last request, at %s", clock(s.good))
	}
}

// failed reports whether attempts have failed for too long.
func (s *standing) failed() bool {
	if s.since.IsZero() || s.now().Sub(s.last) > failingNews {
		return false
	}
	lasted := s.last.Sub(s.since)
	return lasted >= failingLimit || lasted >= severalLimit && s.several && s.failures >= severalFailed
}

func (s *standing) allParked() bool {
	return !slices.ContainsFunc(s.customers(), func(customer string) bool {
		_, parked := s.parked[customer]
		return !parked
	})
}

func (s *standing) parkedInWords() string {
	var all []string
	for _, customer := range slices.Sorted(maps.Keys(s.parked)) {
		p := s.parked[customer]
		all = append(all, customer+" since "+clock(p.since)+": "+p.trouble)
	}
	return strings.Join(all, "; ")
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// pause is for how much longer nothing is sent because of Reapit's limits.
func (s *standing) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.paused.Sub(s.now()))
}

// failing is since how long no attempt succeeded.
func (s *standing) failing() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0
	}
	return s.now().Sub(s.since)
}

// cures is what to do, by the cause of a verdict, where the result itself
// points to no setting.
var cures = map[string]string{
	"scope":       "have " + reapit.ScopeNotify + " granted to the application, and consented to by the customer",
	"unavailable": "see status.reapit.com",
	"limited":     "see whether something else uses the same application, or lower REAPIT_RATE and REAPIT_CONCURRENCY",
	"token":       "check " + reapit.SettingTokenURL,
}

func cure(r reapit.Result, v delivery.Verdict) string {
	if setting := r.Suspect(); setting != "" {
		return "; check " + setting
	}
	if advice := cures[v.Cause]; advice != "" {
		return "; " + advice
	}
	return ""
}

// alarming is how long a pause must be to be an error.
const alarming = 10 * time.Second

// limited tells of a pause that Reapit asked for.
func (s *standing) limited(r reapit.Result, v delivery.Verdict) {
	if v.Action != delivery.Pause || v.Hold < alarming {
		return
	}
	s.log.Error("Reapit asks to wait; everything is held back", telemetry.Reason, v.Cause, "detail", v.Reason,
		"asked", r.RetryAfter.String(), "paused_for", v.Hold.Round(time.Millisecond).String())
}
