package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

// Every cause of the contract that is the schedule's to give has a story.
func TestEveryCause(t *testing.T) {
	for want, story := range map[string]string{
		"superseded answered-elsewhere": "offer incoming c1 u1 u3|offer answered c1 u1 u3 by=u3",
		"superseded call-over":          "offer incoming c1 u1|offer missed c1 u1",
		"superseded never-shown":        "offer incoming c1 u1|at 40s|next|offer ended c1 u1|next",
		"superseded same-answer":        "offer incoming c1 u1|offer answered c1 u1 by=u1|offer answered c1 u1 by=u1",
		"superseded same-negotiator":    "offer incoming c1 u1|offer incoming c1 u2",
		"superseded still-in-call":      "offer incoming c1 u1 u2|offer ended c1 u1",
		"expired late":                  "offer incoming c1 u1|at 40s|next",
		"expired limits":                "offer incoming c1 u1|next|result c1/1/N1 pause wait=50s|at 40s|next",
		"expired parked":                "offer incoming c1 u1|next|result c1/1/N1 park|at 40s|next",
		"expired trouble":               "offer incoming c1 u1|next|result c1/1/N1 retry wait=50s|at 40s|next",
		"rejected cause":                "offer incoming c1 u1|next|result c1/1/N1 reject",
		"dead cause":                    "offer incoming c1 u1|next|result c1/1/N1 bury",
		"delivered ":                    "offer incoming c1 u1|next|result c1/1/N1 deliver",
	} {
		w := play(t, "> "+strings.ReplaceAll(story, "|", "\n> "))
		if len(w.causes) == 0 || !slices.Contains(w.causes, want) {
			t.Errorf("%s: %q\n%s", want, w.causes, w.out.String())
		}
	}
}

// What the log is found to hold overtakes what stood before it.
func TestALaterDeliveredOneIsTheCause(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := schedule.New(schedule.Policy{Deadlines: limits})
	jane := event.User{UserID: "u1"}
	for i, kind := range []event.CallType{event.Incoming, event.Answered} {
		s.Offer(schedule.Offer{
			Call:     event.Call{CallID: "c", Type: kind, Sequence: i + 1, OccurredAt: now, AnsweredBy: &jane},
			Position: uint64(i + 1), Received: now, Customer: "RES", AnsweredBy: "N1", Now: now,
			Audience: []schedule.Member{{User: jane, Negotiator: "N1"}},
		})
	}
	ended := s.Settle(schedule.Recorded{EventID: "c/2", CallID: "c", Negotiator: "N1", Users: []event.User{jane}, Outcome: event.Delivered, At: now}, now)
	if len(ended) != 1 || ended[0].Cause != "later-delivered" {
		t.Errorf("%+v", ended)
	}
}

// The unmapped say why by the directory's word.
func TestWhoIsNobodySaysWhy(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	ended := schedule.New(schedule.Policy{Deadlines: limits}).Offer(schedule.Offer{
		Call: event.Call{CallID: "c", Type: event.Incoming, Sequence: 1, OccurredAt: now}, Position: 1, Received: now, Now: now,
		Audience: []schedule.Member{{User: event.User{UserID: "u1"}, Cause: "nobody", Reason: "no active negotiator"}},
	})
	if len(ended) != 1 || ended[0].Cause != "nobody" || ended[0].Reason != "no active negotiator" {
		t.Errorf("%+v", ended)
	}
}

// Status and request id are those of one and the same answer.
func TestTheRequestIDIsThatOfTheAnswer(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := schedule.New(schedule.Policy{Deadlines: limits})
	s.Offer(schedule.Offer{
		Call: event.Call{CallID: "c", Type: event.Missed, Sequence: 1, OccurredAt: now}, Position: 1, Received: now, Customer: "RES", Now: now,
		Audience: []schedule.Member{{User: event.User{UserID: "u1"}, Negotiator: "N1"}},
	})
	for _, r := range []schedule.Report{
		{Status: 500, RequestID: "r-1", Verdict: delivery.Verdict{Action: delivery.Retry}},
		{Status: 502, Verdict: delivery.Verdict{Action: delivery.Retry}}, // a proxy gives none
		{RequestID: "of a token", Verdict: delivery.Verdict{Action: delivery.Retry}},
	} {
		p := s.Next(now, open(5))
		if len(p.Send) != 1 {
			t.Fatalf("%+v", p)
		}
		r.ID, r.Now = p.Send[0].ID(), now
		s.Result(r)
	}
	if d := s.Next(now, open(5)).Send[0][0]; d.Status != 502 || d.RequestID != "" {
		t.Errorf("%d %q", d.Status, d.RequestID)
	}
}

// A day that is used up is a limit, too; what is left of it is for who rings.
func TestADayThatIsUsedUpIsALimit(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		kind event.CallType
		room schedule.Room
		want string
	}{
		{event.Incoming, schedule.Room{}, "limits"},
		{event.Incoming, schedule.Room{Slots: 5, Live: true}, "late"},
		{event.Ended, schedule.Room{Slots: 5, Live: true}, "limits"},
	} {
		s := schedule.New(schedule.Policy{Deadlines: limits})
		s.Offer(schedule.Offer{
			Call: event.Call{CallID: "c", Type: c.kind, Sequence: 1, OccurredAt: now}, Position: 1, Received: now, Customer: "RES", Now: now,
			Audience: []schedule.Member{{User: event.User{UserID: "u1"}, Negotiator: "N1"}},
		})
		s.Next(now, c.room)
		ended := s.Next(now.Add(24*time.Hour), c.room).Record
		if len(ended) != 1 || ended[0].Cause != c.want || strings.Contains(ended[0].Reason, "used up") != (c.want == "limits") {
			t.Errorf("%s with %+v: %+v", c.kind, c.room, ended)
		}
	}
}
