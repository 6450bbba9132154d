package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/reapitsim"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// abandoned has Reapit go on with what nobody waits for any more.
func (r *rig) abandoned() {
	r.Helper()
	r.control(http.MethodPost, "knobs", `{"deserted":"goesOn"}`, nil)
}

// everybody rings on so many calls.
func (r *rig) everybody(from, calls int) {
	r.Helper()
	for c := from; c < from+calls; c++ {
		r.say(c, event.Incoming, "", "jane", "tom", "sara", "ali")
	}
}

// standingBy starts another one.
func (r *rig) standingBy(s Settings, name string) *running {
	r.Helper()
	s.Instance = name
	d := r.deliver(s)
	bustest.Eventually(r, "standby", func() bool {
		return d.ready() && strings.Contains(r.page(d.probes+"/readyz"), `"standby"`)
	})
	return d
}

func (r *rig) flying(n int) {
	r.Helper()
	bustest.Eventually(r, "requests under way", func() bool { return r.stats().InFlight == n })
}

// within checks what Reapit had under way at a time.
func (r *rig) within(most int) {
	r.Helper()
	if st := r.stats(); st.MaxInFlight > most || len(st.Refused) > 0 {
		r.Errorf("%+v", st)
	}
}

// readings are the requests for negotiators.
func (r *rig) readings() []reapitsim.Request {
	r.Helper()
	var all struct{ Requests []reapitsim.Request }
	r.control(http.MethodGet, "requests?path=/negotiators/", "", &all)
	return all.Requests
}

// Who is stopped while it reads the negotiators tells so: the reading has a slot for
// as long as Reapit may be at it, whoever waits for it.
func TestAReadingAtTheEndIsHandedOver(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	r.remembered()
	r.abandoned()
	s := r.settings()
	s.LeaseTTL = 3 * time.Second // a busy machine may not renew a shorter one in time
	r.fault(`{"match":{"path":"/negotiators"},"times":2,"action":{"delay":"25s"}}`)
	r.fault(`{"match":{"path":"/notifications"},"action":{"delay":"500ms"}}`)
	first := r.deliver(s)
	r.flying(1)
	r.standingBy(s, "two")
	first.stop()
	r.everybody(1, 2)
	r.until(8)
	r.within(5)
	if got := r.stats().InFlight; got == 0 {
		t.Error("the readings were over before anything was shown")
	}
	r.account()
}

// A reading that is soon over is waited for.
func TestAReadingAtTheEndIsWaitedFor(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	r.remembered()
	r.fault(`{"match":{"path":"/negotiators"},"times":1,"action":{"delay":"700ms"}}`)
	s := r.settings()
	s.LeaseTTL = 3 * time.Second
	d := r.deliver(s)
	r.flying(1)
	d.stop()
	var last reapitsim.Request
	bustest.Eventually(r, "an end of the reading, which is told after its answer", func() bool {
		all := r.readings()
		last = all[len(all)-1]
		return last.Done
	})
	if last.Status != http.StatusOK {
		t.Errorf("%+v", last)
	}
}

// What is broken off at the end of the drain has its slots for as long as Reapit may
// be at it.
func TestWhatIsBrokenOffIsHandedOver(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.abandoned()
	s := r.settings()
	s.LeaseTTL, s.ShutdownTimeout = 3*time.Second, 2*time.Second
	first := r.deliver(s)
	r.say(9, event.Missed, "", "jane")
	r.until(1) // it is this one that delivers
	r.standingBy(s, "two")
	r.fault(`{"match":{"path":"/notifications"},"times":3,"action":{"delay":"20s","processed":true}}`)
	r.fault(`{"match":{"path":"/notifications"},"action":{"delay":"500ms"}}`)
	r.say(10, event.Missed, "", "jane", "tom", "sara")
	r.flying(3)
	first.stop()
	r.everybody(1, 2)
	r.until(9)
	r.within(5)
	if got := r.stats().InFlight; got < 3 {
		t.Error("what was broken off was over before anything was shown")
	}
}

// Nobody can tell what a killed one has under way. There is one request too many at
// most, and each that Reapit takes shows that there is room for one more.
func TestWhoWasKilledIsReckonedWith(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.abandoned()
	killed := r.process("one", "LEASE_TTL=3s") // a busy machine may not renew a shorter one in time
	r.say(9, event.Missed, "", "jane")
	r.until(1)
	s := r.settings()
	s.LeaseTTL = 3 * time.Second
	r.standingBy(s, "two")
	r.fault(`{"match":{"path":"/notifications"},"times":4,"action":{"delay":"25s","processed":true}}`)
	r.fault(`{"match":{"path":"/notifications"},"action":{"delay":"300ms"}}`)
	r.say(10, event.Incoming, "", "jane", "tom", "sara", "ali")
	r.flying(4)
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed: an error is what is expected
	from := time.Now()
	r.everybody(1, 2)
	r.until(9)
	tried := 2 + int(time.Since(from)/stillFull)
	if st := r.stats(); st.MaxInFlight > 6 || st.Refused["concurrency"] > tried || st.InFlight < 4 {
		t.Errorf("%+v", st)
	}
}

// Where nothing can be kept, a standby knows nobody, and does not ask beside the one
// that delivers; when it takes over it reads first.
func TestAStandbyAsksNothing(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	if err := r.js.DeleteKeyValue(t.Context(), topology.Negotiators); err != nil {
		t.Fatal(err)
	}
	s := r.settings()
	s.Provision, s.LeaseTTL = "verify", 10*time.Second // nobody else gets it, however busy the machine is
	first := r.deliver(s)
	r.say(1, event.Missed, "", "jane")
	r.until(1)
	s.Instance = "two"
	second := r.deliver(s)
	bustest.Eventually(t, "nothing kept", func() bool { return r.lines("negotiators", "NATS_PROVISION=create", `"instance":"two"`) > 0 })
	r.say(1, event.Incoming, "", "tom")
	r.until(2)
	before := time.Now()
	first.stop()
	r.say(2, event.Missed, "", "jane")
	r.until(3)
	bustest.Eventually(t, "readiness", second.ready)
	all := r.readings()
	for _, q := range all[1:] {
		if q.Time.Before(before) {
			t.Errorf("a reading at %v, before %v", q.Time, before)
		}
	}
}
