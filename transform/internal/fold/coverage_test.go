package fold

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// scene folds inputs one second after the other.
type scene struct {
	*Fold
	t   *testing.T
	seq uint64
	out []string
}

func newScene(t *testing.T) *scene { return &scene{Fold: New(call.DefaultLimits()), t: t} }

func (s *scene) now() time.Time { return start.Add(time.Duration(s.seq) * time.Second) }

func (s *scene) step(in Input) {
	s.t.Helper()
	in.Seq, in.Stored = s.seq+1, s.now()
	s.seq++
	for _, o := range s.Step(in).Outputs {
		s.out = append(s.out, fmt.Sprint(o.Call.CallID, " ", o.Call.Type, " ", o.Call.Coverage))
	}
	b, err := s.Snapshot()
	if err != nil {
		s.t.Fatal(err)
	}
	again, ok, err := Restore(call.DefaultLimits(), b)
	if err != nil || !ok {
		s.t.Fatal(ok, err)
	}
	if c, err := again.Snapshot(); err != nil || !bytes.Equal(b, c) {
		s.t.Fatalf("%s\nrestored\n%s", b, c)
	}
	s.Fold = again
}

func (s *scene) feed(instance, epoch string, kind event.FeedType, items ...string) {
	s.t.Helper()
	f := event.Feed{Instance: instance, Epoch: epoch, Type: kind, At: s.now(), HeardAt: s.now(), Live: kind == event.Heartbeat || kind == event.Subscribed}
	for _, item := range items {
		f.Subscriptions = append(f.Subscriptions, event.Subscription{EntityID: item[:len(item)-1], EventName: "UserCallIn", Subscribed: item[len(item)-1] == '+'})
	}
	s.step(Input{Feed: &f})
}

func (s *scene) raw(callID, user, queue, kind string) {
	s.t.Helper()
	s.step(Input{Recorded: s.now(), Raw: &event.Raw{
		ID: fmt.Sprint(s.seq), CallID: callID, UserID: user, EntityID: user, EntityType: "User", TechQueueID: queue, EventType: kind, Timestamp: s.now(),
	}})
}

func (s *scene) want(lines ...string) {
	s.t.Helper()
	if got := strings.Join(s.out, "\n"); got != strings.Join(lines, "\n") {
		s.t.Errorf("got\n%s\nwant\n%s", got, strings.Join(lines, "\n"))
	}
}

// A gap of one user is none of a call that has nothing to do with that user.
func TestGapIsOfThoseWhoTakePart(t *testing.T) {
	s := newScene(t)
	s.feed("a", "1", event.Opened)
	s.feed("a", "1", event.Subscribed, "jane+", "tom+", "sales+")
	s.feed("b", "7", event.Opened)
	s.feed("b", "7", event.Subscribed, "jane+", "tom-")
	s.raw("janes", "jane", "", "UserCallInUserAllocated")
	s.raw("toms", "tom", "", "UserCallInUserAllocated")
	s.raw("queued", "jane", "sales", "UserCallInUserAllocated")
	s.feed("b", "7", event.Heartbeat)
	s.feed("a", "1", event.Closed) // b hears of jane alone
	s.feed("b", "7", event.Heartbeat)
	s.raw("janes", "jane", "", "UserCallInUserConnected")
	s.raw("toms", "tom", "", "UserCallInUserConnected")
	s.raw("queued", "jane", "sales", "UserCallInUserConnected")
	s.feed("a", "2", event.Opened)
	s.feed("a", "2", event.Subscribed, "jane+", "tom+", "sales+")
	s.raw("later", "tom", "sales", "UserCallInUserAllocated")
	s.raw("janes", "tom", "", "UserCallInUserConnected") // who takes part from now on was not heard in its life
	s.want(
		"janes incoming complete", "toms incoming complete", "queued incoming complete",
		"janes answered complete", "toms answered gap", "queued answered gap",
		"later incoming complete", "janes incoming gap", "janes answered gap",
	)
}

