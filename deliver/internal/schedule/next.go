package schedule

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// Plan is what to do now and when to ask again.
type Plan struct {
	Send    []Delivery
	Record  []Record
	Waiting int       // how many could go out if there were slots
	Store   bool      // every record so far must be stored before anything of Send goes out
	Due     time.Time // when something happens by itself; zero when nothing does
}

// Next picks what goes out now, with at most slots deliveries under way in
// all. What is late or no longer worth sending leaves by a record.
func (s *Schedule) Next(now time.Time, slots int) Plan {
	if now.After(s.sweepAt) {
		s.sweep()
		s.sweepKnown()
		s.sweepRedriven(now)
		s.sweepAt = now.Add(sweepPause)
	}
	var p Plan
	ready := s.ready(now, &p)
	p.Waiting = len(ready)
	slices.SortFunc(p.Record, func(a, b Record) int { return order(&a.Delivery, &b.Delivery) })
	if held := s.state.Pause.Until; now.Before(held) {
		if len(ready) > 0 {
			p.Due = earlier(p.Due, held)
		}
		return p
	}
	slots = s.state.Pause.narrow(slots)
	for _, l := range best(ready, slots-len(s.flying)) {
		if len(s.flying) == slots-1 && slots > 1 && !urgent(l.Queue[0]) {
			break
		}
		p.Store = p.Store || l.trail
		p.Send = append(p.Send, *s.launch(l))
	}
	p.Waiting -= len(p.Send)
	return p
}

// urgent deliveries have one slot to themselves: somebody looks at the screen
// now, and what can wait may hang for long.
func urgent(d *Delivery) bool {
	return d.Redrive == 0 && (d.Call.Type == event.Incoming || d.Call.Type == event.Answered)
}

// ready collects the lanes whose head may go out, and records what may not.
func (s *Schedule) ready(now time.Time, p *Plan) []*lane {
	var ready []*lane
	probes := map[string]*lane{}
	for l := range s.pending {
		if l.busy {
			continue
		}
		p.Record = append(p.Record, s.clear(l, now)...)
		if len(l.Queue) == 0 {
			continue
		}
		d, parked := l.Queue[0], s.state.Parked[l.Customer]
		p.Due = earlier(p.Due, s.deadline(d))
		switch {
		case now.Before(d.NotBefore):
			p.Due = earlier(p.Due, d.NotBefore)
		case parked == nil:
			ready = append(ready, l)
		case parked.probing:
		case now.Before(parked.Until):
			p.Due = earlier(p.Due, parked.Until)
		case probes[l.Customer] == nil || before(d, probes[l.Customer].Queue[0]):
			probes[l.Customer] = l
		}
	}
	for _, l := range probes {
		ready = append(ready, l)
	}
	return ready
}

// clear takes from the head of a lane what is not to be sent any more.
func (s *Schedule) clear(l *lane, now time.Time) []Record {
	var records []Record
	for len(l.Queue) > 0 {
		d := l.Queue[0]
		r := supersede(d, l.obsolete(), now)
		if r.Reason == "" {
			if now.Before(s.deadline(d)) {
				break
			}
			r.Outcome = event.Expired
			r.Cause, r.Reason = s.lateness(d, now)
		}
		records = append(records, r)
		l.drop(d)
		l.settle(d, r.Outcome)
		l.trail = true
	}
	s.tidy(l)
	return records
}

// lateness tells what held the delivery back in the end, and in words first
// what it met with itself.
func (s *Schedule) lateness(d *Delivery, now time.Time) (cause, reason string) {
	cause, reason = "late", "not delivered within "+s.deadlines[d.Call.Type].String()
	parked := s.state.Parked[d.Customer]
	switch {
	case parked != nil:
		cause = "parked"
	case now.Before(s.state.Pause.Until):
		cause = "limits"
	case d.Trouble != "":
		cause = "trouble"
	}
	switch {
	case d.Trouble != "":
		reason += "; after " + inWords(d.Attempts, "one attempt", "attempts") + ": " + d.Trouble
	case parked != nil:
		reason += "; Reapit refuses the customer: " + parked.Cause
	case cause == "limits":
		reason += "; Reapit's limits hold everything back"
	}
	return cause, reason
}

// best picks the first n in the order across lanes without sorting all.
func best(lanes []*lane, n int) []*lane {
	var top []*lane
	if n <= 0 {
		return nil
	}
	for _, l := range lanes {
		at := len(top)
		for at > 0 && before(l.Queue[0], top[at-1].Queue[0]) {
			at--
		}
		if at < n {
			top = slices.Insert(top, at, l)[:min(len(top)+1, n)]
		}
	}
	return top
}

func order(a, b *Delivery) int {
	switch {
	case before(a, b):
		return -1
	case before(b, a):
		return 1
	default:
		return 0
	}
}

func (s *Schedule) launch(l *lane) *Delivery {
	d := l.Queue[0]
	l.busy, l.trail = true, false
	s.flying[d.ID()] = l
	if p := s.state.Parked[l.Customer]; p != nil {
		p.probing = true
	}
	return d
}
