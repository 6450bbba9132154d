package schedule

import (
	"slices"
	"time"
)

// flight is a request under way, and who waits for it.
type flight struct {
	lanes    []*lane
	customer string
	began    time.Time
	until    time.Time // of an abandoned one: when Reapit has given it up as well
	certain  bool      // and until then it is under way for sure
	retry    bool
	probe    *park // that it is to try
}

// stuckAfter is how long a request takes that is not simply slow.
const stuckAfter = 2 * time.Second

func (f *flight) stuck(now time.Time) bool { return now.Sub(f.began) >= stuckAfter }

func (f *flight) of(l *lane) bool {
	return slices.ContainsFunc(f.lanes, func(x *lane) bool { return x.Customer == l.Customer && x.Negotiator == l.Negotiator })
}

// launch sends the heads of some lanes as one request.
func (s *Schedule) launch(lanes []*lane, now time.Time, p *Plan) {
	f := &flight{lanes: lanes, customer: lanes[0].Customer, began: now}
	var q Request
	behind := false
	for _, l := range lanes {
		d := l.Queue[0]
		f.retry = f.retry || d.Failures > 0
		behind = behind || l.trail
		l.busy, l.trail = true, false
		s.agenda.leave(l)
		s.agenda.wake.remove(l)
		q = append(q, *d)
	}
	switch f.probe = s.state.Parked[f.customer]; {
	case f.probe != nil:
		f.probe.probing = true
		f.retry = false // it has a pace of its own
	case f.retry:
		s.retries.spend(now)
	default:
		s.retries.earn(retryShare)
	}
	s.flying[q.ID()] = f
	p.Send, p.Behind = append(p.Send, q), append(p.Behind, behind)
}

// Overtaken reports whether a request under way has something in it that would not be
// sent any more.
func (s *Schedule) Overtaken(id string) bool {
	f := s.flying[id]
	return f != nil && slices.ContainsFunc(f.lanes, func(l *lane) bool { return l.Queue[0].Overtaken != "" })
}

// land takes a request out of what is under way. Reapit may count it as such
// for longer.
func (s *Schedule) land(f *flight, r Report) {
	delete(s.flying, r.ID)
	if r.Verdict.Slot > 0 {
		kept := *f
		kept.until, kept.certain = r.Now.Add(r.Verdict.Slot), r.Status != 0
		s.abandoned = append(s.abandoned, kept)
	}
	if _, over := endings[r.Verdict.Action]; over && f.retry {
		s.retries.earn(1)
	}
}

// forget drops abandoned requests that have ended at Reapit, too.
func (s *Schedule) forget(now time.Time) {
	s.abandoned = slices.DeleteFunc(s.abandoned, func(f flight) bool { return !now.Before(f.until) })
}

// free is how many requests may be under way beside the abandoned ones. Those of
// which Reapit's gateway has said that it gave up take their slots; those that
// only we gave up leave one.
func (s *Schedule) free(slots int) int {
	certain := 0
	for _, f := range s.abandoned {
		if f.certain {
			certain++
		}
	}
	if slots <= certain {
		return 0
	}
	return max(s.state.Pause.narrow(slots)-len(s.abandoned), 1)
}

// freed is when the next abandoned request has ended; zero when there is none.
func (s *Schedule) freed() (at time.Time) {
	for _, f := range s.abandoned {
		at = earlier(at, f.until)
	}
	return at
}

// under goes over every request that Reapit may have under way.
func (s *Schedule) under(yield func(*flight) bool) {
	for _, f := range s.flying {
		if !yield(f) {
			return
		}
	}
	for i := range s.abandoned {
		if !yield(&s.abandoned[i]) {
			return
		}
	}
}

// crowded reports whether a negotiator has all the slots that one may have:
// whose requests hang must not take everybody's.
func (s *Schedule) crowded(l *lane, slots int) bool {
	n := 0
	for f := range s.under {
		if f.of(l) {
			n++
		}
	}
	return n >= max(slots/2, 1)
}

// overdrawn reports the same of a customer: one slot is left to others, if there
// are any, and two when the requests for several negotiators are stuck. Those of
// one negotiator are his own misfortune.
func (s *Schedule) overdrawn(customer string, now time.Time, slots int) bool {
	if len(s.agenda.tenants) <= 1 {
		return false
	}
	n, stuck := 0, map[string]bool{}
	for f := range s.under {
		if f.customer != customer {
			continue
		}
		n++
		if f.stuck(now) {
			stuck[f.lanes[0].Negotiator] = true
		}
	}
	return slots > 1 && n >= slots-1 || slots > 2 && len(stuck) >= slots-2
}
