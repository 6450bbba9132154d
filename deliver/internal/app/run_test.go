package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapitsim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
)

func TestACallIsShownAnsweredAndEnded(t *testing.T) {
	r := newRig(t)
	r.begin() // a first start cannot know what was shown before it
	d := r.deliver(r.settings())
	bustest.Eventually(t, "readiness", d.ready)
	r.say(1, event.Incoming, "", "jane", "tom", "nobody")
	r.say(1, event.Held, "", "jane")
	r.say(1, event.Answered, "tom", "jane", "tom", "nobody")
	r.say(1, event.Ended, "tom", "jane", "tom", "nobody")
	all := r.until(9)
	// Answered by Tom may overtake Jane's pop, Ended whatever is not out yet: wait for no luck, look at what must be.
	shown := r.shown()
	if tom := brief(shown, "TOM"); len(tom) > 0 && tom[0] != "incomingCall 0001" {
		t.Errorf("TOM saw %v", tom)
	}
	r.want("unmapped", ends(all, "", event.Incoming), []event.OutcomeType{event.Unmapped})
	r.accountWithout(1, event.Held)
	r.want("users without negotiator", d.metric(`ringstream_deliver_unmapped_users{reason="nobody"}`), 1)
	d.stop()
	if !strings.Contains(r.said.String(), `"number":"…789"`) || strings.Contains(r.said.String(), "7123456789") {
		t.Error("numbers are not masked")
	}
}

// accountWithout is account without the events that are nobody's notification.
func (r *rig) accountWithout(n int, kinds ...event.CallType) {
	r.Helper()
	r.sent = slices.DeleteFunc(r.sent, func(c event.Call) bool { return c.CallID == call(n) && slices.Contains(kinds, c.Type) })
	r.account()
}

func TestEachStepIsShownInTime(t *testing.T) {
	r := newRig(t)
	d := r.deliver(r.settings())
	step := func(n int, kind event.CallType, by string, outcomes int) {
		t.Helper()
		r.say(n, kind, by, "jane", "tom")
		r.until(outcomes)
	}
	step(1, event.Incoming, "", 2)
	step(1, event.Answered, "tom", 4)
	step(1, event.Ended, "tom", 6)
	step(2, event.Incoming, "", 8)
	step(2, event.Missed, "", 10)
	want := []string{"incomingCall 0001", "answeredCall 0001 TOM", "endedCall 0001 TOM", "incomingCall 0002", "missedCall 0002"}
	r.want("JAS", brief(r.shown(), "JAS"), want)
	r.want("TOM", brief(r.shown(), "TOM"), want)
	for _, o := range r.outcomes() {
		if o.Outcome != event.Delivered || o.Attempts != 1 || o.Status != 202 || o.RequestID == "" || o.FirstTriedAt == nil || o.LatencyMS > 2000 {
			t.Errorf("%+v", o)
		}
	}
	var requests struct{ Requests []reapitsim.Request }
	r.control(http.MethodGet, "requests?path=/notifications/", "", &requests)
	for _, q := range requests.Requests {
		if trace := q.Headers["Traceparent"]; !strings.HasPrefix(trace, parent[:36]) || strings.Contains(trace, parent[36:52]) {
			t.Errorf("traceparent %q is no child of %q", trace, parent)
		}
	}
	metrics := r.page(d.probes + "/metrics")
	for _, line := range []string{
		`ringstream_deliver_outcomes_total{cause="",outcome="delivered",type="incoming"} 4`, `ringstream_deliver_requests_total{code="202"} 10`,
		`ringstream_lease_held{lease="deliver"} 1`, `ringstream_deliver_token_requests_total{result="given"} 1`, `ringstream_deliver_delay_seconds_count{type="answered"} 2`, `ringstream_deliver_queued{type="missed"} 0`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
	r.account()
}

func TestWhatIsTooOldIsRecordedNotSent(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	r.say(1, event.Incoming, "", "jane")
	r.say(1, event.Answered, "jane", "jane")
	r.say(2, event.Missed, "", "jane")
	r.merged()
	s := r.settings()
	s.DeadlineIncoming, s.DeadlineAnswered = time.Nanosecond, time.Nanosecond
	r.deliver(s)
	all := r.until(3)
	r.want("incoming", ends(all, "JAS", event.Incoming), []event.OutcomeType{event.Expired})
	r.want("answered", ends(all, "JAS", event.Answered), []event.OutcomeType{event.Expired})
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0002"})
	r.account()
}

func TestACallThatWasOverBeforeTheStartIsNotShown(t *testing.T) {
	r := newRig(t)
	r.say(1, event.Incoming, "", "jane")
	r.say(1, event.Missed, "", "jane")
	r.merged()
	r.deliver(r.settings())
	all := r.until(2)
	r.want("incoming", ends(all, "JAS", event.Incoming), []event.OutcomeType{event.Superseded})
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0001"})
	r.account()
}

// The gateway gave up on what the platform then did: the pop is on the screen,
// and must be closed.
func TestAPopWhoseAnswerWasLostIsClosed(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	r.deliver(r.settings())
	r.fault(`{"match":{"negotiatorId":"JAS","subType":"incomingCall"},"action":{"status":504,"processed":true,"delay":"1s"}}`)
	r.fault(`{"match":{"negotiatorId":"TOM","subType":"incomingCall"},"action":{"status":429,"delay":"1s"}}`)
	r.say(1, event.Incoming, "", "jane", "tom")
	bustest.Eventually(t, "the pop", func() bool { return len(r.shown()) == 1 })
	r.say(1, event.Ended, "", "jane", "tom")
	all := r.until(4)
	r.want("the end of what may be shown", ends(all, "JAS", event.Ended), []event.OutcomeType{event.Delivered})
	r.want("the end of what is not", ends(all, "TOM", event.Ended), []event.OutcomeType{event.Superseded})
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "endedCall 0001"})
	r.account()
}

