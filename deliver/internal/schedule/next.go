package schedule

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// Plan is what to do now and when to ask again.
type Plan struct {
	Send    []Request
	Record  []Record
	Waiting int       // how many lanes could go out if there were room
	Behind  []bool    // of each of Send: whether every record so far must be stored before it goes out
	Due     time.Time // when something happens by itself; zero when nothing does
}

// Next picks what goes out now. What is late or no longer worth sending leaves
// by a record.
func (s *Schedule) Next(now time.Time, room Room) Plan {
	if now.After(s.sweepAt) {
		s.sweep()
		s.sweepKnown()
		s.sweepRedriven(now)
		s.sweepAt = now.Add(sweepPause)
	}
	s.forget(now)
	s.room = room
	p := Plan{Record: s.lapsed(now)}
	s.lookAround(now, &p)
	slices.SortFunc(p.Record, func(a, b Record) int { return order(&a.Delivery, &b.Delivery) })
	if held := s.state.Pause.Until; now.Before(held) {
		if p.Waiting = s.waiting(now, room); p.Waiting > 0 {
			p.Due = held
		}
	} else {
		slots := s.free(room.Slots)
		(&picker{Schedule: s, now: now, room: room, slots: slots, plan: &p}).pick()
		if p.Waiting = s.waiting(now, room); p.Waiting > 0 {
			p.Due = earlier(earlier(p.Due, room.More), s.freed())
		}
	}
	if l := s.agenda.wake.first(); l != nil {
		p.Due = earlier(p.Due, l.seat.wakeAt)
	}
	p.Due = earlier(earlier(p.Due, s.nextLapse()), s.probeAt(now))
	return p
}

// waiting counts what is in line and held up by nothing but a want of room.
func (s *Schedule) waiting(now time.Time, room Room) (n int) {
	for customer, t := range s.agenda.tenants {
		may := t.waiting
		if room.Live {
			may = t.rings()
		}
		if p := s.state.Parked[customer]; p != nil {
			most := 0
			if p.may(now) {
				most = 1
			}
			may = min(may, most)
		}
		n += may
	}
	return n
}

// rings counts the lanes of live classes.
func (t *tenant) rings() (n int) {
	for class, both := range t.lines {
		if live(class) {
			n += both[0].lanes + both[1].lanes
		}
	}
	return n
}

// clear takes from the head of a lane what is not to be sent any more.
func (s *Schedule) clear(l *lane, now time.Time) []Record {
	var records []Record
	for len(l.Queue) > 0 {
		d := l.Queue[0]
		r := supersede(d, l.obsolete(), now)
		if r.Reason == "" {
			if now.Before(s.latest(d)) {
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
	case now.Before(s.state.Pause.Until), s.spent(d), s.free(s.room.Slots) == 0:
		cause = "limits"
	case d.Trouble != "":
		cause = "trouble"
	}
	switch {
	case d.Trouble != "":
		reason += "; after " + inWords(d.Attempts, "one attempt", "attempts") + ": " + d.Trouble
	case parked != nil:
		reason += "; Reapit refuses the customer: " + parked.Cause
	case s.spent(d):
		reason += "; the requests of the day are used up, or kept for calls that ring"
	case cause == "limits":
		reason += "; Reapit's limits hold everything back"
	}
	return cause, reason
}

// spent reports whether nothing is left of the day for such a delivery.
func (s *Schedule) spent(d *Delivery) bool {
	return s.room.Slots == 0 || s.room.Live && !live(d.class())
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
