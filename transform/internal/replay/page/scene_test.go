package page

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringstream/schemas/bustest"
	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/explain"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { bustest.Main(m) }

var rules = Rules{
	Limits:    call.DefaultLimits(),
	Deadlines: explain.Deadlines{Incoming: 30 * time.Second, Answered: 2 * time.Minute, Ended: 10 * time.Minute, Missed: 24 * time.Hour},
}

const ring = "+0s UserCallInComing jane\n+1s UserCallInUserAllocated jane\n"

func at(after time.Duration) time.Time { return call.StoryStart().Add(after) }

// scene is a call as the streams hold it: what RTE told, and how its deliveries
// ended.
type scene struct {
	id      string
	story   string
	ends    []event.Outcome
	letters []explain.Letter
	feed    []event.Feed
	now     time.Duration // since the story began
}

// evidence is what the streams hold of it. CALLS has what the fold says.
func (s scene) evidence(t testing.TB) explain.Evidence {
	t.Helper()
	lines, err := call.ReadStory(s.story)
	if err != nil {
		t.Fatal(err)
	}
	e := explain.Evidence{Call: s.id, Now: at(s.now), Letters: s.letters}
	for i, l := range lines {
		l.Raw.CallID = s.id
		e.Raw = append(e.Raw, explain.Heard{Seq: uint64(i + 1), Stored: l.Stored, Recorded: l.Stored.Add(-2 * time.Millisecond), By: "a", Raw: l.Raw})
	}
	e.Steps = explain.Trace(s.id, e.Raw, rules.Limits, e.Now)
	for _, step := range e.Steps {
		for _, c := range step.Told {
			c.RecordedAt = step.At.Add(-2 * time.Millisecond)
			e.Events = append(e.Events, explain.Stored{Seq: uint64(len(e.Events) + 1), Stored: step.At.Add(3 * time.Millisecond), In: step.Seq, Call: c})
		}
	}
	var known coverage.Ledger
	for _, f := range s.feed {
		known.Take(f)
	}
	silent, span := e.Unheard()
	for _, user := range silent { // as who gathers it finds it
		e.Listening = map[string]explain.Listening{user: explain.Weigh(user, &known, &known, span)}
	}
	for i, o := range s.ends {
		o.EventID, o.CallID = s.id+"/"+o.EventID, s.id
		e.Outcomes = append(e.Outcomes, explain.Ended{Seq: uint64(i + 1), Stored: o.FinishedAt.Add(time.Millisecond), Outcome: o})
	}
	return e
}

// into puts it in a book, as a reader of the streams does.
func (s scene) into(t testing.TB, b *Book) {
	t.Helper()
	e := s.evidence(t)
	for _, f := range s.feed {
		b.Listen(f)
	}
	for _, h := range e.Raw {
		b.Hear(h)
	}
	for _, c := range e.Events {
		b.Tell(c)
	}
	for _, o := range e.Outcomes {
		b.End(o)
	}
}

// end is an outcome for jane of the n-th event of a call, so long after its start.
func end(n int, kind event.CallType, outcome event.OutcomeType, after time.Duration, more ...func(*event.Outcome)) event.Outcome {
	tried := at(after - 40*time.Millisecond)
	o := event.Outcome{
		EventID: fmt.Sprint(n), Customer: "RES", NegotiatorID: "JAS", Users: []event.User{{UserID: "jane", UserName: "jane@agency.example"}},
		Type: kind, SubType: string(kind) + "Call", Outcome: outcome, Attempts: 1, Status: 202, FirstTriedAt: &tried, FinishedAt: at(after),
	}
	for _, f := range more {
		f(&o)
	}
	return o
}

func because(cause, reason string, status, attempts int) func(*event.Outcome) {
	return func(o *event.Outcome) {
		o.Cause, o.Reason, o.Status, o.Attempts = cause, reason, status, attempts
		if attempts == 0 {
			o.FirstTriedAt = nil
		}
	}
}

func nobody(o *event.Outcome) { o.NegotiatorID = "" }