// posts are the notifications that were posted: the targets of each, and what
// Reapit answered.
func (r *rig) posts() (all []string) {
	r.Helper()
	var answer struct{ Requests []reapitsim.Request }
	r.control(http.MethodGet, "requests?limit=100000&path=/notifications", "", &answer)
	for _, q := range answer.Requests {
		slices.Sort(q.NegotiatorIDs)
		all = append(all, q.SubType+" "+strings.Join(q.NegotiatorIDs, "+")+" "+strconv.Itoa(q.Status))
	}
	return all
}

func TestAHuntGroupIsOneRequest(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	s := r.settings()
	s.Group = true
	r.deliver(s)
	r.say(1, event.Incoming, "", "jane", "tom", "nobody")
	r.until(3)
	r.say(1, event.Missed, "", "jane", "tom")
	all := r.until(5)
	r.want("posts", r.posts(), []string{"incomingCall JAS+TOM 202", "missedCall JAS+TOM 202"})
	r.want("JAS", ends(all, "JAS", event.Missed), []event.OutcomeType{event.Delivered})
	r.want("TOM", ends(all, "TOM", event.Missed), []event.OutcomeType{event.Delivered})
	r.account()
}

// Reapit refuses the request because of one of the negotiators: the others see
// the call all the same, at once.
func TestOneBadNegotiatorOfAGroupHarmsNobody(t *testing.T) {
	r := newRig(t)
	r.begin()
	r.control(http.MethodPost, "knobs", `{"unknownTarget":"reject"}`, nil)
	s := r.settings()
	s.Group = true
	s.Overrides = directory.Overrides{"bad@agency.example": "GONE"}
	r.deliver(s)
	r.say(1, event.Incoming, "", "jane", "bad", "tom")
	all := r.until(3)
	posts := r.posts()
	slices.Sort(posts[1:])
	r.want("posts", posts, []string{"incomingCall GONE+JAS+TOM 422", "incomingCall GONE 422", "incomingCall JAS 202", "incomingCall TOM 202"})
	r.want("the bad one", ends(all, "GONE", event.Incoming), []event.OutcomeType{event.Rejected})
	if letters := r.letters(); len(letters) != 1 || letters[0].NegotiatorID != "GONE" {
		t.Errorf("dead letters: %+v", letters)
	}
	if took := all[2].FinishedAt.Sub(all[0].ReceivedAt); took > 5*time.Second {
		t.Errorf("the others waited %s", took)
	}
	r.account()
}

