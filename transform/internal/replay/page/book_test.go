package page

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/replay/explain"
)

// A call in the words of the list: its state, and what became of each screen.
func row(s *Summary) string {
	text := string(s.State)
	for _, one := range s.Screens {
		text += fmt.Sprintf(", %s %s", one.User.UserID, causeText(one.Cause))
	}
	return text
}

func TestStates(t *testing.T) {
	for _, tt := range []struct {
		name, story string
		now         time.Duration
		want        State
	}{
		{"it arrives", "+0s UserCallInComing jane", time.Second, Arriving},
		{"it rings", ring, 2 * time.Second, Ringing},
		{"it rings a second", ring + "+1s UserCallInUserAllocated tom\n+2s UserCallInUserCancelled jane", 3 * time.Second, Ringing},
		{"somebody answered", ring + "+1s UserCallInUserAllocated tom\n+4s UserCallInUserConnected jane", 5 * time.Second, Talking},
		{"on hold", ring + "+4s UserCallInUserConnected jane\n+5s UserCallInHoldStart jane", 6 * time.Second, Held},
		{"talking again", ring + "+4s UserCallInUserConnected jane\n+5s UserCallInHoldStart jane\n+6s UserCallInHoldEnd jane", 7 * time.Second, Talking},
		{"passed on", ring + "+4s UserCallInUserConnected jane\n+5s UserCallInTransferStarted jane", 6 * time.Second, Transferring},
		{"passed on, and it rings there", ring + "+4s UserCallInUserConnected jane\n+5s UserCallInTransferStarted jane\n+6s UserCallInUserAllocated tom", 7 * time.Second, Ringing},
		{"over", ring + answered, 12 * time.Second, Ended},
		{"missed, not settled yet", ring + "+8s UserCallInDisconnected jane reason=remote", 9 * time.Second, Over},
		{"missed", ring + "+8s UserCallInDisconnected jane reason=remote", 12 * time.Second, Missed},
		{"missed by the time limit", ring, 3 * time.Minute, Missed},
		{"missed by the time limit, and it rings anew", ring + "+3m UserCallInUserAllocated jane", 181 * time.Second, Ringing},
		{"dialled", "+0s UserCallOutGoing jane", time.Second, Dialling},
		{"connected", "+0s UserCallOutGoing jane\n+1s UserCallOutConnected jane", 2 * time.Second, Talking},
		{"hung up", "+0s UserCallOutGoing jane\n+1s UserCallOutDisconnected jane", 2 * time.Second, Ended},
		{"gone by, and nobody was to know", "+0s UserCallInArrived jane\n+1s UserCallInUserCancelled jane", 3 * time.Second, Over},
	} {
		e := scene{id: "c1", story: tt.story, now: tt.now}.evidence(t)
		if got := stateOf(e); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Where RTE does not reach back, what was told is all there is.
func TestStateOfACutCall(t *testing.T) {
	for told, want := range map[event.CallType]State{
		event.Incoming: Ringing, event.Answered: Talking, event.Held: Held, event.Resumed: Talking, event.Transferring: Transferring,
		event.Ended: Ended, event.Missed: Missed, event.Outgoing: Dialling, event.Connected: Talking, event.RecordingAvailable: Over,
	} {
		e := explain.Evidence{Cut: true, Events: []explain.Stored{{Call: event.Call{Type: told}}}}
		if got := stateOf(e); got != want {
			t.Errorf("%s: %s, want %s", told, got, want)
		}
	}
}

// The same call at several times: what is said of it comes of itself.
func TestTimeGoesOn(t *testing.T) {
	b := NewBook(rules, time.Hour, 10)
	scene{id: "c1", story: ring}.into(t, b)
	for _, tt := range []struct {
		now  time.Duration
		want string
	}{
		{2 * time.Second, "ringing, jane under way"},
		{40 * time.Second, "ringing, jane no outcome"},
		{3 * time.Minute, "missed, jane not in calls"}, // by a time limit, which CALLS does not hold
		{59 * time.Minute, "missed, jane not in calls"},
	} {
		v := b.View(Query{Show: ShowAll, Page: 1}, at(tt.now))
		if got := row(v.Rows[0]); got != tt.want && tt.now < time.Minute {
			t.Errorf("after %s: %s, want %s", tt.now, got, tt.want)
		}
		if got := v.Rows[0].State; tt.now > time.Minute && got != Missed {
			t.Errorf("after %s: %s", tt.now, got)
		}
	}
	if v := b.View(Query{Show: ShowAll, Page: 1}, at(62*time.Minute)); len(v.Rows) != 0 {
		t.Errorf("after the window it is still there: %s", row(v.Rows[0]))
	}
}

// What was worked out of a part of the streams is not shown as all of them.
func TestFilledInTheMeantime(t *testing.T) {
	b := NewBook(rules, time.Hour, 10)
	e := scenes["told"].evidence(t)
	b.Fill(true)
	b.Tell(e.Events[0])
	part := row(b.View(Query{Show: ShowAll}, at(time.Minute)).Rows[0])
	for _, h := range e.Raw {
		b.Hear(h)
	}
	for _, o := range e.Outcomes {
		b.End(o)
	}
	b.Fill(false)
	if got := row(b.View(Query{Show: ShowAll}, at(time.Minute)).Rows[0]); got != "ended, jane told" {
		t.Errorf("%s, and was %s", got, part)
	}
}

// Whatever the order in which the streams are read, the end is the same.
func TestStreamsInAnyOrder(t *testing.T) {
	e := scenes["told"].evidence(t)
	takes := []func(*Book){
		func(b *Book) {
			for _, h := range e.Raw {
				b.Hear(h)
			}
		},
		func(b *Book) {
			for _, s := range e.Events {
				b.Tell(s)
			}
		},
		func(b *Book) {
			for _, o := range e.Outcomes {
				b.End(o)
			}
		},
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 1, 2, 0, 1, 2}} {
		b := NewBook(rules, time.Hour, 10)
		for i, n := range order {
			takes[n](b)
			b.View(Query{Show: ShowAll}, at(9*time.Second+time.Duration(i)*time.Second))
		}
		v := b.View(Query{Show: ShowAll}, at(time.Minute))
		if got := row(v.Rows[0]); got != "ended, jane told" || v.Rows[0].Wait != 42*time.Millisecond || v.Rows[0].First != at(0) {
			t.Errorf("%v: %s, %s after %s", order, got, v.Rows[0].Wait, v.Rows[0].First)
		}
	}
}

func TestTooManyCalls(t *testing.T) {
	b := NewBook(rules, time.Hour, 3)
	for i := range 5 {
		scene{id: fmt.Sprint("c", i), story: fmt.Sprintf("+%ds UserCallInComing jane", i)}.into(t, b)
	}
	v := b.View(Query{Show: ShowAll}, at(time.Minute))
	if v.Dropped != 2 || len(v.Rows) != 3 || v.Rows[0].Call != "c4" || v.Rows[2].Call != "c2" {
		t.Errorf("%d dropped, %d rows, from %s", v.Dropped, len(v.Rows), v.Rows[0].Call)
	}
}

// Of a call that began before the window the streams know more.
func TestPartialCalls(t *testing.T) {
	whole := scenes["told"].evidence(t)
	part := func() *Book {
		b := NewBook(rules, time.Hour, 10)
		for _, s := range whole.Events[1:] {
			b.Tell(s)
		}
		return b
	}
	b := part()
	b.End(explain.Ended{Seq: 1, Stored: at(0), Outcome: event.Outcome{CallID: "alone"}})
	b.End(explain.Ended{Seq: 2, Stored: at(time.Minute), Outcome: event.Outcome{CallID: "fresh"}})
	if got := b.Partial(at(30 * time.Second)); !slices.Equal(got, []string{"alone", "c1"}) {
		t.Errorf("partial: %v", got)
	}
	b.Complete(whole)
	b.Complete(explain.Evidence{Call: "alone"})
	b.Complete(explain.Evidence{Call: "unheard of"})
	if got := b.Partial(at(30 * time.Second)); len(got) != 0 {
		t.Errorf("still partial: %v", got)
	}
	v := b.View(Query{Text: "c1"}, at(time.Minute))
	if got := row(v.Rows[0]); got != "ended, jane told" {
		t.Errorf("completed: %s", got)
	}

	late := part()
	newer := whole.Raw[0]
	newer.Seq += 100
	late.Hear(newer)
	late.Complete(whole)
	if late.Heard("C1") != 3 || len(late.calls["c1"].evidence.Raw) != 1 {
		t.Errorf("what was heard since is lost: %d raw events", len(late.calls["c1"].evidence.Raw))
	}
}

func TestTones(t *testing.T) {
	for cause, want := range map[explain.Cause]Tone{
		explain.CauseInPart: Bad, explain.CauseUnderWay: Waiting, explain.CauseUntold: Waiting, explain.CauseNoOutcome: Bad, explain.CauseOutbound: Quiet,
		explain.CauseDiverted: Quiet, "superseded-call-over": Quiet, "superseded": Quiet, "expired-late": Bad, "rejected": Bad, explain.CauseBeyond: Bad,
	} {
		if got := toneOf(cause, false); got != want {
			t.Errorf("%s: %s, want %s", cause, got, want)
		}
	}
	if toneOf(explain.CauseTold, true) != Good {
		t.Error("told is not good")
	}
}

// manyCalls is an hour of an office with that many calls.
func manyCalls(tb testing.TB, n int) *Book {
	tb.Helper()
	b := NewBook(rules, time.Hour, mostCalls)
	one := scenes["told"].evidence(tb)
	seq := uint64(0)
	for i := range n {
		id := fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", i)
		shift := time.Duration(i) * 50 * time.Minute / time.Duration(n)
		for _, h := range one.Raw {
			seq++
			h.Seq, h.Stored, h.Recorded, h.Raw.CallID, h.Raw.Timestamp = seq, h.Stored.Add(shift), h.Recorded.Add(shift), id, h.Raw.Timestamp.Add(shift)
			b.Hear(h)
		}
		for _, s := range one.Events {
			seq++
			s.Seq, s.In, s.Stored, s.Call.CallID = seq, 0, s.Stored.Add(shift), id
			s.Call.RecordedAt = s.Call.RecordedAt.Add(shift)
			b.Tell(s)
		}
		for _, o := range one.Outcomes {
			seq++
			tried := o.FirstTriedAt.Add(shift + time.Duration(i%97)*time.Millisecond)
			o.Seq, o.Stored, o.CallID, o.EventID = seq, o.Stored.Add(shift), id, fmt.Sprintf("%s/%d", id, o.Seq)
			o.FirstTriedAt, o.FinishedAt = &tried, o.FinishedAt.Add(shift+time.Duration(i%97)*time.Millisecond)
			b.End(o)
		}
	}
	return b
}

// However many calls there are, a page has so many rows and no more.
func TestPagesOfManyCalls(t *testing.T) {
	const calls = 10_000
	b := manyCalls(t, calls)
	size := 0
	for page, want := range map[int]int{1: rowsAPage, 50: rowsAPage, 51: rowsAPage} { // there are 50
		v := b.View(Query{Show: ShowAll, Page: page}, at(55*time.Minute))
		if len(v.Rows) != want || v.Found != calls || v.Pages != calls/rowsAPage || v.Query.Page > v.Pages {
			t.Fatalf("page %d: %d rows of %d, %d pages", page, len(v.Rows), v.Found, v.Pages)
		}
		var out counter
		if err := newPages(true).render(&out, "list", listed{View: v, Condition: Condition{State: "live"}}); err != nil {
			t.Fatal(err)
		}
		size = max(size, int(out))
	}
	if size > 500_000 {
		t.Errorf("a page has %d bytes", size)
	}
}

type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// BenchmarkList is what the server takes for the list with 10,000 calls: for the
// first reader, and for one who looks again.
func BenchmarkList(b *testing.B) {
	p := newPages(true)
	show := func(book *Book, now time.Duration) {
		if err := p.render(io.Discard, "list", listed{View: book.View(Query{Show: ShowAll, Page: 1}, at(now)), Condition: Condition{State: "live"}}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			book := manyCalls(b, 10_000)
			b.StartTimer()
			show(book, 55*time.Minute)
		}
	})
	b.Run("again", func(b *testing.B) {
		book := manyCalls(b, 10_000)
		show(book, 55*time.Minute)
		for b.Loop() {
			show(book, 55*time.Minute)
		}
	})
}

