package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

const refusing = `{"match":{"path":"/notifications"},"times":%,"action":{"status":400,"text":"callerId is odd"}}`

// refuse lets Reapit find so many notifications invalid.
func (r *rig) refuse(times string) { r.Helper(); r.fault(strings.Replace(refusing, "%", times, 1)) }

// deadletters runs the command as an operator does who has not the CRM's secrets.
func (r *rig) deadletters(args ...string) (string, error) {
	r.Helper()
	var out bytes.Buffer
	err := DeadLetters(r.Context(), Settings{Config: r.nats.Config(1)}, args, &out, slog.New(slog.DiscardHandler))
	return out.String(), err
}

// redriven reads what the command printed with -o json.
func (r *rig) redriven(args ...string) (all []redriving, err error) {
	r.Helper()
	text, err := r.deadletters(append([]string{"redrive", "-o", "json"}, args...)...)
	for line := range strings.Lines(text) {
		var x redriving
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			r.Fatalf("%v: %s", err, line)
		}
		all = append(all, x)
	}
	return all, err
}

// stored is how much of anything there is in the log of outcomes.
func (r *rig) stored() uint64 {
	r.Helper()
	s, err := r.js.Stream(r.Context(), topology.Deliveries)
	if err != nil {
		r.Fatal(err)
	}
	return s.CachedInfo().State.LastSeq
}

func TestARedriveDeliversOnceUnderTheSameIDs(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.deliver(r.settings())
	r.refuse("1")
	c := r.say(1, event.Missed, "", "jane")
	r.until(1)
	before := r.stored()
	text, err := r.deadletters("redrive", "1")
	if err != nil || !strings.Contains(text, "a dry run: nothing was done; --yes does it to 1 of 1") {
		t.Fatalf("%v\n%s", err, text)
	}
	if all, err := r.redriven("--call", c.CallID); err != nil || len(all) != 1 || all[0].Then != thenSend {
		t.Errorf("%v %+v", err, all)
	}
	if after := r.stored(); after != before || len(r.shown()) > 0 {
		t.Errorf("a dry run wrote %d messages and showed %v", after-before, r.shown())
	}
	all, err := r.redriven("1", "--yes")
	if err != nil || len(all) != 1 || all[0].Then != "delivered" || all[0].EventID != c.EventID() {
		t.Fatalf("%v %+v", err, all)
	}
	r.want("shown", brief(r.shown(), "JAS"), []string{"missedCall 0001"})
	r.want("outcomes", ends(r.outcomes(), "JAS", event.Missed), []event.OutcomeType{event.Rejected, event.Delivered})
	o := r.outcomes()
	if o[1].EventID != o[0].EventID || o[1].CallID != o[0].CallID || o[1].Users[0] != o[0].Users[0] || !o[1].ReceivedAt.Equal(o[0].ReceivedAt) ||
		o[0].Redrive != 0 || o[1].Redrive != 1 || o[1].ID() != c.EventID()+"/JAS/redrive/1" {
		t.Errorf("%+v\n%+v", o[0], o[1])
	}
	r.account()
	if again, err := r.redriven("1", "--yes"); !errors.Is(err, errNotAll) || again[0].Then != thenRefused || !strings.Contains(again[0].Reason, "delivered") {
		t.Errorf("%v %+v", err, again)
	}
	if text, err := r.deadletters("list", "-o", "json"); err != nil || !strings.Contains(text, `"now":"delivered","redrives":1`) || strings.Contains(text, "7123456789") {
		t.Errorf("%v\n%s", err, text)
	}
	r.want("shown", len(r.shown()), 1)
}

func TestARedriveThatIsRefusedAgainIsTriedAgain(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.refuse("2")
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	if all, err := r.redriven("1", "--yes"); !errors.Is(err, errNotAll) || all[0].Then != "rejected" {
		t.Fatalf("%v %+v", err, all)
	}
	if letters := r.letters(); len(letters) != 2 || letters[0].EventID != letters[1].EventID {
		t.Errorf("%+v", letters)
	}
	all, err := r.redriven("--negotiator", "JAS", "--yes") // of two dead letters the newest
	if err != nil || len(all) != 1 || all[0].Number != 2 || all[0].Redrive != 2 || all[0].Then != "delivered" {
		t.Fatalf("%v %+v", err, all)
	}
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0001"})
	r.account()
}

