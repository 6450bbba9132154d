package schedule_test

import (
	"strconv"
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

// deliverAll has everything delivered that may go out.
func deliverAll(s *schedule.Schedule, now time.Time) (delivered int) {
	for {
		sent := s.Next(now, open(9)).Send
		for _, q := range sent {
			s.Result(schedule.Report{ID: q.ID(), Verdict: delivery.Verdict{Action: delivery.Deliver}, Posted: true, Status: 202, Now: now})
		}
		if delivered += len(sent); len(sent) == 0 {
			return delivered
		}
	}
}

// What is remembered of calls that are over has stopped growing well before a
// quarter of an hour is over, and so have the snapshots.
func TestMemoryOfCallsThatAreOverEnds(t *testing.T) {
	s := schedule.New(schedule.Policy{Deadlines: limits})
	settled, last := 0, 0
	for n := range 3600 {
		now := noon.Add(time.Duration(n) * time.Second)
		s.Offer(ringing(event.Missed, "c"+strconv.Itoa(n), uint64(n+1), "N1", now))
		deliverAll(s, now)
		if last = s.Remembered(); now.Before(noon.Add(14 * time.Minute)) {
			settled = max(settled, last)
		}
		if last > settled {
			t.Fatalf("%d calls are remembered after %v, %d were after 14 minutes", last, now.Sub(noon), settled)
		}
	}
	if last < 600 {
		t.Errorf("%d calls are remembered: those of 10 minutes may still ring again", last)
	}
}

// Whoever had an hour for its end has it, whatever is remembered otherwise.
func TestCallIsRememberedUntilItsDeadlines(t *testing.T) {
	late := schedule.Deadlines{event.Incoming: time.Second, event.Answered: time.Second, event.Ended: time.Hour, event.Missed: 24 * time.Hour}
	s := schedule.New(schedule.Policy{Deadlines: late})
	offer(s, said(event.Ended, 1))
	for _, d := range s.Next(noon, open(9)).Send {
		s.Result(schedule.Report{ID: d.ID(), Verdict: delivery.Verdict{Action: delivery.Reject}, Posted: true, Status: 400, Now: noon})
	}
	now := noon
	for n := range 55 { // others call
		now = now.Add(time.Minute)
		s.Offer(ringing(event.Missed, "m"+strconv.Itoa(n), uint64(n+2), "N1", now))
		deliverAll(s, now)
	}
	d := schedule.Delivery{Call: said(event.Ended, 1), Customer: "R", Negotiator: "N", Users: []event.User{{UserID: "u"}}, Redrive: 1}
	if refused := s.Redrive(d, now, true); refused != "" {
		t.Errorf("refused: %s", refused)
	}
}

// A stream that has lost its newest events repeats them when it is back, and
// stores them as of then. However long that took, nobody is told twice.
func TestWhatIsRepeatedAfterALongOutageIsKnown(t *testing.T) {
	for _, outage := range []time.Duration{time.Second, 10 * time.Minute, time.Hour, 20 * time.Hour} {
		t.Run(outage.String(), func(t *testing.T) {
			s := schedule.New(schedule.Policy{Deadlines: limits})
			const events, apart = 120, time.Second
			stored := noon
			missed := func(n int) schedule.Offer {
				o := ringing(event.Missed, "c"+strconv.Itoa(n), uint64(n+1), "N1", noon.Add(time.Duration(n)*apart))
				o.Received, o.Now = stored, stored
				return o
			}
			for n := range events {
				stored = noon.Add(time.Duration(n) * apart)
				s.Offer(missed(n))
				deliverAll(s, stored)
			}
			data, err := s.Saved()
			if err != nil {
				t.Fatal(err)
			}
			if s, err = schedule.Load(schedule.Policy{Deadlines: limits}, data); err != nil {
				t.Fatal(err)
			}
			stored = stored.Add(outage)
			again := 0
			for n := range events {
				stored = stored.Add(time.Millisecond)
				again += len(s.Offer(missed(n)))
				again += deliverAll(s, stored)
			}
			if again > 0 {
				t.Errorf("%d of %d are told again", again, events)
			}
		})
	}
}
