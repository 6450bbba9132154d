package app

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

func TestFlushWaitsForWhatIsToBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, lost := context.WithCancelCause(t.Context())
		j := &journal{queue: make(chan entry, backlog), lost: lost, ended: make(chan struct{}), append: func([]bus.Entry) error {
			return errors.New("stored behind a failure")
		}}
		go j.write()
		stored := false
		j.queue <- entry{do: func() error {
			time.Sleep(time.Second)
			stored = true
			return nil
		}}
		if j.flush(ctx); !stored {
			t.Error("flush did not wait")
		}
		fenced := errors.New("fenced")
		j.queue <- entry{do: func() error { return fenced }}
		if j.flush(ctx); !errors.Is(context.Cause(ctx), fenced) {
			t.Errorf("flush returned with %v", context.Cause(ctx))
		}
		behind := schedule.Record{Outcome: event.Delivered}
		j.queue <- entry{record: &behind}
		close(j.queue)
		if <-j.ended; len(j.left) != 1 || j.left[0].Outcome != event.Delivered {
			t.Errorf("left: %v", j.left)
		}
	})
}

// A crash repeats what was answered and is not recorded: where records are slow, so
// are requests.
func TestRequestsKeepPaceWithTheirRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{queue: make(chan entry, backlog), ended: make(chan struct{}), relieved: make(chan struct{}, 1), atOnce: 2}
		j.append = func([]bus.Entry) error { time.Sleep(time.Second); return nil }
		unseen := func(event.Outcome, time.Duration) {}
		room := schedule.Room{Slots: 5, Rate: 20, Spare: 10}
		if got := j.bounded(schedule.Room{Slots: 20, Rate: 500, Spare: 250}, 0); got.Rate != 40 || got.Spare != 20 {
			t.Errorf("%+v: nothing but calls that ring would ever go out", got)
		}
		for n := range mostDoubtful {
			if got := j.bounded(room, 4).Rate; got != min(20, max(0, mostDoubtful-4-n)) {
				t.Fatalf("%d requests may begin beside 4 under way and %d without a record", got, n)
			}
			j.doubtful.Add(1)
			j.queue <- entry{record: &schedule.Record{Outcome: event.Delivered}, stored: unseen}
			j.queue <- entry{record: &schedule.Record{Outcome: event.Superseded}, stored: unseen} // repeats nothing
		}
		began := time.Now()
		go j.write()
		for range 5 {
			for j.bounded(room, 0).Rate == 0 {
				<-j.relieved
			}
			j.doubtful.Add(1)
		}
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("five requests waited %v for five records", waited)
		}
		close(j.queue)
		<-j.ended
		if got := j.bounded(schedule.Room{Slots: 40, Rate: 100}, 0).Rate; got != 2*40-5 {
			t.Errorf("%d requests may begin with 40 slots and 5 without a record", got)
		}
	})
}

// What waits is stored at once, up to what is to be done between it, and told of in order.
func TestWhatWaitsIsStoredAtOnce(t *testing.T) {
	j := &journal{queue: make(chan entry, backlog), ended: make(chan struct{}), atOnce: 3}
	var done, told []string
	j.append = func(all []bus.Entry) error {
		done = append(done, strconv.Itoa(len(all)))
		return nil
	}
	for _, what := range "oooooxooxxo" {
		next := entry{do: func() error { done = append(done, "x"); return nil }}
		if what == 'o' {
			id := strconv.Itoa(len(j.queue))
			next = entry{
				record: &schedule.Record{Outcome: event.Superseded, Reason: id},
				stored: func(o event.Outcome, _ time.Duration) { told = append(told, o.Reason+"="+id) },
			}
		}
		j.queue <- next
	}
	close(j.queue)
	j.write()
	if got := strings.Join(done, " "); got != "3 2 x 2 x x 1" {
		t.Errorf("stored: %s", got)
	}
	if got := strings.Join(told, " "); got != "0=0 1=1 2=2 3=3 4=4 6=6 7=7 10=10" {
		t.Errorf("told of: %s", got)
	}
}

// Only who goes out behind a record waits for it, and nobody does when the log
// is lost.
func TestARequestWaitsForWhatStandsBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, lost := context.WithCancelCause(t.Context())
		j := &journal{queue: make(chan entry, backlog), lost: lost, ended: make(chan struct{})}
		go j.write()
		term := &term{engine: &engine{now: time.Now}, ctx: ctx, journal: j}
		term.kept.Store(time.Now().UnixNano())
		slow := func(err error) entry {
			return entry{do: func() error {
				time.Sleep(time.Second)
				return err
			}}
		}
		one := []schedule.Request{{}}
		j.queue <- slow(nil)
		began := time.Now()
		if r := term.behind(t.Context(), term.before(schedule.Plan{Send: one, Behind: []bool{false}})[0]); r.Err != nil || time.Since(began) > 0 {
			t.Errorf("the first of a lane: %v after %v", r.Err, time.Since(began))
		}
		both := term.before(schedule.Plan{Send: []schedule.Request{{}, {}}, Behind: []bool{true, false}})
		if r := term.behind(t.Context(), both[1]); r.Err != nil || time.Since(began) > 0 {
			t.Errorf("the first of a lane, beside what is behind a record: %v after %v", r.Err, time.Since(began))
		}
		if r := term.behind(t.Context(), both[0]); r.Err != nil || time.Since(began) != time.Second {
			t.Errorf("behind a record: %v after %v", r.Err, time.Since(began))
		}
		fenced := errors.New("fenced")
		j.queue <- slow(fenced)
		if r := term.behind(t.Context(), term.before(schedule.Plan{Send: one, Behind: []bool{true}})[0]); r.Kind != reapit.NotSent || !errors.Is(r.Err, fenced) {
			t.Errorf("behind a record that is lost: %v %v", r.Kind, r.Err)
		}
		close(j.queue)
		<-j.ended
	})
}

// What was taken in more than a pause after the newest snapshot is sent behind a
// further one: a takeover believes of nothing older that it was sent.
func TestWhatIsSentLongAfterASnapshotWaitsForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{queue: make(chan entry, backlog)}
		term := &term{
			engine: &engine{now: time.Now, budget: newBudget(20, 5, 100, time.Now)}, ctx: t.Context(), journal: j,
			memory: memory{Schedule: schedule.New(schedule.Policy{})}, savedAt: time.Now(),
		}
		term.kept.Store(time.Now().UnixNano())
		one := schedule.Plan{Send: []schedule.Request{{}}, Behind: []bool{false}}
		time.Sleep(snapshotPause - 1)
		if term.before(one)[0] != nil || len(j.queue) != 0 {
			t.Errorf("it waits although the snapshot is new; %d entries", len(j.queue))
		}
		time.Sleep(time.Nanosecond)
		if term.before(one)[0] == nil || len(j.queue) != 2 {
			t.Errorf("it does not wait for a snapshot; %d entries", len(j.queue))
		}
		if term.before(one)[0] == nil || len(j.queue) != 3 {
			t.Errorf("it does not wait for the one that is to be stored, or for another; %d entries", len(j.queue))
		}
	})
}