// What deliver has taken on outlives it, and a request that is made again is the
// same.
func TestARedriveOutlivesAKill(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	killed := r.process("one")
	r.refuse("1")
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	r.fault(`{"match":{"path":"/notifications"},"action":{"status":503}}`)
	for range 2 {
		if all, err := r.redriven("1", "--yes", "--wait", "0s"); !errors.Is(err, errNotAll) || all[0].Then != thenTaken {
			t.Fatalf("%v %+v", err, all)
		}
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed: an error is what is expected
	r.control("DELETE", "faults", "", nil)
	if _, err := r.redriven("1", "--yes"); !errors.Is(err, errNobody) {
		t.Errorf("nobody delivers: %v", err)
	}
	r.deliver(r.settings())
	all := r.until(2)
	r.want("outcomes", ends(all, "JAS", event.Missed), []event.OutcomeType{event.Rejected, event.Delivered})
	r.want("redrive", all[1].Redrive, 1)
	r.say(2, event.Missed, "", "jane") // and nothing comes behind it
	r.until(3)
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0001", "missedCall 0002"})
	r.account()
}

func TestNoPopOfACallThatIsOver(t *testing.T) {
	r := newRig(t)
	d := r.deliver(r.settings())
	r.refuse("1")
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	r.say(1, event.Ended, "", "jane")
	r.until(2)
	if all, err := r.redriven("1", "--yes"); !errors.Is(err, errNotAll) || all[0].Then != thenRefused || !strings.Contains(all[0].Reason, "later event") {
		t.Errorf("%v %+v", err, all)
	}
	d.stop()
	if slices.Contains(brief(r.shown(), ""), "incomingCall 0001") { // an end that nobody needs does no harm
		t.Error("a call that is over pops")
	}
	r.want("outcomes", len(r.outcomes()), 2)
}

func TestAPopOfACallThatStillRings(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.refuse("1")
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	if all, err := r.redriven("1", "--yes"); err != nil || all[0].Then != "delivered" {
		t.Fatalf("%v %+v", err, all)
	}
	r.say(1, event.Ended, "", "jane")
	r.until(3)
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "endedCall 0001"})
	r.account()
}

func TestDeadLettersAreSelected(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.refuse("2")
	c := r.say(1, event.Missed, "", "jane", "tom")
	r.until(2)
	r.publish(topology.CallEvent(0, organization, string(event.Missed), call(2)), []byte("no event"))
	bustest.Eventually(t, "three dead letters", func() bool { return len(r.letters()) == 3 })
	for args, want := range map[string]int{
		"": 3, "--reason rejected": 2, "--reason unreadable": 1, "--negotiator jas": 1, "--call " + c.CallID: 2, "--since 1h": 3, "--until 1h": 0,
		"--since 2h --until 1h": 0, "--negotiator JAS --reason unreadable": 0, "--since 2020-01-01 -o text": 3,
	} {
		text, err := r.deadletters(append([]string{"list"}, strings.Fields(args)...)...)
		if lines := strings.Count(text, "\n") - 1; err != nil || lines != want {
			t.Errorf("%s: %d, want %d: %v\n%s", args, lines, want, err, text)
		}
	}
	if _, err := r.deadletters("redrive", "--call", "nobody"); !errors.Is(err, errNone) {
		t.Error(err)
	}
	all, err := r.redriven("--since", "1h", "--yes")
	if !errors.Is(err, errNotAll) || len(all) != 3 || count(all, "delivered") != 2 || count(all, thenRefused) != 1 {
		t.Errorf("%v %+v", err, all)
	}
	r.want("shown", len(r.shown()), 2)
}

// Nothing is done for a request that makes no sense.
func TestAnUnreadableRequestIsRefused(t *testing.T) {
	r := newRig(t)
	r.deliver(r.settings())
	r.refuse("1")
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	for request, want := range map[string]string{
		"{": errRequest.Error(), `{"letters":[{"number":99,"redrive":1}]}`: "read dead letter 99", `{"letters":[{"number":1,"redrive":2}]}`: "",
	} {
		m, err := r.js.Conn().Request(topology.Redrive, []byte(request), redrivePatience)
		if err != nil {
			t.Fatal(err)
		}
		var a redriveAnswer
		if err := json.Unmarshal(m.Data, &a); err != nil || !strings.Contains(a.Trouble, want) || want == "" && (a.Trouble != "" || a.Refused[0] == "") {
			t.Errorf("%s: %s, %v", request, m.Data, err)
		}
	}
	r.want("shown", len(r.shown()), 0)
	r.want("outcomes", len(r.outcomes()), 1)
}
