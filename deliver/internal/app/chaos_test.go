package app

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringstream/deliver/internal/reapitsim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// traffic says n whole calls with everybody in them, a step of each at a time
// and steps of several calls mixed, calls step between them, and returns how
// many outcomes all that was said makes.
func (r *rig) traffic(from, n int, step func(c int)) (outcomes int) {
	people := []string{"jane", "tom", "sara", "ali"}
	for c := from; c < from+n; c++ {
		audience := people[:1+c%len(people)]
		r.say(c, event.Incoming, "", audience...)
		if older := c - 2; older >= from {
			r.finish(older, people)
		}
		step(c)
	}
	for c := max(from, from+n-2); c < from+n; c++ {
		r.finish(c, people)
	}
	return r.owed()
}

// owed is how many outcomes all that was said makes.
func (r *rig) owed() (outcomes int) {
	for _, c := range r.sent {
		outcomes += len(c.Audience)
	}
	return outcomes
}

// abreast waits until deliver is at most a few outcomes behind.
func (r *rig) abreast() { r.until(r.owed() - 12) }

func (r *rig) finish(c int, people []string) {
	audience := people[:1+c%len(people)]
	if c%3 == 0 {
		r.say(c, event.Missed, "", audience...)
		return
	}
	r.say(c, event.Answered, audience[0], audience...)
	r.say(c, event.Ended, audience[0], audience...)
}

// process is deliver in a process of its own, ended with the test at the latest.
func (r *rig) process(instance string, settings ...string) *exec.Cmd {
	r.Helper()
	self, err := os.Executable()
	if err != nil {
		r.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Stdout, cmd.Stderr = r, r
	cmd.Env = append([]string{
		asDeliver + "=1", "NATS_URL=" + r.nats.URL(), "PARTITIONS=1", "HTTP_ADDR=127.0.0.1:0", "REAPIT_API_URL=" + r.reapit,
		"REAPIT_TOKEN_URL=" + r.reapit + "/oauth/token", "REAPIT_CLIENT_ID=demo", "REAPIT_CLIENT_SECRET=demo-secret", "REAPIT_CUSTOMER=SBOX",
		"LEASE_TTL=1s", "DELIVER_INSTANCE=" + instance,
	}, settings...)
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()
	})
	return cmd
}

// replica is one of several processes.
type replica struct {
	*exec.Cmd
	name string
}

func (r *rig) replica(name string) replica { return replica{r.process(name), name} }

// hurt does something to a replica while a pop is under way that Reapit shows,
// and ends the call before anybody can take over.
func (r *rig) hurt(victim replica, c int, how syscall.Signal) {
	r.Helper()
	r.fault(`{"match":{"callId":"` + call(c) + `","subType":"incomingCall"},"times":1,"action":{"delay":"1s","processed":true}}`)
	r.say(c, event.Incoming, "", "jane")
	bustest.Eventually(r, "a pop under way", func() bool { return slices.Contains(brief(r.shown(), "JAS"), fmt.Sprintf("incomingCall %04d", c)) })
	r.signal(victim.Cmd, how)
	r.say(c, event.Ended, "", "jane")
}

// closed checks that the screens know of the end of every call that was under
// way when somebody was hurt.
func (r *rig) closed(calls []int) {
	r.Helper()
	shown := brief(r.shown(), "JAS")
	for _, c := range calls {
		if !slices.Contains(shown, fmt.Sprintf("endedCall %04d", c)) {
			r.Errorf("call %d is on a screen still", c)
		}
	}
	if len(calls) == 0 {
		r.Error("nobody was hurt")
	}
}

func TestKilledAndStartedAgainEveryDeliveryEndsOnce(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	alive := r.replica("replica-0")
	var hurt []int
	n := r.traffic(1, 40, func(c int) {
		if c%8 == 0 {
			hurt = append(hurt, 1000+c)
			r.hurt(alive, 1000+c, syscall.SIGKILL)
			alive = r.replica("replica-" + strconv.Itoa(c))
		}
		r.abreast()
	})
	r.until(n)
	r.closed(hurt)
	r.accountAtLeastOnce()
}

