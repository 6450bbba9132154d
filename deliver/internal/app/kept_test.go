package app

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// bucket is that of the negotiators.
func (r *rig) bucket() jetstream.KeyValue {
	r.Helper()
	kv, err := r.js.KeyValue(r.Context(), topology.Negotiators)
	if err != nil {
		r.Fatal(err)
	}
	return kv
}

// revision is which message of the bucket a key is; 0: none.
func (r *rig) revision(key string) uint64 {
	r.Helper()
	entry, err := r.bucket().Get(r.Context(), key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0
	}
	if err != nil {
		r.Fatal(err)
	}
	return entry.Revision()
}

// remembered waits until a list is kept.
func (r *rig) remembered() {
	r.Helper()
	bustest.Eventually(r, "the negotiators in their bucket", func() bool { return r.revision(topology.NegotiatorList("SBOX")) > 0 })
}

// forget takes what is kept.
func (r *rig) forget() {
	r.Helper()
	r.remembered()
	if err := r.bucket().Purge(r.Context(), topology.NegotiatorList("SBOX")); err != nil {
		r.Fatal(err)
	}
}

// backdate makes the kept list older.
func (r *rig) backdate(by time.Duration) {
	r.Helper()
	entry, err := r.bucket().Get(r.Context(), topology.NegotiatorList("SBOX"))
	if err != nil {
		r.Fatal(err)
	}
	at := time.Now().Add(-by).UTC().Format(time.RFC3339)
	older := regexp.MustCompile(`"readAt":"[^"]*"`).ReplaceAll(entry.Value(), []byte(`"readAt":"`+at+`"`))
	if bytes.Equal(older, entry.Value()) {
		r.Fatalf("%s", older)
	}
	if _, err := r.bucket().Put(r.Context(), topology.NegotiatorList("SBOX"), older); err != nil {
		r.Fatal(err)
	}
}

// A start while Reapit does not list its negotiators shows the pop to whom an
// earlier one has known, and says so.
func TestARestartWithoutReapitsListDelivers(t *testing.T) {
	t.Parallel() // most of it is waiting
	for name, fault := range map[string]string{
		"negotiators are 500":  `{"match":{"path":"/negotiators"},"action":{"status":500}}`,
		"negotiators are gone": `{"match":{"path":"/negotiators"},"action":{"drop":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			killed := r.process("one")
			r.popped()
			r.remembered()
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = killed.Wait() // it was killed: an error is what is expected
			r.fault(fault)
			r.backdate(3 * time.Hour)
			d := r.deliver(r.settings())
			r.say(2, event.Incoming, "", "tom")
			bustest.Eventually(t, "the pop", func() bool { return len(brief(r.shown(), "TOM")) == 1 })
			d.answered(http.StatusOK, "30 active, read 3h0m", "ago by another replica or start; cannot be read since")
			if age := d.metric(`ringstream_deliver_directory_age_seconds{customer="SBOX"}`); age < 3*3600 || age > 3*3600+600 {
				t.Errorf("age %f", age)
			}
			r.logged("negotiators are those that were read last", `"age":"3h0m`)

			before := r.revision(topology.NegotiatorList("SBOX"))
			r.control(http.MethodDelete, "faults", "", nil)
			bustest.Eventually(t, "Reapit's list", func() bool { return d.metric(`ringstream_deliver_directory_age_seconds{customer="SBOX"}`) < 3600 })
			bustest.Eventually(t, "when it was read", func() bool { return r.revision(topology.NegotiatorMark("SBOX")) > 0 })
			if r.revision(topology.NegotiatorList("SBOX")) != before {
				t.Error("the same list is stored again")
			}
			if strings.Contains(r.page(d.probes+"/readyz"), "replica or start") {
				t.Error("Reapit's list is an earlier start's")
			}
		})
	}
}

// Without a token nothing goes out, but who is who is known when there is one again.
func TestARestartWithoutTokensKnowsWhoIsWho(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	r.remembered()
	r.fault(`{"match":{"path":"/oauth/token"},"action":{"status":503}}`)
	d := r.deliver(r.settings())
	d.answered(http.StatusOK, "30 active", "by another replica or start; cannot be read since")
	r.say(1, event.Incoming, "", "jane")
	r.merged()
	bustest.Eventually(t, "an attempt", func() bool { return r.lines("attempt did not succeed") > 0 })
	r.control(http.MethodDelete, "faults", "", nil)
	r.want("outcome", ends(r.until(1), "JAS", event.Incoming), []event.OutcomeType{event.Delivered})
}

func TestWithoutABucketItIsAsBefore(t *testing.T) {
	r := newRig(t)
	if err := r.js.DeleteKeyValue(t.Context(), topology.Negotiators); err != nil {
		t.Fatal(err)
	}
	s := r.settings()
	s.Provision = "verify"
	if results := Check(t.Context(), s); !has(results, "streams", false, "stream does not exist: bucket "+topology.Negotiators+"; a start with NATS_PROVISION=create makes it") {
		t.Errorf("%+v", results)
	}
	r.deliver(s)
	r.say(1, event.Missed, "", "jane")
	r.want("outcome", ends(r.until(1), "JAS", event.Missed), []event.OutcomeType{event.Delivered})
	bustest.Eventually(t, "a word", func() bool { return r.lines("negotiators are not kept", "NATS_PROVISION=create") == 1 })
}

