package schedule

import (
	"bytes"
	"fmt"
)

// Sound reports what is wrong with the agenda: every lane and desk must be where
// it says, every heap a heap, and what is counted must be there.
func (s *Schedule) Sound() error {
	a := &s.agenda
	if err := a.wake.sound(); err != nil {
		return fmt.Errorf("wake: %w", err)
	}
	queued, inLine := [classCount]int{}, 0
	for _, c := range s.state.Calls {
		for _, l := range c.Lanes {
			for _, d := range l.Queue {
				queued[classes[d.Call.Type]]++
			}
			switch {
			case !l.busy && len(l.Queue) > 0 && l.seat.inWake == 0:
				return fmt.Errorf("%s is forgotten", l.Queue[0].ID())
			case l.seat.line == nil && l.seat.head != nil:
				return fmt.Errorf("%s is held by a lane that stands in no line, for as long as its call is remembered", l.seat.head.ID())
			case l.seat.line != nil && (l.busy || l.seat.head != l.Queue[0]):
				return fmt.Errorf("%s stands in line for another", l.Queue[0].ID())
			case l.seat.line != nil:
				inLine++
			}
		}
	}
	if queued != a.queued {
		return fmt.Errorf("%v are queued, %v counted", queued, a.queued)
	}
	for customer, t := range a.tenants {
		n, err := t.sound()
		if err != nil || n != t.waiting {
			return fmt.Errorf("%s: %d in line, %d counted: %w", customer, n, t.waiting, err)
		}
		inLine -= n
	}
	if inLine != 0 {
		return fmt.Errorf("%d in a line that is nobody's", inLine)
	}
	return nil
}

func (t *tenant) sound() (lanes int, err error) {
	for _, both := range t.lines {
		for _, n := range both {
			if err := n.desks.sound(); err != nil {
				return lanes, err
			}
			if len(n.of) != n.desks.Len() {
				return lanes, fmt.Errorf("%d desks, %d of them in line", len(n.of), n.desks.Len())
			}
			for _, d := range n.of {
				if err := d.lanes.sound(); err != nil {
					return lanes, err
				}
				lanes += d.lanes.Len()
			}
		}
	}
	return lanes, nil
}

func (q *queue[T]) sound() error {
	for i, x := range q.all {
		if *q.at(x) != i+1 || i > 0 && q.less(x, q.all[(i-1)/2]) {
			return fmt.Errorf("no heap at %d of %d", i, len(q.all))
		}
	}
	return nil
}

// Remembered is how many calls are.
func (s *Schedule) Remembered() int { return len(s.state.Calls) }

// Saved is what Save writes.
func (s *Schedule) Saved() ([]byte, error) {
	var to bytes.Buffer
	err := s.Save(&to)
	return to.Bytes(), err
}