// Of two replicas the one that works is killed or frozen by turns. Who thaws
// finds out, writes nothing and stands by.
func TestTwoReplicasThatFreezeAndDieDeliverOnce(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	working := r.replica("replica-0")
	r.logged(`"msg":"delivering"`, working.name)
	standby := r.replica("replica-1")
	var hurt []int
	n := r.traffic(1, 40, func(c int) {
		if c%6 == 0 {
			victim := working
			hurt = append(hurt, 1000+c)
			how := []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL}[len(hurt)%2]
			r.hurt(victim, 1000+c, how)
			r.until(r.owed()) // somebody has taken over
			working, standby = standby, victim
			if how == syscall.SIGKILL {
				standby = r.replica("replica-" + strconv.Itoa(c))
			} else {
				ended := r.lines(`"msg":"term ended`, victim.name)
				r.signal(victim.Cmd, syscall.SIGCONT)
				bustest.Eventually(r, "the zombie to notice", func() bool { return r.lines(`"msg":"term ended`, victim.name) > ended })
			}
		}
		r.abreast()
	})
	r.until(n)
	r.closed(hurt)
	r.accountAtLeastOnce()
}

// posting waits until so many notifications have reached Reapit.
func (r *rig) posting(n int) {
	r.Helper()
	bustest.Eventually(r, "a request under way", func() bool {
		var all struct{ Total int }
		r.control(http.MethodGet, "requests?path=/notifications/", "", &all)
		return all.Total >= n
	})
}

// accountAtLeastOnce allows the one repetition that a crash can make: the same
// notification again. It still has one outcome.
func (r *rig) accountAtLeastOnce() {
	r.Helper()
	r.account()
	twice, seen := 0, map[string]bool{}
	for _, n := range r.shown() {
		id := n.NegotiatorID + " " + strings.Join(brief([]reapitsim.Notification{n}, ""), "")
		if seen[id] {
			twice++
		}
		seen[id] = true
	}
	r.Logf("%d notifications, %d of them twice", len(seen), twice)
	for _, o := range r.outcomes() {
		sub := fmt.Sprintf("%s %s %s", o.NegotiatorID, o.SubType, o.CallID[len(o.CallID)-4:])
		if o.Outcome == event.Delivered && !slices.ContainsFunc(keys(seen), func(s string) bool { return strings.HasPrefix(s, sub) }) {
			r.Errorf("%s is recorded as delivered and was not", sub)
		}
	}
}

func keys(m map[string]bool) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	return all
}

func TestTheBudgetIsKeptUnderLoad(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.control(http.MethodPost, "latency", `{"meanMs":80,"jitterMs":40}`, nil)
	r.deliver(r.settings())
	n := r.traffic(1, 30, func(int) {})
	r.until(n)
	s := r.stats()
	if s.MaxInFlight > 5 || s.MaxPerSecond > 20 || len(s.Refused) > 0 {
		t.Errorf("%+v", s)
	}
	r.account()
}

func TestStormsOfLimitsAndFailuresPass(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.deliver(r.settings())
	r.fault(`{"match":{"path":"/notifications"},"skip":2,"times":6,"action":{"status":429}}`)
	r.fault(`{"match":{"path":"/notifications"},"times":4,"action":{"status":500}}`)
	r.fault(`{"match":{"path":"/notifications"},"times":3,"action":{"drop":true}}`)
	r.fault(`{"match":{"path":"/notifications"},"times":2,"action":{"status":503,"retryAfter":{"after":"1s","as":"date"}}}`)
	for c := 1; c <= 6; c++ {
		r.say(c, event.Incoming, "", "jane", "tom")
	}
	for _, o := range r.until(12) {
		if o.Outcome != event.Delivered {
			t.Errorf("%+v", o)
		}
	}
	r.account()
}

func TestAHangingRequestHoldsBackNobodyElse(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	s.DeadlineIncoming = 6 * time.Second // and so a request gets 2 s
	r.deliver(s)
	r.fault(`{"match":{"negotiatorId":"JAS","subType":"missedCall"},"action":{"hang":true}}`)
	r.say(1, event.Missed, "", "jane")
	r.posting(1)
	r.say(2, event.Incoming, "", "jane")
	all := r.until(1)
	r.want("shown", brief(r.shown(), "JAS"), []string{"incomingCall 0002"})
	if all[0].LatencyMS > 1000 {
		t.Errorf("%+v", all[0])
	}
	r.control(http.MethodDelete, "faults", "", nil)
}

