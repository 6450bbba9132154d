package bus_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

var quiet = slog.New(slog.DiscardHandler)

func TestCreatedStreamsVerify(t *testing.T) {
	s := bustest.Run(t)
	js := s.JetStream("provisioner")
	cfg := s.Config(4)
	verify := cfg
	verify.Provision = bus.ProvisionVerify
	if err := bus.Prepare(t.Context(), js, verify, quiet); !errors.Is(err, bus.ErrMissing) || !strings.Contains(err.Error(), "CALL_LOG_3") {
		t.Fatalf("nothing there: %v", err)
	}
	for range 2 {
		if err := bus.Prepare(t.Context(), js, cfg, quiet); err != nil {
			t.Fatal(err)
		}
	}
	if err := bus.Prepare(t.Context(), js, verify, quiet); err != nil {
		t.Fatal(err)
	}
	other := verify
	other.Partitions = 8
	if err := bus.Prepare(t.Context(), js, other, quiet, topology.RTE); !errors.Is(err, bus.ErrDiffers) || !strings.Contains(err.Error(), "PARTITIONS") {
		t.Fatalf("other partitions: %v", err)
	}
}

func TestVerifyNamesEveryDifference(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	stream, err := js.Stream(t.Context(), topology.Deliveries)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.Subjects = append(cfg.Subjects, "intruder")
	cfg.MaxAge = time.Hour
	cfg.Duplicates = time.Minute
	cfg.Description = "an operator may say what he likes"
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	err = bus.Verify(t.Context(), js, topology.Layout{Partitions: 1, Replicas: 1})
	for _, want := range []string{"DELIVERIES has subjects", "intruder", "max age 1h0m0s, expected 720h0m0s", "duplicate window"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if err := bus.Verify(t.Context(), js, topology.Layout{Partitions: 1}, topology.RTE, topology.Calls); err != nil {
		t.Errorf("a stream that was not asked for: %v", err)
	}
}

func TestCallsMergesTheLogs(t *testing.T) {
	const org, call = "29f6e823-b484-e611-80c9-00505689257e", "c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	s := bustest.Run(t)
	js := s.Provisioned(2)
	live, err := js.Conn().SubscribeSync("calls.>")
	if err != nil {
		t.Fatal(err)
	}
	for p := range 2 {
		if _, err := js.Publish(t.Context(), topology.CallEvent(p, org, "incoming", call), []byte("event")); err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), topology.CallLogPrefix(p)+".snap", []byte("snapshot")); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Eventually(t, "both call events in CALLS", func() bool {
		info, err := js.Stream(t.Context(), topology.Calls)
		return err == nil && info.CachedInfo().State.Msgs == 2
	})
	for range 2 {
		if m, err := live.NextMsg(10 * time.Second); err != nil || string(m.Data) != "event" {
			t.Fatalf("a plain subscriber hears %v %v", m, err)
		}
	}
	for _, m := range bustest.Messages(t, js, topology.Calls) {
		if m.Subject != "calls."+org+".incoming."+call {
			t.Errorf("subject %s", m.Subject)
		}
	}
}

