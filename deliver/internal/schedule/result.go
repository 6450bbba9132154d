package schedule

import (
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/schemas/event"
)

// Report is what came of one request.
type Report struct {
	ID        string // of the request
	Verdict   delivery.Verdict
	Posted    bool // the notification itself was sent, or may have been
	Status    int
	RequestID string
	Started   time.Time
	Now       time.Time
}

// endings are the verdicts that end a delivery.
var endings = map[delivery.Action]event.OutcomeType{
	delivery.Deliver: event.Delivered,
	delivery.Shadow:  event.Shadowed,
	delivery.Reject:  event.Rejected,
	delivery.Bury:    event.Dead,
}

// Answered reports whether an attempt was what ended the delivery, so that
// nobody else can come to the same.
func (r Record) Answered() bool {
	for _, outcome := range endings {
		if r.Outcome == outcome {
			return true
		}
	}
	return false
}

// Result takes in what came of one request. It returns the records of the
// deliveries that it ended.
func (s *Schedule) Result(r Report) []Record {
	f := s.flying[r.ID]
	if f == nil {
		return nil
	}
	s.land(f, r)
	_, over := endings[r.Verdict.Action]
	s.standing(f, r, over)
	if r.Verdict.Action == delivery.Pause { // a limit is everybody's, also when this one is not tried again
		s.state.Pause.limited(r.Now, r.Now.Add(r.Verdict.Hold), r.Verdict.Trial)
	}
	var records []Record
	for _, l := range f.lanes {
		records = append(records, s.answered(l, r)...)
	}
	return records
}

// answered draws the consequence for one of the lanes of a request.
func (s *Schedule) answered(l *lane, r Report) []Record {
	defer s.agenda.touch(l)
	l.busy = false
	d := l.Queue[0]
	d.note(r)
	l.Perhaps = l.Perhaps || r.Verdict.Perhaps && d.shows()
	outcome, over := endings[r.Verdict.Action]
	end := Record{Outcome: outcome, Cause: r.Verdict.Cause, Reason: r.Verdict.Reason, At: r.Now}
	switch {
	case over:
	case d.Overtaken != "":
		end, over = supersede(d, d.Overtaken, r.Now), true
	case r.Verdict.Late:
		end.Outcome, over = event.Expired, true
		end.Cause, end.Reason = s.lateness(d, r.Now)
	}
	if !over {
		d.again(r)
		return nil
	}
	l.drop(d)
	l.settle(d, end.Outcome)
	l.trail = true
	end.Delivery = *d
	return []Record{end}
}

// note writes down what is to be told of the attempts.
func (d *Delivery) note(r Report) {
	if r.Posted {
		d.Attempts++
		if d.FirstTried == nil {
			started := r.Started
			d.FirstTried = &started
		}
	}
	if r.Verdict.Action != delivery.Resume && r.Verdict.Action != delivery.Split {
		d.Failures++ // of one that succeeded nobody asks
	}
	if r.Status != 0 { // and the id of that answer, not of one before it
		d.Status, d.RequestID = r.Status, r.RequestID
	}
	d.Trouble = r.Verdict.Reason
}

// again says when and how the delivery may be tried again.
func (d *Delivery) again(r Report) {
	d.NotBefore = r.Now.Add(r.Verdict.Wait)
	d.Refreshed = d.Refreshed || r.Verdict.Action == delivery.Refresh
	d.Alone = d.Alone || r.Verdict.Alone || r.Verdict.Action == delivery.Split
}