func TestOnePersonWithTwoUsersIsToldOnce(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	s.Overrides = map[string]string{"id-softphone": "JAS"}
	r.deliver(s)
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	r.say(1, event.Incoming, "", "softphone")
	r.say(1, event.Answered, "softphone", "jane", "softphone")
	all := r.until(3)
	r.want("answered", ends(all, "JAS", event.Answered), []event.OutcomeType{event.Delivered})
	r.say(1, event.Ended, "softphone", "jane")
	r.say(1, event.Ended, "softphone", "softphone")
	r.until(5)
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "answeredCall 0001 JAS", "endedCall 0001 JAS"})
	r.account()
}

func TestOutboundCallsAreNobodysNotification(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	for i, kind := range []event.CallType{event.Outgoing, event.Connected, event.Ended} {
		r.emit(event.Call{
			CallID: call(1), OrganizationID: organization, Type: kind, Direction: event.Outbound, OccurredAt: time.Now().UTC(), Caller: "+447123456789",
			Audience: users("jane"), Sequence: i + 1, Coverage: event.Complete, Cause: event.Cause{EventID: "raw", EventType: "x"},
		})
	}
	r.say(2, event.Missed, "", "jane")
	r.until(1)
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0002"})
	r.account()
}

func TestARepeatedEventIsNoNewOne(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	c := r.say(1, event.Incoming, "", "jane")
	r.until(1)
	r.emit(c)
	r.say(1, event.Missed, "", "jane")
	r.until(2)
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "missedCall 0001"})
	r.account()
}

func TestRefusalsAreRejectedWithTheirErrors(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.fault(`{"match":{"callId":"` + call(1) + `"},"action":{"status":422,"text":"callerId is odd"}}`)
	r.fault(`{"match":{"callId":"` + call(2) + `"},"action":{"status":409}}`)
	r.say(1, event.Incoming, "", "jane")
	r.say(2, event.Missed, "", "tom")
	all := r.until(2)
	r.want("rejected", ends(all, "JAS", event.Incoming), []event.OutcomeType{event.Rejected})
	r.want("dead", ends(all, "TOM", event.Missed), []event.OutcomeType{event.Dead})
	letters := r.letters()
	slices.SortFunc(letters, func(a, b event.DeadLetter) int { return a.Status - b.Status })
	if len(letters) != 2 {
		t.Fatalf("%d dead letters", len(letters))
	}
	l := letters[1]
	if l.Reason != "rejected" || l.Status != 422 || len(l.Errors) != 1 || l.Errors[0].Message != "callerId is odd" || l.NegotiatorID != "JAS" || !json.Valid(l.Request) || len(l.Event) == 0 {
		t.Errorf("%+v", l)
	}
	r.account()
}

func TestAnUnreadableEventIsKeptAndPassed(t *testing.T) {
	r := newRig(t)
	r.publish("calllog.0.ev."+organization+".incoming."+call(9), []byte("no event"))
	// In base64 it is more than the server takes: its beginning is kept.
	r.publish("calllog.0.ev."+organization+".incoming."+call(8), bytes.Repeat([]byte("x"), 900<<10))
	r.deliver(r.settings())
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	l := r.letters()
	if len(l) != 2 || l[0].Reason != "unreadable" || string(l[0].Body) != "no event" || len(l[1].Body) != letterBytes {
		t.Errorf("%d letters", len(l))
	}
}