func tom(o *event.Outcome) {
	o.NegotiatorID, o.Users = "TOM", []event.User{{UserID: "tom", UserName: "tom@agency.example"}}
}

// listening is a replica that was cut off for some of the time.
func listening(gapFrom, gapUntil time.Duration) []event.Feed {
	held := []event.Subscription{{EntityID: "jane", EventName: "UserCallInUserAllocated", Subscribed: true}}
	feed := []event.Feed{
		{Instance: "a", Type: event.Opened, Epoch: "e1", At: at(-time.Hour)},
		{Instance: "a", Type: event.Subscribed, Epoch: "e1", At: at(-time.Hour), HeardAt: at(-time.Hour), Subscriptions: held},
	}
	for t := -time.Hour; t < gapFrom; t += time.Second {
		feed = append(feed, event.Feed{Instance: "a", Type: event.Heartbeat, Epoch: "e1", Live: true, Answers: true, At: at(t), HeardAt: at(t)})
	}
	feed = append(feed, event.Feed{Instance: "a", Type: event.Closed, Epoch: "e1", At: at(gapFrom), HeardAt: at(gapFrom), Reason: "the hub went away"},
		event.Feed{Instance: "a", Type: event.Opened, Epoch: "e2", At: at(gapUntil)},
		event.Feed{Instance: "a", Type: event.Subscribed, Epoch: "e2", Live: true, At: at(gapUntil), HeardAt: at(gapUntil), Subscriptions: held})
	for t := gapUntil; t < 30*time.Minute; t += time.Second {
		feed = append(feed, event.Feed{Instance: "a", Type: event.Heartbeat, Epoch: "e2", Live: true, Answers: true, At: at(t), HeardAt: at(t)})
	}
	return feed
}

const answered = "+4s UserCallInUserConnected jane\n+9s UserCallInDisconnected jane reason=remote\n"

// scenes are one of each kind.
var scenes = map[string]scene{
	"told": {id: "c1", story: ring + answered, now: 10 * time.Minute, ends: []event.Outcome{
		end(1, event.Incoming, event.Delivered, 1080*time.Millisecond), end(2, event.Answered, event.Delivered, 4070*time.Millisecond), end(3, event.Ended, event.Delivered, 9060*time.Millisecond),
	}},
	"expired": {id: "c2", story: ring, now: 10 * time.Minute, ends: []event.Outcome{
		end(1, event.Incoming, event.Expired, 31*time.Second, because("limits", "not delivered within 30s; after 4 attempts: Reapit's limits are reached", 429, 4)),
	}},
	"rejected": {
		id: "c3", story: ring, now: 10 * time.Minute,
		ends:    []event.Outcome{end(1, event.Incoming, event.Rejected, 1080*time.Millisecond, because("rejected", "Reapit found the notification invalid (HTTP 422)", 422, 1))},
		letters: []explain.Letter{{Seq: 12, DeadLetter: event.DeadLetter{Reason: "rejected", At: at(1070 * time.Millisecond), EventID: "c3/1", Customer: "RES", NegotiatorID: "JAS", Errors: []event.FieldError{{Field: "callerId", Message: "'07700 900123' is no number"}}}}},
	},
	"unmapped": {id: "c4", story: ring + "+1s UserCallInUserAllocated tom\n", now: 10 * time.Minute, ends: []event.Outcome{
		end(1, event.Incoming, event.Unmapped, 1010*time.Millisecond, nobody, because("nobody", "no active negotiator has the user's e-mail address", 0, 0)),
		end(2, event.Incoming, event.Superseded, 1020*time.Millisecond, tom, because("answered-elsewhere", "somebody else answered first", 0, 0)),
	}},
	"gap": {id: "c5", story: "+0s UserCallInArrived jane\n+40s UserCallInDisconnected jane reason=remote\n", now: 10 * time.Minute, feed: listening(2*time.Second, 35*time.Second)},
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; look at it, then: go test -update\n%s", file, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range a {
		if i >= len(b) || !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, a[i], b[min(i, len(b)-1)])
		}
	}
	return "it ends too early"
}
