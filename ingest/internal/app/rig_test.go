package app

import (
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/ingest/internal/feed"
	"ringstream/ingest/internal/hub"
	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/program"
	"ringstream/schemas/topology"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// rig is a hub, a NATS server and replicas of ingest between them.
type rig struct {
	t    *testing.T
	sim  *rtesim.Sim
	nats *bustest.Server
	js   jetstream.JetStream
	jane string

	spools string
	log    *slog.Logger // of replicas; nil: the test's
	grace  time.Duration
}

func newRig(t *testing.T, change ...func(*rtesim.Settings)) *rig {
	t.Helper()
	settings := rtesim.Defaults()
	for _, f := range change {
		f(&settings)
	}
	sim, err := rtesim.Start(settings, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	nats := bustest.Run(t)
	r := &rig{t: t, sim: sim, nats: nats, js: nats.Provisioned(4), spools: t.TempDir(), grace: feed.Grace}
	for _, u := range rtesim.Agency().Users {
		if u.Name == "jane" {
			r.jane = u.ID
		}
	}
	return r
}

// quiet shows what the test did only if it failed.
func quiet(t *testing.T) *slog.Logger {
	if os.Getenv("TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func (r *rig) settings(instance string) Settings {
	return Settings{
		Common:       program.Common{HTTPAddr: "127.0.0.1:0", LogLevel: "info", LogFormat: "text", ShutdownTimeout: 20 * time.Second},
		Config:       r.nats.Config(4),
		DiscoveryURL: r.sim.URL() + "/api/user", Username: "demo@agency.example", SecretKey: "demo-secret", RTEUser: "me",
		Subscriptions: []string{"user:" + r.jane}, Instance: instance, SpoolDir: filepath.Join(r.spools, instance), SpoolMaxBytes: 1 << 30,
	}
}

// replica is one running ingest.
type replica struct {
	r       *rig
	address string
	stop    context.CancelFunc
	ended   chan error
	once    sync.Once
	err     error
}

func fast() hub.Limits {
	l := hub.DefaultLimits()
	l.FirstWait, l.LastWait, l.LongWait = 20*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	l.Retry, l.Poll = 200*time.Millisecond, 20*time.Millisecond
	return l
}

func (r *rig) start(s Settings, limits hub.Limits) *replica {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &replica{r: r, stop: cancel, ended: make(chan error, 1)}
	serving := make(chan string, 1)
	log := r.log
	if log == nil {
		log = quiet(r.t)
	}
	go func() { p.ended <- run(ctx, s, limits, r.grace, log, func(a string) { serving <- a }) }()
	select {
	case p.address = <-serving:
	case err := <-p.ended:
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = p.end() })
	return p
}

// end stops the replica and returns what Run returned.
func (p *replica) end() error {
	p.once.Do(func() {
		p.stop()
		p.err = <-p.ended
	})
	return p.err
}

func (p *replica) get(path string) (int, string) {
	p.r.t.Helper()
	response, err := http.Get("http://" + p.address + path)
	if err != nil {
		p.r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.r.t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return response.StatusCode, string(body)
}

func (p *replica) waitReady() {
	p.r.t.Helper()
	bustest.Eventually(p.r.t, "ready", func() bool { code, _ := p.get("/readyz"); return code == http.StatusOK })
}

// metric is the value of the sample that begins with name.
func (p *replica) metric(sample string) string {
	_, text := p.get("/metrics")
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func (r *rig) stored() []bus.Message {
	r.t.Helper()
	return bustest.Messages(r.t, r.js, topology.RTE, "rte.>")
}

func (r *rig) count() int {
	stream, err := r.js.Stream(r.t.Context(), topology.RTE)
	if err != nil {
		return -1
	}
	info, err := stream.Info(r.t.Context(), jetstream.WithSubjectFilter("rte.>"))
	if err != nil {
		return -1
	}
	n := uint64(0)
	for _, c := range info.State.Subjects {
		n += c
	}
	return int(n)
}

// waitStored waits until n messages are stored. Counting is work for the server,
// so it is not asked too often.
func (r *rig) waitStored(n int) {
	r.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(3 * time.Minute)
	for r.count() < n {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("%d of %d messages stored", r.count(), n)
		}
	}
}

// many is n, and a tenth of it where the race detector or others need the time.
func many(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// send sends n messages about jane, whose call ids take turns.
func (r *rig) send(n, calls int) {
	r.t.Helper()
	_, err := r.sim.Send(r.t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: n, Calls: calls})
	if err != nil {
		r.t.Fatal(err)
	}
}

// sameAsSent compares the stream with what the hub sent on all connections:
// once each, byte for byte, and in order what is of one call or user.
func (r *rig) sameAsSent(limit int) {
	r.t.Helper()
	sent := r.sim.Sent("", 0, limit).Entries
	stored := r.stored()
	if len(stored) != len(sent) {
		r.t.Fatalf("%d stored, %d sent", len(stored), len(sent))
	}
	at, last := map[[sha256.Size]byte]int{}, map[string]int{}
	for i, s := range sent {
		at[s.SHA256] = i + 1
	}
	for i, m := range stored {
		sum, key := sha256.Sum256(m.Data), m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
		if n := at[sum]; n <= last[key] {
			r.t.Fatalf("message %d was sent as number %d, behind number %d of its key: %s", i, n, last[key], m.Data)
		}
		last[key] = at[sum]
		delete(at, sum)
	}
}