func TestShadowDoesEverythingButPost(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	s.Shadow = true
	d := r.deliver(s)
	r.say(1, event.Incoming, "", "jane", "tom")
	r.until(2)
	r.say(1, event.Answered, "tom", "jane", "tom")
	for _, o := range r.until(4) {
		if o.Outcome != event.Shadowed || o.Attempts != 0 {
			t.Errorf("%+v", o)
		}
	}
	if shown := r.shown(); len(shown) > 0 {
		t.Errorf("shown: %v", brief(shown, ""))
	}
	if page := r.page(d.probes + "/readyz"); !strings.Contains(page, "delivering in shadow") {
		t.Errorf("who looks at it is not told: %s", page)
	}
	r.logged(`"level":"WARN"`, "DELIVER_SHADOW")
}

func TestOneRefusedTokenIsReplacedAtOnce(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	r.control(http.MethodDelete, "tokens", "", nil)
	r.say(2, event.Incoming, "", "jane")
	all := r.until(2)
	r.want("outcomes", ends(all, "JAS", event.Incoming), []event.OutcomeType{event.Delivered, event.Delivered})
	if all[1].Attempts != 2 || all[1].LatencyMS > 3000 {
		t.Errorf("%+v", all[1])
	}
}

func TestStandbyTakesOverInOrder(t *testing.T) {
	r := newRig(t)
	first := r.deliver(r.settings())
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	s := r.settings()
	s.Instance = "two"
	second := r.deliver(s)
	bustest.Eventually(t, "standby", func() bool {
		return second.ready() && strings.Contains(r.page(second.probes+"/readyz"), `"standby"`)
	})
	first.stop()
	from := time.Now()
	r.say(1, event.Missed, "", "jane")
	r.until(2)
	if took := time.Since(from); took > 3*time.Second {
		t.Errorf("taken over after %s", took)
	}
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "missedCall 0001"})
	r.account()
}

// Whoever is stopped in order says what it has asked of Reapit in its last second, so
// that the next one need not wait until Reapit must have forgotten. One of several
// times is enough: a machine may be busy.
func TestAHandoverTakesNoSecond(t *testing.T) {
	r := newRig(t)
	var took []time.Duration
	working := r.deliver(r.settings())
	for n := 1; n <= 5; n++ {
		r.say(2*n, event.Incoming, "", "jane")
		r.until(2*n - 1)
		s := r.settings()
		s.Instance = "replica-" + strconv.Itoa(n)
		next := r.deliver(s)
		bustest.Eventually(t, "standby", func() bool {
			return next.ready() && strings.Contains(r.page(next.probes+"/readyz"), `"standby"`)
		})
		working.stop()
		said := r.say(2*n+1, event.Incoming, "", "tom")
		r.until(2 * n)
		all := r.shown()
		took = append(took, all[len(all)-1].Time.Sub(said.RecordedAt))
		working = next
	}
	if least := slices.Min(took); least > 700*time.Millisecond {
		t.Errorf("shown after %v", took)
	}
	r.account()
}

// Replicas that take over from each other while there is more to say than Reapit
// allows keep its limits together.
func TestTheBudgetIsKeptOverHandovers(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.control(http.MethodPost, "latency", `{"meanMs":80,"jitterMs":40}`, nil)
	s := r.settings()
	s.LeaseTTL = 3 * time.Second // a busy machine may not renew a shorter one in time
	working := r.deliver(s)
	n := r.traffic(1, 40, func(c int) {
		if c%10 != 0 {
			return
		}
		s.Instance = "replica-" + strconv.Itoa(c)
		next := r.deliver(s)
		bustest.Eventually(t, "standby", next.ready)
		working.stop()
		working = next
	})
	r.until(n)
	if st := r.stats(); len(st.Refused) > 0 {
		t.Errorf("%+v", st)
	}
	r.account()
}