func TestAParkedCustomerIsProbedAndComesBack(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	d := r.deliver(r.settings())
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	r.control(http.MethodPost, "knobs", `{"missingScopes":["notifications.telephony.write"]}`, nil)
	r.say(2, event.Missed, "", "jane", "tom")
	bustest.Eventually(t, "parked", func() bool {
		return strings.Contains(r.page(d.probes+"/metrics"), `ringstream_deliver_parked{cause="scope",customer="SBOX"} 1`)
	})
	d.answered(http.StatusServiceUnavailable, "Reapit refuses SBOX since", "HTTP 403", "have notifications.telephony.write granted")
	before := r.stats().Requests
	r.control(http.MethodDelete, "knobs", "", nil)
	all := r.until(3) // who is not ready goes on trying
	d.answered(http.StatusOK, "accepted the last request")
	r.want("missed", ends(all, "TOM", event.Missed), []event.OutcomeType{event.Delivered})
	if made := r.stats().Requests - before; made > 3 {
		t.Errorf("%d requests to bring two deliveries", made)
	}
	r.account()
}

func TestNATSGoesAwayAndComesBack(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	d := r.deliver(r.settings())
	r.say(1, event.Incoming, "", "jane", "tom")
	r.until(2)
	r.nats.Stop()
	bustest.Eventually(t, "not ready", func() bool { return !d.ready() })
	r.nats.Start()
	r.say(1, event.Answered, "tom", "jane", "tom")
	r.until(4)
	r.say(1, event.Ended, "tom", "jane", "tom")
	r.until(6)
	r.want("JAS", brief(r.shown(), "JAS"), []string{"incomingCall 0001", "answeredCall 0001 TOM", "endedCall 0001 TOM"})
	r.account()
}

func TestCallEventsThatAreMergedAnewAreKnown(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	d := r.deliver(r.settings())
	r.say(1, event.Incoming, "", "jane", "tom")
	r.until(2)
	r.say(2, event.Missed, "", "jane")
	r.until(3)
	d.stop()
	if err := r.js.DeleteStream(t.Context(), topology.Calls); err != nil {
		t.Fatal(err)
	}
	r.js = r.nats.Provisioned(1)
	r.say(1, event.Answered, "tom", "jane", "tom")
	r.merged()
	r.deliver(r.settings())
	r.until(5)
	r.want("JAS", brief(r.shown(), "JAS"), []string{"incomingCall 0001", "missedCall 0002", "answeredCall 0001 TOM"})
	r.account()
}

func TestTheEndWaitsForRequestsUnderWay(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	d := r.deliver(r.settings())
	r.fault(`{"match":{"path":"/notifications"},"times":1,"action":{"status":202,"delay":"1s","processed":true}}`)
	r.say(1, event.Missed, "", "jane")
	r.posting(1)
	d.stop()
	r.want("outcome", ends(r.outcomes(), "JAS", event.Missed), []event.OutcomeType{event.Delivered})
	r.deliver(r.settings())
	r.say(2, event.Missed, "", "jane")
	r.until(2)
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0001", "missedCall 0002"})
}

// A request that hangs when deliver is to end is waited for, and nobody else waits
// with it.
func TestTheEndHoldsNobodyUp(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	s := r.settings()
	s.LeaseTTL = 3 * time.Second // a busy machine may not renew a shorter one in time
	first := r.deliver(s)
	r.say(3, event.Missed, "", "sara")
	r.until(1) // it is this one that delivers
	s.Instance = "two"
	bustest.Eventually(t, "standby", r.deliver(s).ready)
	const hangs = 6 * time.Second
	r.fault(`{"match":{"path":"/notifications"},"times":1,"action":{"status":202,"delay":"` + hangs.String() + `","processed":true}}`)
	hung := r.say(1, event.Missed, "", "jane")
	r.posting(2)
	first.ask()
	r.say(2, event.Incoming, "", "tom")
	r.posting(3)
	if took := time.Since(hung.RecordedAt); took > hangs-time.Second {
		t.Errorf("a call was shown %v after another's request began to hang", took)
	}
	first.stop()
	r.say(2, event.Missed, "", "tom")
	r.until(4)
	r.want("shown", brief(r.shown(), ""), []string{"missedCall 0003", "missedCall 0001", "incomingCall 0002", "missedCall 0002"})
	r.account()
}

func TestTheProgramEndsCleanlyAndKeepsItsSecret(t *testing.T) {
	r := newRig(t)
	cmd := r.process("one")
	r.say(1, event.Missed, "", "jane", "nobody")
	r.until(2)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range []string{"demo-secret", "7123456789", "Bearer"} {
		if strings.Contains(r.said.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}