// Whoever may neither read nor write the bucket delivers as without it.
func TestWithoutPermissionItIsAsBefore(t *testing.T) {
	t.Parallel() // most of it is waiting
	nats, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "all", Password: "all"}, {Username: "deliver", Password: "delivers", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{
				"$KV." + topology.Negotiators + ".>", "$JS.API.DIRECT.GET.KV_" + topology.Negotiators + ".>", "$JS.API.STREAM.INFO.KV_" + topology.Negotiators,
			}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(func() { nats.Shutdown(); nats.WaitForShutdown() })
	if !nats.ReadyForConnections(20 * time.Second) {
		t.Fatal("nats-server is not ready")
	}
	r := newRig(t)
	s := r.settings()
	s.URL, s.User, s.Password, s.Provision = nats.ClientURL(), "all", "all", bus.ProvisionVerify
	nc, err := bus.Dial(s.Config, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if r.js, err = bus.JetStream(nc); err != nil {
		t.Fatal(err)
	}
	if err := bus.Create(t.Context(), r.js, s.Layout()); err != nil {
		t.Fatal(err)
	}
	s.User, s.Password = "deliver", "delivers"
	r.deliver(s)
	r.say(1, event.Missed, "", "jane")
	r.want("outcome", ends(r.until(1), "JAS", event.Missed), []event.OutcomeType{event.Delivered})
	r.logged("negotiators are not kept", "is this user permitted to read and write bucket "+topology.Negotiators)
	r.logged("is known to this process only", "within 2s; is this user permitted to read and write bucket "+topology.Negotiators)
}

func reading(at time.Time, ids ...string) directory.Reading {
	r := directory.Reading{At: at}
	for _, id := range ids {
		r.Negotiators = append(r.Negotiators, reapit.Negotiator{ID: id, Email: strings.ToLower(id) + "@agency.example", Active: true})
	}
	return r
}

func TestOnlyWhatIsNewsIsWritten(t *testing.T) {
	r := newRig(t)
	s, at := shelf{r.js}, time.Now()
	if _, err := s.Recall(t.Context(), "SBOX"); !errors.Is(err, directory.ErrNothingKept) {
		t.Error(err)
	}
	for i, c := range []struct {
		reading    directory.Reading
		list, mark uint64 // the message that each is then
	}{
		{reading(at, "JAS", "TOM"), 1, 0},
		{reading(at, "JAS", "TOM"), 1, 0},
		{reading(at.Add(time.Hour), "TOM", "JAS"), 1, 2},
		{reading(at, "JAS", "TOM"), 1, 2}, // an older one
		{reading(at.Add(2*time.Hour), "JAS"), 3, 2},
		{reading(at.Add(3*time.Hour), "JAS"), 3, 4},
	} {
		if err := s.Keep(t.Context(), "SBOX", c.reading); err != nil {
			t.Fatal(err)
		}
		r.want("the list of "+strconv.Itoa(i), r.revision(topology.NegotiatorList("SBOX")), c.list)
		r.want("the mark of "+strconv.Itoa(i), r.revision(topology.NegotiatorMark("SBOX")), c.mark)
	}
	if kept, err := s.Recall(t.Context(), "SBOX"); err != nil || !kept.Same(reading(at, "JAS")) || !kept.At.Equal(at.Add(3*time.Hour)) {
		t.Errorf("%v, %v", kept, err)
	}
	if _, err := s.Recall(t.Context(), "RES"); !errors.Is(err, directory.ErrNothingKept) {
		t.Error(err)
	}
	if _, err := r.bucket().PutString(t.Context(), topology.NegotiatorList("SBOX"), `{"version":2}`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recall(t.Context(), "SBOX"); !errors.Is(err, directory.ErrNothingKept) || !strings.Contains(err.Error(), "of version 2") {
		t.Error(err)
	}
	if err := s.Keep(t.Context(), "SBOX", reading(at, "JAS")); err != nil || r.revision(topology.NegotiatorList("SBOX")) != 6 {
		t.Error("what is no use is not replaced", err)
	}
}

// Two that read the same at once write it once; two that read something else end
// in one of both.
func TestTwoReplicasDoNotFight(t *testing.T) {
	r := newRig(t)
	at := time.Now()
	both := func(one, two directory.Reading) {
		t.Helper()
		var writing sync.WaitGroup
		for _, list := range []directory.Reading{one, two} {
			writing.Go(func() {
				if err := (shelf{r.js}).Keep(context.Background(), "SBOX", list); err != nil {
					t.Error(err)
				}
			})
		}
		writing.Wait()
	}
	for i := range 20 {
		before := r.revision(topology.NegotiatorList("SBOX"))
		at = at.Add(time.Hour)
		both(reading(at, "JAS", strconv.Itoa(100+i)), reading(at, "JAS", strconv.Itoa(100+i)))
		r.want("writes", r.revision(topology.NegotiatorList("SBOX")), before+1)
	}
	both(reading(at, "JAS"), reading(at, "TOM"))
	kept, err := shelf{r.js}.Recall(t.Context(), "SBOX")
	if err != nil || !kept.Same(reading(at, "JAS")) && !kept.Same(reading(at, "TOM")) {
		t.Errorf("%v, %v", kept, err)
	}
}
