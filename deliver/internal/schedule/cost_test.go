package schedule_test

import (
	"strconv"
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

// backlog is a schedule after an outage: so many missed calls wait, one call each.
func backlog(calls int, now time.Time) *schedule.Schedule {
	s := schedule.New(schedule.Policy{Deadlines: limits})
	for n := range calls {
		s.Offer(ringing(event.Missed, "m"+strconv.Itoa(n), uint64(n+1), "N"+strconv.Itoa(n%500), now))
	}
	s.Next(now, schedule.Room{Slots: 5})
	return s
}

func ringing(kind event.CallType, id string, position uint64, negotiator string, now time.Time) schedule.Offer {
	u := event.User{UserID: "user of " + negotiator}
	return schedule.Offer{
		Call:     event.Call{CallID: id, Type: kind, Sequence: int(position), OccurredAt: now, RecordedAt: now, Audience: []event.User{u}},
		Position: position, Received: now, Customer: "RES", Now: now, Audience: []schedule.Member{{User: u, Negotiator: negotiator}},
	}
}

// BenchmarkCallBesideABacklog is an incoming call: offered, sent, delivered and
// over. It must not cost more when much waits.
func BenchmarkCallBesideABacklog(b *testing.B) {
	for _, waiting := range []int{0, 1000, 10_000, 100_000} {
		b.Run(strconv.Itoa(waiting), func(b *testing.B) {
			now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
			s := backlog(waiting, now)
			room := schedule.Room{Slots: 5, Rate: 5, Spare: 5}
			b.ReportAllocs()
			position := uint64(waiting)
			for b.Loop() {
				for _, kind := range []event.CallType{event.Incoming, event.Answered} {
					position++
					s.Offer(ringing(kind, "c"+strconv.FormatUint(position, 10), position, "N1", now))
					for _, q := range s.Next(now, room).Send {
						s.Result(schedule.Report{ID: q.ID(), Verdict: delivery.Verdict{Action: delivery.Deliver}, Posted: true, Now: now})
					}
				}
			}
		})
	}
}

// What waits for its negotiators does not make the next event dearer.
func TestWhoWaitsForNegotiatorsIsTakenInAtOnce(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	took := func(waiting int) time.Duration {
		s := schedule.New(schedule.Policy{Deadlines: limits})
		await := func(n int) { s.Await(ringing(event.Missed, "m"+strconv.Itoa(n), uint64(n+1), "N1", now)) }
		for n := range waiting {
			await(n)
		}
		least := time.Hour
		for n := range 20 {
			began := time.Now()
			for i := range 5 {
				await(waiting + 5*n + i)
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	if few, many := took(100), took(10_000); many > 20*few {
		t.Errorf("with 100 times as much waiting an event takes %.0f times as long: %s", float64(many)/float64(few), many/5)
	}
}

// crowded is a schedule in which everything that waits is one negotiator's, who
// has all the slots that one may have.
func crowded(calls int, now time.Time) *schedule.Schedule {
	s := schedule.New(schedule.Policy{Deadlines: limits})
	for n := range calls {
		s.Offer(ringing(event.Missed, "m"+strconv.Itoa(n), uint64(n+1), "N1", now))
	}
	s.Next(now, open(5))
	return s
}

// What one negotiator may not send now costs nothing until he may.
func TestWhoWaitsForHisOwnCostsNothing(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	took := func(waiting int) time.Duration {
		s := crowded(waiting, now)
		if s.Flying() != 2 {
			t.Fatalf("%d under way", s.Flying())
		}
		least := time.Hour
		for range 20 {
			began := time.Now()
			for range 5 {
				s.Next(now, open(5))
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	if few, many := took(100), took(20_000); many > 50*few {
		t.Errorf("with 200 times as much waiting a step takes %.0f times as long: %s", float64(many)/float64(few), many/5)
	}
}

// That one of them is late is no reason to look at all of them every time.
func TestWhatIsLateOneByOneIsLookedForNowAndThen(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	took := func(waiting int) time.Duration {
		s := schedule.New(schedule.Policy{Deadlines: limits})
		for n := range waiting {
			s.Await(ringing(event.Missed, "m"+strconv.Itoa(n), uint64(n+1), "N1", now))
		}
		const late, apart = 40, 50 * time.Millisecond
		for n := range late {
			s.Await(ringing(event.Incoming, "c"+strconv.Itoa(n), uint64(waiting+n+1), "N1", now.Add(time.Duration(n)*apart)))
		}
		ended, least := 0, time.Hour
		for n := range late + 40 {
			began := time.Now()
			ended += len(s.Next(now.Add(limits[event.Incoming]+time.Duration(n)*apart), open(5)).Record)
			if n < late {
				least = min(least, time.Since(began))
			}
		}
		if ended != late {
			t.Fatalf("%d ended", ended)
		}
		return least
	}
	if few, many := took(100), took(10_000); many > 20*few {
		t.Errorf("with 100 times as much waiting a step takes %.0f times as long: %s", float64(many)/float64(few), many)
	}
}

// BenchmarkSave is a snapshot of so many calls that are over and remembered, each
// of two negotiators: what it allocates lives while it is made, beside the calls.
func BenchmarkSave(b *testing.B) {
	for _, calls := range []int{100, 1000, 10_000} {
		b.Run(strconv.Itoa(calls), func(b *testing.B) {
			now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
			s := schedule.New(schedule.Policy{Deadlines: limits})
			for n := range 2 * calls {
				kind := []event.CallType{event.Incoming, event.Ended}[n%2]
				o := ringing(kind, "c"+strconv.Itoa(n/2), uint64(n+1), "N1", now)
				second := event.User{UserID: "user of N2"}
				o.Audience = append(o.Audience, schedule.Member{User: second, Negotiator: "N2"})
				s.Offer(o)
				for range o.Audience {
					for _, q := range s.Next(now, open(5)).Send {
						s.Result(schedule.Report{ID: q.ID(), Verdict: delivery.Verdict{Action: delivery.Deliver}, Posted: true, Now: now})
					}
				}
			}
			b.ReportAllocs()
			var size int
			for b.Loop() {
				data, err := s.Saved()
				if err != nil {
					b.Fatal(err)
				}
				size = len(data)
			}
			b.ReportMetric(float64(size)/float64(calls), "saved-B/call")
		})
	}
}