// Between its end and its new beginning a single replica hears nobody, however
// short that is.
func TestGapOfEverything(t *testing.T) {
	s := newScene(t)
	s.feed("a", "1", event.Opened)
	s.feed("a", "1", event.Subscribed, "jane+")
	s.raw("c", "someone", "", "UserCallInUserAllocated") // whom nobody subscribed by that id
	s.feed("a", "1", event.Closed)
	s.feed("a", "2", event.Opened)
	s.feed("a", "2", event.Subscribed, "jane+")
	s.raw("c", "someone", "", "UserCallInUserConnected")
	s.raw("d", "someone", "", "UserCallInUserAllocated")
	s.want("c incoming complete", "c answered gap", "d incoming complete")
}

// A replica that NATS was away for heard on; what is told from then on says so.
func TestGapThatWasNone(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"a", "b"} {
		s.feed(name, "1", event.Opened)
		s.feed(name, "1", event.Subscribed, "jane+")
	}
	s.raw("c", "jane", "", "UserCallInUserAllocated")
	closed := s.now()
	s.feed("a", "1", event.Closed)
	s.seq += 5 // in which nothing is heard of b
	s.feed("a", "2", event.Opened)
	s.raw("c", "jane", "", "UserCallInUserConnected")
	for late := range 5 {
		at := closed.Add(time.Duration(late) * time.Second)
		s.step(Input{Feed: &event.Feed{Instance: "b", Epoch: "1", Type: event.Heartbeat, Live: true, At: at, HeardAt: at}})
	}
	s.feed("a", "2", event.Subscribed, "jane+")
	s.feed("b", "1", event.Heartbeat)
	s.raw("c", "jane", "", "UserCallInDisconnected")
	s.want("c incoming complete", "c answered gap", "c ended complete")
}

// Nobody ever listened before the first call was heard: that is no gap.
func TestTheStartIsNoGap(t *testing.T) {
	s := newScene(t)
	for range 9 {
		s.step(Input{Feed: &event.Feed{Instance: "a", Type: event.Heartbeat, At: s.now()}})
	}
	s.raw("c", "jane", "", "UserCallInUserAllocated")
	s.want("c incoming complete")
}

// A snapshot keeps who is subscribed, not how it came to that.
func TestCoverageIsForgotten(t *testing.T) {
	s := newScene(t)
	s.feed("a", "0", event.Opened)
	s.feed("a", "0", event.Subscribed, "jane+", "tom+")
	size := func() int {
		b, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	before := size()
	for epoch := 1; epoch < 100; epoch++ {
		s.feed("a", fmt.Sprint(epoch-1), event.Closed)
		s.feed("a", fmt.Sprint(epoch), event.Opened)
		s.feed("a", fmt.Sprint(epoch), event.Subscribed, "jane+", "tom+")
	}
	for range 60 {
		s.feed("a", "99", event.Heartbeat)
	}
	if after := size(); after > before+200 {
		t.Errorf("%d bytes, and %d after a hundred connections", before, after)
	}
}

// What a replica tells of what it has missed is no word of a connection, of which
// it might have been taken for the oldest.
func TestAuditFillsNoGap(t *testing.T) {
	s := newScene(t)
	s.feed("a", "1", event.Opened)
	s.feed("a", "1", event.Subscribed, "jane+")
	s.raw("c", "jane", "", "UserCallInUserAllocated")
	s.feed("a", "1", event.Closed)
	s.step(Input{Feed: &event.Feed{Instance: "b", Epoch: "1", Type: event.Audit, Live: true, At: s.now(), HeardAt: s.now(), Unheard: 1}})
	s.raw("c", "jane", "", "UserCallInUserConnected")
	s.want("c incoming complete", "c answered gap")
}

// What is kept of a call beside its own memory is packed with it.
func TestKnownCallIsReadAsItWasPacked(t *testing.T) {
	want := &known{Call: *call.New("c"), Begun: start, Parties: []string{"jane", "queue"}, Torn: true}
	for i := range reflect.TypeFor[known]().NumField() {
		if name := reflect.TypeFor[known]().Field(i).Name; name != "timer" && reflect.ValueOf(*want).Field(i).IsZero() {
			t.Errorf("%s is empty", name)
		}
	}
	p := call.NewPacker()
	want.pack(p)
	p = call.NewUnpacker(p.Bytes())
	got := new(known)
	if got.pack(p); p.Err() != nil || len(p.Bytes()) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %d bytes left\ngot  %+v\nwant %+v", p.Err(), len(p.Bytes()), got, want)
	}
}