// A thousand calls at once, all of them under way, are worked out by and by.
func TestManyUnsettledCalls(t *testing.T) {
	b := NewBook(rules, time.Hour, mostCalls)
	const calls = 3 * unsettledAtOnce
	for i := range calls {
		scene{id: fmt.Sprint("c", i), story: ring}.into(t, b)
	}
	b.View(Query{Show: ShowAll}, at(2*time.Second))
	for i, want := range []int{calls - unsettledAtOnce, calls - 2*unsettledAtOnce, 0} {
		now := at(4*time.Minute + time.Duration(i)*overviewFor)
		if got := b.View(Query{Show: ShowAll}, now).Figures.Ringing; got != want {
			t.Errorf("look %d: %d ring, want %d", i, got, want)
		}
	}
}

// The list says of a phone that was not heard to ring what the page of the call
// says, and goes on to when more is known.
func TestUnheardInTheList(t *testing.T) {
	s := scenes["gap"]
	page := explain.Conclude(s.evidence(t), "", rules.Deadlines, true).Users
	if len(page) != 1 || page[0].Cause != explain.CauseUncovered {
		t.Fatalf("the page says %+v", page)
	}
	late := s.feed[len(s.feed)-1:]
	for len(late) < len(s.feed) && late[0].Type != event.Opened { // and all that followed
		late = s.feed[len(s.feed)-len(late)-1:]
	}
	early := s
	early.feed = s.feed[:len(s.feed)-len(late)]
	b := NewBook(rules, time.Hour, 100)
	early.into(t, b)
	b.Refresh(at(s.now))
	for _, f := range late {
		b.Listen(f)
	}
	for _, list := range []*Book{b, func() *Book { b := NewBook(rules, time.Hour, 100); s.into(t, b); return b }()} {
		rows := list.View(Query{}, at(s.now+time.Second)).Rows
		if len(rows) != 1 || len(rows[0].Screens) != 1 || rows[0].Screens[0].Cause != page[0].Cause || !rows[0].settled {
			t.Errorf("the list says %+v", rows[0])
		}
	}
}

// What was subscribed only after a call is none of it.
func TestSubscribedAfterTheCall(t *testing.T) {
	s := scenes["gap"]
	s.feed = nil
	for _, f := range listening(2*time.Second, 35*time.Second) {
		if f.At = f.At.Add(2 * time.Hour); f.Subscriptions != nil {
			f.HeardAt = f.At
		}
		s.feed = append(s.feed, f)
	}
	b := NewBook(rules, 24*time.Hour, 100)
	s.into(t, b)
	rows := b.View(Query{}, at(3*time.Hour)).Rows
	if len(rows) != 1 || rows[0].Screens[0].Cause != explain.CauseUnwanted {
		t.Errorf("%+v", rows[0])
	}
}
