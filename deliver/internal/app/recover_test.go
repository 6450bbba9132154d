package app

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// hanging makes Reapit show the next pop and leave its answer open.
const hanging = `{"match":{"path":"/notifications","subType":"incomingCall"},"times":1,"action":{"delay":"20s","processed":true}}`

// popped has a pop on the screen whose request is still under way.
func (r *rig) popped() {
	r.Helper()
	r.fault(hanging)
	r.say(1, event.Incoming, "", "jane")
	bustest.Eventually(r, "the pop", func() bool { return len(r.shown()) == 1 })
	r.control("DELETE", "faults", "", nil)
}

func TestAPopUnderWayAtAKillIsClosed(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	killed := r.process("one")
	r.popped()
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed: an error is what is expected
	r.say(1, event.Ended, "", "jane")
	r.merged()
	r.deliver(r.settings())
	all := r.until(2)
	r.want("ended", ends(all, "JAS", event.Ended), []event.OutcomeType{event.Delivered})
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "endedCall 0001"})
	r.account()
}

func TestAPopUnderWayAtAKillIsClosedBySomebodyElsesAnswer(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	killed := r.process("one")
	r.popped()
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed: an error is what is expected
	r.say(1, event.Answered, "tom", "jane")
	r.merged()
	r.deliver(r.settings())
	r.until(2)
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "answeredCall 0001 TOM"})
	r.account()
}

func TestAPopBrokenOffAfterTheDrainIsClosed(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	s := r.settings()
	s.ShutdownTimeout = 2 * time.Second
	d := r.deliver(s)
	r.popped()
	d.stop()
	r.say(1, event.Ended, "", "jane")
	r.merged()
	r.deliver(r.settings())
	all := r.until(2)
	r.want("ended", ends(all, "JAS", event.Ended), []event.OutcomeType{event.Delivered})
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "endedCall 0001"})
	r.account()
}

// Who stopped in order had sent nothing of what came after: nothing is to be
// closed.
func TestACallBetweenAStopAndAStartIsNotClosed(t *testing.T) {
	r := newRig(t)
	d := r.deliver(r.settings())
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	d.stop()
	r.say(2, event.Incoming, "", "jane")
	r.say(2, event.Ended, "", "jane")
	r.merged()
	r.deliver(r.settings())
	all := r.until(3)
	r.want("ended", ends(all, "JAS", event.Ended), []event.OutcomeType{event.Superseded})
	r.account()
}

// Who stopped in order before it had caught up knows nothing of what the one
// before it, which was killed, may have sent: it is still in doubt.
func TestAPopUnderWayAtAKillIsClosedByTheNextButOne(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	killed := r.process("one")
	r.popped()
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed: an error is what is expected
	r.say(1, event.Ended, "", "jane")
	r.merged()
	ctx, cancel := context.WithCancel(t.Context())
	asked := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("msg=delivering")) {
			cancel()
		}
		return r.Write(p)
	}), nil))
	if err := run(ctx, r.settings(), asked, func(string) {}); err != nil {
		t.Fatal(err)
	}
	r.deliver(r.settings())
	all := r.until(2)
	r.want("ended", ends(all, "JAS", event.Ended), []event.OutcomeType{event.Delivered})
	r.want("shown", brief(r.shown(), ""), []string{"incomingCall 0001", "endedCall 0001"})
	r.account()
}

// Who takes over shows nothing that has ended while it was catching up.
func TestWhatEndsDuringACatchUpIsNotShown(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	r.say(1, event.Incoming, "", "jane")
	r.say(2, event.Incoming, "", "stranger") // the last one that is there
	r.merged()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := sync.OnceFunc(func() {
		for n := range 600 { // more than is taken in at a time
			r.emit(event.Call{CallID: call(100 + n), OrganizationID: r.organization, Type: event.Held, Direction: event.Inbound, Sequence: 1, Audience: users("jane")})
		}
		r.say(1, event.Ended, "", "jane")
		r.merged()
	})
	log := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("user is no negotiator")) {
			ends()
		}
		return r.Write(p)
	}), nil))
	done := make(chan error, 1)
	go func() { done <- run(ctx, r.settings(), log, func(string) {}) }()
	r.until(3)
	r.want("shown", len(r.shown()), 0)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.account()
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// begin makes a first start, so that the log has a beginning: an hour ago.
func (r *rig) begin() {
	r.Helper()
	s := r.settings()
	s.DeadlineIncoming = time.Hour
	d := r.deliver(s)
	bustest.Eventually(r, "the beginning of the log", func() bool {
		return len(bustest.Messages(r, r.js, topology.Deliveries, topology.DeliveryLogPrefix+".>")) > 0
	})
	d.stop()
}

