package schedule_test

import (
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func redrivePolicy() schedule.Policy { return schedule.Policy{Deadlines: limits} }

func said(kind event.CallType, sequence int) event.Call {
	return event.Call{CallID: "c", Type: kind, Sequence: sequence, OccurredAt: noon, RecordedAt: noon, Direction: event.Inbound}
}

func offer(s *schedule.Schedule, c event.Call) {
	s.Offer(schedule.Offer{Call: c, Received: noon, Customer: "R", Now: noon, Audience: []schedule.Member{{User: event.User{UserID: "u"}, Negotiator: "N"}}})
}

func TestWhichRedrivesAreTakenOn(t *testing.T) {
	for name, c := range map[string]struct {
		kind    event.CallType
		offered []event.Call // of the call, that are still known
		after   time.Duration
		refused string
	}{
		"a ringing call":            {kind: event.Incoming, offered: []event.Call{said(event.Incoming, 1)}, after: 10 * time.Second},
		"one that rings no more":    {event.Incoming, []event.Call{said(event.Incoming, 1), said(event.Missed, 2)}, 10 * time.Second, "a later event of the call came since"},
		"a pop past its deadline":   {event.Incoming, []event.Call{said(event.Incoming, 1)}, 30 * time.Second, "its deadline has passed: it is not sent later than 30s"},
		"a call nobody knows":       {event.Incoming, nil, time.Second, "the call is over"},
		"an end":                    {kind: event.Ended, offered: []event.Call{said(event.Ended, 1)}, after: 9 * time.Minute},
		"an end past its deadline":  {event.Ended, []event.Call{said(event.Ended, 1)}, 11 * time.Minute, "its deadline has passed: it is not sent later than 10m0s"},
		"a missed call, days later": {kind: event.Missed, after: 72 * time.Hour},
		"missed, and it rang again": {event.Missed, []event.Call{said(event.Missed, 1), said(event.Incoming, 2)}, time.Hour, "a later event of the call came since"},
	} {
		t.Run(name, func(t *testing.T) {
			s := schedule.New(redrivePolicy())
			for _, o := range c.offered {
				offer(s, o)
			}
			now := noon.Add(c.after)
			for _, d := range s.Next(noon, open(9)).Send {
				s.Result(schedule.Report{ID: d.ID(), Verdict: delivery.Verdict{Action: delivery.Reject}, Posted: true, Status: 400, Now: noon})
			}
			d := schedule.Delivery{Call: said(c.kind, 1), Customer: "R", Negotiator: "N", Users: []event.User{{UserID: "u"}}, Redrive: 1}
			if got := s.Redrive(d, now, true); got != c.refused || len(redrivesOf(s.Next(now, open(9)))) > 0 {
				t.Fatalf("dry: %q", got)
			}
			if got := s.Redrive(d, now, false); got != c.refused {
				t.Fatalf("%q, want %q", got, c.refused)
			}
			if c.refused != "" {
				return
			}
			sent := redrivesOf(s.Next(now, open(9)))
			if len(sent) != 1 || sent[0] != "c/1/N/redrive/1" {
				t.Fatalf("sent %v", sent)
			}
			ended := s.Result(schedule.Report{ID: sent[0], Verdict: delivery.Verdict{Action: delivery.Deliver}, Posted: true, Status: 202, Now: now})
			if len(ended) != 1 || ended[0].Outcome != event.Delivered || ended[0].Delivery.Redrive != 1 {
				t.Errorf("%+v", ended)
			}
			if s.Redrive(d, now, false) != "" || len(redrivesOf(s.Next(now, open(9)))) > 0 {
				t.Error("the same request twice is two")
			}
		})
	}
}

func redrivesOf(p schedule.Plan) (ids []string) {
	for _, d := range p.Send {
		if d[0].Redrive > 0 {
			ids = append(ids, d.ID())
		}
	}
	return ids
}

func TestARedriveIsSaved(t *testing.T) {
	s := schedule.New(redrivePolicy())
	d := schedule.Delivery{Call: said(event.Missed, 1), Customer: "R", Negotiator: "N", Redrive: 1}
	if why := s.Redrive(d, noon, false); why != "" {
		t.Fatal(why)
	}
	data, err := s.Saved()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = schedule.Load(redrivePolicy(), data); err != nil {
		t.Fatal(err)
	}
	if s.Redrive(d, noon, false) != "" {
		t.Error("what was taken on is refused")
	}
	// What the log has behind the saved state ends it, and nothing else does.
	s.Settle(schedule.Recorded{EventID: "c/1", CallID: "c", Negotiator: "N", Outcome: event.Rejected, At: noon}, noon)
	s.Settle(schedule.Recorded{EventID: "c/1", CallID: "c", Negotiator: "N", Outcome: event.Delivered, At: noon, Redrive: 1}, noon)
	if sent := redrivesOf(s.Next(noon, open(9))); len(sent) > 0 {
		t.Errorf("sent %v", sent)
	}
}

func TestARedriveHoldsNothingUp(t *testing.T) {
	s := schedule.New(redrivePolicy())
	for n, id := range []string{"a", "b", "d"} {
		c := said(event.Missed, 1)
		c.CallID, c.OccurredAt = id, noon.Add(-time.Duration(n)*time.Hour)
		if why := s.Redrive(schedule.Delivery{Call: c, Customer: "R", Negotiator: "N", Redrive: 1}, noon, false); why != "" {
			t.Fatal(why)
		}
	}
	offer(s, said(event.Missed, 1))
	if sent := s.Next(noon, open(2)).Send; len(sent) != 1 || sent[0].ID() != "c/1/N" {
		t.Errorf("sent %+v", sent)
	}
}

// open is room for so many at a time, as often as they like.
func open(slots int) schedule.Room { return schedule.Room{Slots: slots, Rate: 1000} }
