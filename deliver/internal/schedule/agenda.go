package schedule

import "time"

// agenda knows of every lane with something in it when it is to be looked at
// next and, if its head may go out, its place in the line. What it does costs
// by what happens, not by how much waits: after an outage that is a lot.
type agenda struct {
	touched []*lane      // to be looked at now
	wake    queue[*lane] // when something happens by itself: a wait ends, a deadline passes
	tenants map[string]*tenant
	queued  [classCount]int // deliveries in all lanes, by class
	clock   float64         // of the fairness between tenants: what the one served last had had
}

// tenant is the line of one customer.
type tenant struct {
	customer string
	lines    [classCount][2]*line // by class; the second is of what was tried before
	waiting  int                  // lanes in its lines
	served   float64              // requests, beside the agenda's clock
}

// seat is where a lane is in the agenda.
type seat struct {
	head    *Delivery // by which it stands in line
	wakeAt  time.Time
	touched bool
	counted []int // its deliveries by class, as they are in queued
	line    *line // nil: it is in none
	inLine  int
	inWake  int // its index and one; 0: it is not in
}

func newAgenda() agenda {
	return agenda{
		tenants: map[string]*tenant{},
		wake: queue[*lane]{
			less: func(a, b *lane) bool { return a.seat.wakeAt.Before(b.seat.wakeAt) },
			at:   func(l *lane) *int { return &l.seat.inWake },
		},
	}
}

func (a *agenda) tenant(customer string) *tenant {
	t := a.tenants[customer]
	if t == nil {
		t = &tenant{customer: customer}
		for class := range t.lines {
			for i := range t.lines[class] {
				t.lines[class][i] = newLine()
			}
		}
		a.tenants[customer] = t
	}
	return t
}

// touch has a lane looked at again: something in it is another than before.
func (a *agenda) touch(l *lane) {
	a.leave(l)
	a.wake.remove(l)
	if !l.seat.touched {
		l.seat.touched = true
		a.touched = append(a.touched, l)
	}
}

// enter puts a lane whose head may go out into the line.
func (a *agenda) enter(l *lane) {
	t, tried := a.tenant(l.Customer), 0
	if l.Queue[0].Failures > 0 {
		tried = 1
	}
	l.seat.head = l.Queue[0]
	l.seat.line = t.lines[l.seat.head.class()][tried]
	l.seat.line.add(l)
	t.waiting++
}

func (a *agenda) leave(l *lane) {
	if l.seat.line == nil {
		return
	}
	l.seat.line.remove(l)
	l.seat.line, l.seat.head = nil, nil // a call is remembered for long after its deliveries
	a.tenants[l.Customer].waiting--
}

// count keeps queued true.
func (a *agenda) count(l *lane) {
	for _, class := range l.seat.counted {
		a.queued[class]--
	}
	l.seat.counted = l.seat.counted[:0]
	for _, d := range l.Queue {
		class := classes[d.Call.Type]
		l.seat.counted = append(l.seat.counted, class)
		a.queued[class]++
	}
}

// look places a lane that was touched, or that is due.
func (s *Schedule) look(l *lane, now time.Time, p *Plan) {
	a := &s.agenda
	a.leave(l)
	a.wake.remove(l)
	if !l.busy {
		p.Record = append(p.Record, s.clear(l, now)...)
	}
	a.count(l)
	if l.busy || len(l.Queue) == 0 {
		return
	}
	d := l.Queue[0]
	l.seat.wakeAt = s.latest(d)
	if len(s.awaiting[d.Call.CallID]) > 0 { // what is not resolved may forbid it
		a.wake.add(l)
		return
	}
	if now.Before(d.NotBefore) {
		l.seat.wakeAt = earlier(l.seat.wakeAt, d.NotBefore)
	} else {
		a.enter(l)
	}
	a.wake.add(l)
}

// lookAround looks at every lane at which there is something to see.
func (s *Schedule) lookAround(now time.Time, p *Plan) {
	a := &s.agenda
	for _, l := range a.touched {
		l.seat.touched = false
		s.look(l, now, p)
	}
	clear(a.touched) // who is gone is not kept by it
	a.touched = a.touched[:0]
	for l := a.wake.first(); l != nil && !now.Before(l.seat.wakeAt); l = a.wake.first() {
		s.look(l, now, p)
	}
}
