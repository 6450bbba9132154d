package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

// unasked is a Reapit that nobody is to ask.
type unasked struct{ *testing.T }

func (u unasked) Notify(_ context.Context, n reapit.Notification, _ string) reapit.Result {
	u.Errorf("%s was sent", n.SubType)
	return reapit.Result{Kind: reapit.Answered, Status: 202}
}

func (unasked) RefreshToken(string) {}

// ringing is a schedule in which one negotiator was shown a call, and is about to be
// told who answered it.
func ringing(t *testing.T, answeredBy string) (s *schedule.Schedule, offer func(event.CallType), plan schedule.Plan) {
	s = schedule.New(schedule.Policy{Deadlines: schedule.Deadlines{
		event.Incoming: time.Minute, event.Answered: time.Minute, event.Ended: time.Minute, event.Missed: time.Minute,
	}})
	n := 0
	offer = func(kind event.CallType) {
		n++
		s.Offer(schedule.Offer{
			Call: event.Call{
				CallID: call(1), OrganizationID: organization, Type: kind, Direction: event.Inbound,
				OccurredAt: time.Now(), RecordedAt: time.Now(), Sequence: n,
			},
			Position: uint64(n), Received: time.Now(), Customer: "SBOX", AnsweredBy: answeredBy, Now: time.Now(),
			Audience: []schedule.Member{{User: user("jane"), Negotiator: "JAS"}},
		})
	}
	next := func() schedule.Plan {
		plan := s.Next(time.Now(), schedule.Room{Slots: 5, Rate: 5})
		if len(plan.Send) != 1 {
			t.Fatalf("%+v", plan)
		}
		return plan
	}
	offer(event.Incoming)
	s.Result(schedule.Report{ID: next().Send[0].ID(), Verdict: delivery.Verdict{Action: delivery.Deliver}, Posted: true, Status: 202, Now: time.Now()})
	offer(event.Answered)
	return s, offer, next()
}

// What waits to be sent behind the record of what came before it is not sent when
// the call ends meanwhile, and is recorded as what it is at once.
func TestWhatWaitsForTheLogIsTakenBackWhenTheCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{queue: make(chan entry, backlog), ended: make(chan struct{})}
		s, offer, plan := ringing(t, "JAS")
		term := &term{
			engine: &engine{now: time.Now, reapit: unasked{t}}, ctx: t.Context(), posts: t.Context(), journal: j,
			memory: memory{Schedule: s}, reports: make(chan schedule.Report, 1), waits: map[string]chan struct{}{},
		}
		term.kept.Store(time.Now().UnixNano())
		before := term.before(plan) // which nobody writes
		if before[0] == nil {
			t.Fatal("it waits for nothing")
		}
		q := plan.Send[0]
		ctx := term.recallable(t.Context(), q)
		go term.attempt(ctx, q, before[0])
		term.recall()
		if synctest.Wait(); len(term.reports) > 0 || isRecalled(ctx) {
			t.Fatal("it was taken back before the call ended")
		}
		offer(event.Ended)
		term.recall()
		if synctest.Wait(); len(term.reports) != 1 {
			t.Fatal("it was not taken back")
		}
		records := s.Result(<-term.reports)
		if len(records) != 1 || records[0].Outcome != event.Superseded || records[0].Cause != "call-over" || records[0].Delivery.Attempts != 0 {
			t.Errorf("%+v", records)
		}
	})
}

// What was taken back while it waited for a token or for room is not admitted, and
// keeps no room.
func TestWhatIsTakenBackIsNotAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, offer, plan := ringing(t, "JAS")
		term := &term{memory: memory{Schedule: s}, waits: map[string]chan struct{}{}}
		q := plan.Send[0]
		ctx := term.recallable(t.Context(), q)
		held := 0
		admit := whileWanted(func(context.Context) (func(reapit.Result), error) {
			held++
			term.recall()
			return func(reapit.Result) { held-- }, nil
		})
		if _, err := admit(ctx); err != nil || held != 1 {
			t.Errorf("%v, %d held", err, held)
		}
		offer(event.Ended)
		for range 2 { // while it waits, and before
			if _, err := admit(ctx); !errors.Is(err, errOvertaken) || held != 1 {
				t.Errorf("%v, %d held", err, held)
			}
		}
		if _, err := admit(t.Context()); err != nil {
			t.Errorf("what cannot be taken back: %v", err)
		}
	})
}
