package schedule

import (
	"time"

	"ringstream/deliver/internal/delivery"
)

// Waits between two probes of a parked customer.
const (
	firstProbe = 15 * time.Second
	slowProbe  = 5 * time.Minute
)

// park is a customer whom Reapit refuses as a whole. One delivery at a time is
// tried after Until; what is late meanwhile expires as usual.
type park struct {
	Until   time.Time     `json:"until"`
	Wait    time.Duration `json:"wait"`
	Cause   string        `json:"cause"`
	probing bool
}

// standing draws the consequence of a request for everything of its customer. Of
// several under way when the customer was parked only a probe goes on from there.
func (s *Schedule) standing(f *flight, r Report, over bool) {
	p := s.state.Parked[f.customer]
	probe := p != nil && f.probe == p
	switch {
	case over:
		// Whatever was decided about the notification, the customer was let in.
		delete(s.state.Parked, f.customer)
		s.state.Pause.passed()
	case r.Verdict.Action == delivery.Park && p == nil:
		s.state.Parked[f.customer] = &park{Until: r.Now.Add(firstProbe), Wait: firstProbe, Cause: r.Verdict.Cause}
	case r.Verdict.Action == delivery.Park && probe:
		*p = park{Wait: min(2*p.Wait, slowProbe), Cause: r.Verdict.Cause}
		p.Until = r.Now.Add(p.Wait)
	case probe:
		p.probing = false // it told nothing
		p.Until = r.Now.Add(r.Verdict.Wait)
	}
}

// probeAt is when the next customer is to be probed; zero when none is to wait for that.
func (s *Schedule) probeAt(now time.Time) (at time.Time) {
	for customer, p := range s.state.Parked {
		if t := s.agenda.tenants[customer]; t != nil && t.waiting > 0 && !p.probing && now.Before(p.Until) {
			at = earlier(at, p.Until)
		}
	}
	return at
}

// may reports whether a probe may go out.
func (p *park) may(now time.Time) bool { return !p.probing && !now.Before(p.Until) }

// Parked tells which customers are parked, and why.
func (s *Schedule) Parked() map[string]string {
	causes := make(map[string]string, len(s.state.Parked))
	for customer, p := range s.state.Parked {
		causes[customer] = p.Cause
	}
	return causes
}

// Paused tells until when nothing is sent because of Reapit's limits.
func (s *Schedule) Paused() time.Time { return s.state.Pause.Until }

// pause is what follows from Reapit's limits, which are the application's, not
// one customer's: nothing is sent for a while, then less at a time.
type pause struct {
	Until  time.Time `json:"until,omitzero"`
	Halves int       `json:"halves,omitempty"` // how often the number of slots is halved
	Good   int       `json:"good,omitempty"`   // answers since
	Trial  bool      `json:"trial,omitempty"`  // one request has to show whether it is over
}

// regain is how many answers in a row undo one halving.
const regain = 10

// limited begins a pause. Those who were under way when it began and hit the
// limit as well prolong it, but are no further reason to slow down.
func (p *pause) limited(now, until time.Time, trial bool) {
	p.Trial = p.Trial || trial
	if !now.Before(p.Until) {
		p.Halves, p.Good = min(p.Halves+1, 3), 0
	}
	p.Until = later(p.Until, until)
}

func (p *pause) passed() {
	p.Trial = false
	if p.Halves == 0 {
		return
	}
	if p.Good++; p.Good >= regain {
		p.Halves, p.Good = p.Halves-1, 0
	}
}

func (p *pause) narrow(slots int) int {
	switch {
	case slots <= 0:
		return 0
	case p.Trial:
		return 1
	}
	return max(slots>>p.Halves, 1)
}
