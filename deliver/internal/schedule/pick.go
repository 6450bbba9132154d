package schedule

import (
	"slices"
	"time"

	"ringstream/schemas/event"
)

// Room is what Reapit's limits leave.
type Room struct {
	Slots int       // requests under way at a time, in all
	Rate  int       // requests that may begin now
	Spare int       // of Rate, kept for live calls
	Live  bool      // what is left of the day is kept for live calls
	More  time.Time // when there is more Rate; zero when nobody knows
}

// Request is one POST: a delivery, or several of the same event.
type Request []Delivery

// ID names the request in a [Report].
func (q Request) ID() string { return q[0].ID() }

// mostTargets bounds a request. Reapit tells no limit; nobody's hunt group is larger.
const mostTargets = 100

// picker chooses what goes out now.
type picker struct {
	*Schedule
	now   time.Time
	room  Room
	slots int // of which what is under way takes its share
	plan  *Plan
	aside []*desk // in line, but not now
}

// pick goes through the classes, and in each serves the tenants in turn.
func (p *picker) pick() {
	for class := range classCount {
		for p.fits(class) {
			t, l := p.choose(class)
			if l == nil {
				break
			}
			if p.crowded(l, p.room.Slots) {
				p.aside = append(p.aside, l.seat.line.passOver(l))
				p.plan.Due = earlier(p.plan.Due, p.freed())
				continue
			}
			p.launch(p.company(l), p.now, p.plan)
			p.room.Rate--
			p.agenda.clock = max(t.served, p.agenda.clock)
			t.served = p.agenda.clock + 1
		}
	}
	for _, d := range p.aside {
		d.comeBack()
	}
}

// live classes have somebody who looks at the screen now. They have a slot to
// themselves, some of the rate and the rest of the day: what can wait may hang
// for long.
func live(class int) bool { return class <= classes[event.Answered] }

// fits reports whether there is room for one more of a class.
func (p *picker) fits(class int) bool {
	if live(class) {
		return p.slots > len(p.flying) && p.room.Rate > 0
	}
	return !p.room.Live && p.spares()
}

// quiet reports whether nothing is under way and two slots are free: then a
// customer whose requests hang may try again, and others still find one.
func (p *picker) quiet() bool { return len(p.flying) == 0 && p.slots >= 2 }

// choose finds the tenant who has been served least among those with something
// of the class, and its oldest.
func (p *picker) choose(class int) (whose *tenant, first *lane) {
	for _, t := range p.agenda.tenants {
		l := p.offered(t, class)
		switch {
		case l == nil:
		case whose == nil, t.served < whose.served, t.served == whose.served && before(l.seat.head, first.seat.head):
			whose, first = t, l
		}
	}
	return whose, first
}

// offered is what a tenant would send next of a class.
func (p *picker) offered(t *tenant, class int) *lane {
	fresh, again := t.lines[class][0].first(), t.lines[class][1].first()
	if fresh == nil && again == nil {
		return nil
	}
	if parked := p.state.Parked[t.customer]; parked != nil {
		if !parked.may(p.now) {
			return nil
		}
		return older(fresh, again)
	}
	if !p.quiet() && p.overdrawn(t.customer, p.now, p.room.Slots) {
		p.plan.Due = earlier(p.plan.Due, p.freed())
		return nil
	}
	if again == nil || !p.spares() {
		return fresh
	}
	if next, ok := p.retries.allowed(p.now); !ok {
		p.plan.Due = earlier(p.plan.Due, next)
		return fresh
	}
	return older(fresh, again)
}

// spares reports whether there is more room than is kept for calls that ring.
// What has failed before is no such call: one whose requests fail would take
// it from everybody else's.
func (p *picker) spares() bool {
	free := p.slots - len(p.flying)
	return p.room.Rate > p.room.Spare && (free > 1 || p.slots == 1 && free > 0)
}

func older(a, b *lane) *lane {
	if a == nil || b != nil && before(b.seat.head, a.seat.head) {
		return b
	}
	return a
}

// company is the lane and, if requests are grouped, those whose heads are the
// same event and may go out, too.
func (p *picker) company(l *lane) []*lane {
	all, d := []*lane{l}, l.Queue[0]
	if !p.group || !d.sociable() {
		return all
	}
	for _, x := range p.state.Calls[d.Call.CallID].Lanes {
		if x != l && x.seat.line != nil && x.Queue[0].joins(d) && !p.crowded(x, p.room.Slots) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all[1:], func(a, b *lane) int { return order(a.Queue[0], b.Queue[0]) })
	return all[:min(len(all), mostTargets)]
}

func (d *Delivery) sociable() bool { return !d.Alone && d.Redrive == 0 }

// joins reports whether one request can be for both.
func (d *Delivery) joins(other *Delivery) bool {
	return d.sociable() && d.Position == other.Position && d.Customer == other.Customer && d.AnsweredBy == other.AnsweredBy
}
