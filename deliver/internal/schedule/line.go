package schedule

// line is what waits of one customer and class. It stands there by negotiator, so
// that one who may have no further slot is passed over with all that waits for him.
type line struct {
	desks queue[*desk]
	of    map[string]*desk // by negotiator
	lanes int
}

// desk is what waits of one negotiator.
type desk struct {
	line   *line
	lanes  queue[*lane]
	aside  bool
	inLine int
}

func newLine() *line {
	return &line{
		of: map[string]*desk{},
		desks: queue[*desk]{
			less: func(a, b *desk) bool { return before(a.lanes.first().seat.head, b.lanes.first().seat.head) },
			at:   func(d *desk) *int { return &d.inLine },
		},
	}
}

func newDesk(n *line) *desk {
	return &desk{line: n, lanes: queue[*lane]{
		less: func(a, b *lane) bool { return before(a.seat.head, b.seat.head) },
		at:   func(l *lane) *int { return &l.seat.inLine },
	}}
}

// first is the oldest of those who are not passed over.
func (n *line) first() *lane {
	if d := n.desks.first(); d != nil {
		return d.lanes.first()
	}
	return nil
}

func (n *line) add(l *lane) {
	d := n.of[l.Negotiator]
	if d == nil {
		d = newDesk(n)
		n.of[l.Negotiator] = d
	}
	n.change(d, func() { d.lanes.add(l) })
	n.lanes++
}

func (n *line) remove(l *lane) {
	d := n.of[l.Negotiator]
	n.change(d, func() { d.lanes.remove(l) })
	if n.lanes--; d.lanes.Len() == 0 {
		delete(n.of, l.Negotiator)
	}
}

// change keeps the desk's place true: it stands there by its first.
func (n *line) change(d *desk, how func()) {
	n.desks.remove(d)
	how()
	if !d.aside && d.lanes.Len() > 0 {
		n.desks.add(d)
	}
}

// passOver takes a lane's negotiator out of the line.
func (n *line) passOver(l *lane) *desk {
	d := n.of[l.Negotiator]
	n.change(d, func() { d.aside = true })
	return d
}

// comeBack ends passOver.
func (d *desk) comeBack() { d.line.change(d, func() { d.aside = false }) }