// The server computes the same partition from the key, so a mapping on the
// server and ours may be mixed.
func TestPartitionAgreesWithTheServer(t *testing.T) {
	const n = 8
	s := bustest.Run(t)
	js := s.JetStream("test")
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "P", Subjects: []string{"in.*"},
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: "in.*", Destination: "out.{{partition(8,1)}}.{{wildcard(1)}}"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if _, err := js.PublishAsync("in."+topology.KeyToken(strings.Repeat("k", i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	for _, m := range bustest.Messages(t, js, "P") {
		part, key, _ := strings.Cut(strings.TrimPrefix(m.Subject, "out."), ".")
		if want := topology.Partition(key, n); part != string(rune('0'+want)) {
			t.Fatalf("%s: the server says %s, we say %d", key, part, want)
		}
	}
}

func TestServerWithoutJetStreamIsNamed(t *testing.T) {
	s := bustest.RunWithoutJetStream(t)
	err := bus.Verify(t.Context(), s.JetStream("test"), topology.Layout{Partitions: 1})
	if !errors.Is(err, bus.ErrNoJetStream) {
		t.Fatalf("got %v", err)
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	good := bus.Config{URL: "nats://127.0.0.1:4222,demo.example", Provision: bus.ProvisionVerify, Replicas: 1, Partitions: 4, Duplicates: time.Hour}
	if bad := good.Invalid(); len(bad) > 0 {
		t.Fatalf("good settings: %v", bad)
	}
	for name, change := range map[string]func(*bus.Config){
		"NATS_URL":        func(c *bus.Config) { c.URL = "foo:bar:baz" },
		"NATS_CREDS":      func(c *bus.Config) { c.Creds = "/nowhere/user.creds" },
		"NATS_CA":         func(c *bus.Config) { c.CA = "/nowhere/ca.pem" },
		"NATS_CERT":       func(c *bus.Config) { c.Key = "key.pem" },
		"NATS_PROVISION":  func(c *bus.Config) { c.Provision = "maybe" },
		"STREAM_REPLICAS": func(c *bus.Config) { c.Replicas = 2 },
		"PARTITIONS":      func(c *bus.Config) { c.Partitions = 0 },

		"DUPLICATE_WINDOW": func(c *bus.Config) { c.Duplicates = time.Minute },
	} {
		c := good
		change(&c)
		if bad := c.Invalid(); len(bad) != 1 || bad[name] == "" {
			t.Errorf("%s: %v", name, bad)
		}
	}
	secret := bus.Config{URL: "http://user:hunter2@host:1", Provision: bus.ProvisionVerify, Replicas: 1, Partitions: 1}
	if bad := secret.Invalid()["NATS_URL"]; bad == "" || strings.Contains(bad, "hunter2") {
		t.Errorf("a password is told: %s", bad)
	}
}

// What would break the fence or the leases is a difference too.
func TestVerifyGuardsLogsAndLeases(t *testing.T) {
	s := bustest.Run(t)
	js := s.JetStream("operator")
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: topology.Leases}); err != nil {
		t.Fatal(err)
	}
	s.Provisioned(1)
	stream, err := js.Stream(t.Context(), topology.CallLog(0))
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.AllowDirect, cfg.MaxMsgsPerSubject = true, 1
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	err = bus.Verify(t.Context(), js, topology.Layout{Partitions: 1, Replicas: 1})
	for _, want := range []string{"direct gets", "limit a subject", "lets no key expire"} {
		if !errors.Is(err, bus.ErrDiffers) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if err := leases(t, s, "a").Hold(t.Context(), "deliver", "a", time.Second, nil); err == nil {
		t.Error("a lease that can never be had is waited for")
	}
}

func TestReadAllOfAnEmptiedStream(t *testing.T) {
	js := bustest.Run(t).JetStream("test")
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "s", nil); err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := bustest.Messages(t, js, "S"); len(got) != 0 {
		t.Fatalf("%d messages", len(got))
	}
}

func TestReadersLeaveNothingBehind(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	for range 20 {
		if _, err := js.Publish(t.Context(), topology.Feed("a", "heartbeat"), nil); err != nil {
			t.Fatal(err)
		}
		bustest.Messages(t, js, topology.RTE)
	}
	stream, err := js.Stream(t.Context(), topology.RTE)
	if err != nil || stream.CachedInfo().State.Consumers != 0 {
		t.Fatalf("%d consumers are left (%v)", stream.CachedInfo().State.Consumers, err)
	}
}

func TestReadAllStopsAtTheEnd(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(1)
	if got := bustest.Messages(t, js, topology.RTE); len(got) != 0 {
		t.Fatalf("read %d from an empty stream", len(got))
	}
	for i := range 10 {
		if _, err := js.Publish(t.Context(), topology.Feed("a", "heartbeat"), nil); err != nil {
			t.Fatal(err)
		}
		if i == 4 {
			if _, err := js.Publish(t.Context(), topology.Raw(0, "", "X", "none"), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := bustest.Messages(t, js, topology.RTE, topology.RawOf(0)); len(got) != 1 || got[0].Seq != 6 {
		t.Fatalf("filtered read: %v", got)
	}
	if got := bustest.Messages(t, js, topology.RTE, topology.FeedAll); len(got) != 10 {
		t.Fatalf("filtered read: %d", len(got))
	}
}

// Streams are made that fit what there is, or none at all.
func TestCreateAddsNothingThatDoesNotFit(t *testing.T) {
	s := bustest.Run(t)
	js := s.Provisioned(2)
	create := func(partitions int) error {
		return bus.Create(t.Context(), js, topology.Layout{Partitions: partitions, Replicas: 1})
	}
	if err := create(3); !errors.Is(err, bus.ErrDiffers) || !strings.Contains(err.Error(), "RTE was created for 2 partitions") {
		t.Errorf("another number of partitions: %v", err)
	}
	if _, err := js.Stream(t.Context(), topology.CallLog(2)); err == nil {
		t.Error("a log was added")
	}
	remove := func(name string) {
		t.Helper()
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	remove(topology.CallLog(1))
	if err := create(2); err != nil {
		t.Errorf("a log, while CALLS has had no event: %v", err)
	}
	if _, err := js.Publish(t.Context(), topology.CallEvent(1, "o", "incoming", "c"), nil); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the event in CALLS", func() bool { return len(bustest.Messages(t, js, topology.Calls)) == 1 })
	remove(topology.CallLog(1))
	if err := create(2); !errors.Is(err, bus.ErrMissing) || !strings.Contains(err.Error(), "delete CALLS first") {
		t.Errorf("a log, while CALLS has its events: %v", err)
	}
	if remove(topology.Calls); create(2) != nil {
		t.Error("with CALLS gone as well it is not made")
	}
}

// What is to outlive a restart must not vanish by itself.
func TestVerifyGuardsTheBucketThatLasts(t *testing.T) {
	for want, cfg := range map[string]jetstream.KeyValueConfig{
		"forgets everything after 1h0m0s": {TTL: time.Hour},
		"has storage Memory":              {Storage: jetstream.MemoryStorage},
		"":                                {History: 5, Description: "an operator may say what he likes"},
	} {
		s := bustest.Run(t)
		js := s.JetStream("operator")
		cfg.Bucket = topology.Negotiators
		if _, err := js.CreateKeyValue(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		s.Provisioned(1)
		err := bus.Verify(t.Context(), js, topology.Layout{Partitions: 1, Replicas: 1})
		if want == "" && err != nil || want != "" && (!errors.Is(err, bus.ErrDiffers) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