const beginsHere = "the log of outcomes begins here"

func TestAFirstStartSendsNothingOfYesterday(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.sayAt(time.Now().Add(-time.Hour), 1, event.Missed, "", "jane")
	r.merged()
	d := r.deliver(r.settings())
	r.say(2, event.Missed, "", "jane")
	r.until(1)
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0002"})
	d.stop()
	r.logged(beginsHere)
	// The beginning is kept: what occurred before it stays passed over.
	r.sayAt(time.Now().Add(-time.Hour), 3, event.Missed, "", "jane")
	r.say(4, event.Missed, "", "jane")
	r.merged()
	r.deliver(r.settings())
	r.until(2)
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0002", "missedCall 0004"})
}

func TestALostLogRepeatsNothing(t *testing.T) {
	t.Parallel() // most of it is waiting
	losses := map[string]func(*rig){
		"made anew": func(r *rig) {
			if err := r.js.DeleteStream(r.Context(), topology.Deliveries); err != nil {
				r.Fatal(err)
			}
			r.js = r.nats.Provisioned(1)
		},
		"emptied": func(r *rig) { r.purge() },
		"cut off": func(r *rig) {
			r.purge(jetstream.WithPurgeSubject(topology.DeliveryLogPrefix + ".>"))
			r.purge(jetstream.WithPurgeKeep(1))
		},
	}
	for how, lose := range losses {
		t.Run(how, func(t *testing.T) {
			r := newRig(t)
			d := r.deliver(r.settings())
			r.say(1, event.Missed, "", "jane")
			r.say(2, event.Incoming, "", "tom")
			r.until(2)
			d.stop()
			lose(r)
			s := r.settings()
			s.DeadlineIncoming = time.Millisecond // and so a second start looks back for no longer
			s.Instance = "two"
			r.deliver(s)
			r.logged(beginsHere, `"instance":"two"`)
			r.say(2, event.Ended, "", "tom")
			bustest.Eventually(r, "the end of what is on a screen", func() bool { return len(r.shown()) >= 3 })
			r.say(3, event.Missed, "", "jane")
			bustest.Eventually(r, "the next missed call", func() bool { return len(r.shown()) >= 4 })
			r.want("JAS", brief(r.shown(), "JAS"), []string{"missedCall 0001", "missedCall 0003"})
			r.want("TOM", brief(r.shown(), "TOM"), []string{"incomingCall 0002", "endedCall 0002"})
		})
	}
}

func (r *rig) purge(how ...jetstream.StreamPurgeOpt) {
	r.Helper()
	s, err := r.js.Stream(r.Context(), topology.Deliveries)
	if err == nil {
		err = s.Purge(r.Context(), how...)
	}
	if err != nil {
		r.Fatal(err)
	}
}

// Who thaws after its lease has ended sends nothing of what waited for its
// turn, not even once: calls are over that it believes to ring.
func TestWhoWasFrozenSendsNothingThatWaited(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	frozen := r.process("one", "REAPIT_RATE=1")
	for c := 1; c <= 4; c++ {
		r.say(c, event.Incoming, "", "jane")
	}
	r.posting(1)
	r.signal(frozen, syscall.SIGSTOP)
	for c := 1; c <= 4; c++ {
		r.say(c, event.Missed, "", "jane")
	}
	s := r.settings()
	s.Instance = "two"
	r.deliver(s)
	r.until(8)
	r.signal(frozen, syscall.SIGCONT)
	r.logged("term ended", `"instance":"one"`) // and with it every attempt
	pops := slices.DeleteFunc(brief(r.shown(), ""), func(line string) bool { return !strings.HasPrefix(line, "incomingCall") })
	if len(pops) != 1 {
		t.Errorf("shown: %v", pops)
	}
	r.account()
}

// Who could not hear for a while, but kept its lease, takes in all that has happened
// before it sends anything: what rang meanwhile and is over is shown to nobody.
func TestWhoWasDeafListensBeforeItTells(t *testing.T) {
	t.Parallel() // most of it is waiting
	const calls, last = 100, 101
	r := newRig(t)
	deaf := r.process("one", "LEASE_TTL=10s", "REAPIT_RATE=1000", "REAPIT_CONCURRENCY=30")
	r.say(0, event.Missed, "", "jane")
	r.until(1)
	r.signal(deaf, syscall.SIGSTOP)
	pause(t.Context(), 200*time.Millisecond) // until all of its threads stand still
	for _, kind := range []event.CallType{event.Incoming, event.Missed} {
		for c := 1; c <= calls; c++ {
			r.say(c, kind, "", "jane")
		}
	}
	r.say(last, event.Incoming, "", "jane")
	pause(t.Context(), 3*time.Second) // from here on all of it is late
	r.signal(deaf, syscall.SIGCONT)
	r.until(2 + 2*calls)
	pops := slices.DeleteFunc(brief(r.shown(), ""), func(line string) bool { return !strings.HasPrefix(line, "incomingCall") })
	r.want("shown as ringing", pops, []string{"incomingCall 0101"})
	r.account()
}

func (r *rig) signal(cmd *exec.Cmd, s syscall.Signal) {
	r.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		r.Fatal(err)
	}
}

// What somebody else wrote into the log is passed over.
func TestForeignMessageInTheLogOfOutcomes(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	d := r.deliver(r.settings())
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	d.stop()
	for _, body := range []string{"by hand", `{"eventId":"x"}`} {
		r.publish(topology.Delivery("SBOX", "JAS", "delivered", "by-hand"), []byte(body))
	}
	r.deliver(r.settings())
	r.say(2, event.Missed, "", "jane")
	bustest.Eventually(t, "both pops", func() bool { return len(r.shown()) == 2 })
	r.logged("somebody else has written into the log of outcomes")
}

// A replica whose terms fail one after the other is not ready, and goes on when
// what it needs is back.
func TestLogThatIsTakenAwayIsNotReady(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	d := r.deliver(r.settings())
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	if err := r.js.DeleteStream(t.Context(), topology.Deliveries); err != nil {
		t.Fatal(err)
	}
	r.say(2, event.Missed, "", "jane")
	bustest.Eventually(t, "not ready", func() bool {
		return strings.Contains(r.page(d.probes+"/readyz"), `"name":"log","ok":false,"detail":"delivering: the term ended`)
	})
	r.js = r.nats.Provisioned(1)
	r.say(3, event.Missed, "", "jane")
	bustest.Eventually(t, "the pop", func() bool { return len(r.shown()) >= 2 })
	bustest.Eventually(t, "ready", func() bool {
		return strings.Contains(r.page(d.probes+"/readyz"), `"name":"log","ok":true,"detail":"all done"`)
	})
}

// Somebody else's message ends a term, but what Reapit has answered meanwhile,
// or is about to, is known to the next one: no pop comes twice.
func TestForeignMessageRepeatsNothingThatIsUnderWay(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	d := r.deliver(r.settings())
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	r.fault(strings.Replace(hanging, "20s", "2s", 1))
	r.say(2, event.Incoming, "", "jane")
	bustest.Eventually(t, "the pop", func() bool { return len(r.shown()) == 2 })
	header := nats.Header{bus.HeaderIn: {"99999999"}, bus.HeaderIdx: {"0"}}
	if _, err := r.js.PublishMsg(t.Context(), &nats.Msg{Subject: topology.Delivery("SBOX", "JAS", "delivered", "by-hand"), Header: header, Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	r.say(3, event.Incoming, "", "tom") // its outcome finds the place taken
	r.logged("somebody else has written into the log of outcomes")
	r.say(2, event.Ended, "", "jane")
	bustest.Eventually(t, "the end", func() bool { return slices.Contains(brief(r.shown(), "JAS"), "endedCall 0002") })
	d.stop()
	r.want("JAS", brief(r.shown(), "JAS"), []string{"missedCall 0001", "incomingCall 0002", "endedCall 0002"})
	r.want("TOM", brief(r.shown(), "TOM"), []string{"incomingCall 0003"})
	want := map[string]int{}
	for _, o := range r.outcomes() {
		if o.EventID != "" {
			want[o.EventID]++
		}
		if o.EventID != "" && (o.Outcome != event.Delivered || o.Attempts != 1) {
			t.Errorf("%+v", o)
		}
	}
	if len(want) != 4 {
		t.Error(want)
	}
}
