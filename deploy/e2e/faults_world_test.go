//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/coverage"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// asNATS makes the test binary a NATS server with this store, so that it can be
// killed; with routes it is a node of a cluster.
const (
	asNATS     = "E2E_IS_NATS_WITH_STORE"
	natsPort   = "E2E_NATS_PORT"
	natsRoutes = "E2E_NATS_ROUTES"
	natsRoute  = "E2E_NATS_ROUTE" // the port of its own
	natsTrust  = "E2E_NATS_TRUST" // directory of the certificate; empty: no users, no TLS
	syncAlways = "E2E_NATS_SYNC_ALWAYS"
	natsHeld   = "E2E_NATS_WITHHELD" // a subject that transform may not publish to
	system     = "system"            // user and password of the cluster's operator
)

func serveNATS(dir string) {
	port, _ := strconv.Atoi(os.Getenv(natsPort))
	// An ack must mean that a killed server still has the message: by default it
	// does not always (in one run a kill took 266 that were acknowledged).
	options := &server.Options{SyncAlways: os.Getenv(syncAlways) != "", Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, MaxControlLine: 4096}
	if routes := os.Getenv(natsRoutes); routes != "" {
		operators := server.NewAccount(server.DEFAULT_SYSTEM_ACCOUNT)
		options.Accounts, options.SystemAccount = []*server.Account{operators}, operators.Name
		options.Users = []*server.User{{Username: system, Password: system, Account: operators}}
		options.ServerName, options.Routes = filepath.Base(dir), server.RoutesFromStr(routes)
		options.Cluster.Name, options.Cluster.Host = "e2e", "127.0.0.1"
		options.Cluster.NoAdvertise = true // whoever is told a way to the cluster takes that and no other
		options.Cluster.Port, _ = strconv.Atoi(os.Getenv(natsRoute))
	}
	if dir := os.Getenv(natsTrust); dir != "" {
		must(protect(options, bustest.TrustIn(dir)))
		withhold(options.Users, os.Getenv(natsHeld))
	}
	ns, err := server.NewServer(options)
	if err != nil {
		panic(err)
	}
	ns.ConfigureLogger()
	ns.Start()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		ns.Shutdown()
	}()
	ns.WaitForShutdown()
}

// world is what the fault run is about, each a process of its own.
type world struct {
	t        testing.TB
	guarded  bool
	synced   bool   // NATS acknowledges what is on the disk
	withheld string // a subject that NATS does not let transform publish to, though it should
	dir      string
	nats     *program
	urls     string // of a cluster of NATS servers, where there is one
	sim      *program
	ingests  []*program
	random   *rand.Rand
	hurts    map[string]int
	healed   time.Time
}

// newWorld has no ingest yet.
func newWorld(t testing.TB, hub ...string) *world {
	t.Helper()
	w := newBus(t)
	w.provision(w.as(string(topology.Provisioner)))
	w.startHub(hub...)
	return w
}

func (w *world) startHub(hub ...string) {
	w.t.Helper()
	w.sim = w.program("rte-sim", binaries+"/rte-sim", "", append([]string{fmt.Sprintf("RTE_SIM_ADDR=127.0.0.1:%d", freePort(w.t))}, hub...)...)
	w.sim.url = "http://" + strings.TrimPrefix(w.sim.env[0], "RTE_SIM_ADDR=")
	w.sim.start()
	w.eventually(time.Minute, "the hub", func() bool { return w.ask(w.sim.url+"/control/directory", nil) == nil })
}

// emptyWorld has no process yet.
func emptyWorld(t testing.TB) *world {
	_, bench := t.(*testing.B)
	w := &world{t: t, guarded: !bench, dir: t.TempDir(), hurts: map[string]int{}}
	t.Cleanup(func() {
		if w.guarded && w.withheld == "" {
			allowed(t, w.dir)
		}
		if t.Failed() {
			w.keepLogs()
		}
	})
	return w
}

// newBus has NATS and nothing else.
func newBus(t testing.TB) *world {
	t.Helper()
	w := emptyWorld(t)
	w.startBus()
	return w
}

// store is where NATS keeps its data.
func (w *world) store() string { return filepath.Join(w.dir, "js") }

func (w *world) startBus() {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	port, synced := freePort(w.t), ""
	if w.synced {
		synced = "true"
	}
	w.nats = w.program("nats", self, w.natsURL(port), asNATS+"="+w.store(), fmt.Sprintf("%s=%d", natsPort, port), syncAlways+"="+synced, w.guard())
	w.nats.start()
}

func (w *world) natsURL(port int) string {
	if w.guarded {
		return fmt.Sprintf("tls://127.0.0.1:%d", port)
	}
	return fmt.Sprintf("nats://127.0.0.1:%d", port)
}

// guard is the setting that makes a server let in only whom it knows.
func (w *world) guard() string {
	if w.guarded {
		return natsTrust + "=" + filepath.Dir(trust().Cert)
	}
	return natsTrust + "="
}

// as is how a user reaches NATS.
func (w *world) as(user string) bus.Config {
	cfg := bus.Config{}
	if w.guarded {
		cfg = as(user)
	}
	if w.nats != nil {
		cfg.URL = w.nats.url
	}
	cfg.Provision, cfg.Partitions, cfg.Replicas = bus.ProvisionVerify, topology.DefaultPartitions, 1
	if w.urls != "" {
		cfg.URL, cfg.Replicas = w.urls, certifyNodes
	}
	return cfg
}

// provision makes the streams, as the user does who alone may.
func (w *world) provision(cfg bus.Config) {
	w.t.Helper()
	nc, err := bus.Connect(w.t.Context(), cfg, string(topology.Provisioner), slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err == nil {
		cfg.Provision = bus.ProvisionCreate
		err = bus.Prepare(w.t.Context(), js, cfg, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// users are the ids of the hub's users.
func (w *world) users() (ids []string) {
	w.t.Helper()
	var directory struct{ Users []struct{ ID string } }
	w.get(w.sim.url+"/control/directory", &directory)
	for _, u := range directory.Users {
		ids = append(ids, u.ID)
	}
	return ids
}

// ingest starts a replica that listens to every user.
func (w *world) ingest(name string) *program {
	w.t.Helper()
	p := w.listener(name, "RTE_SUBSCRIPTIONS=user:"+strings.Join(w.users(), ",user:"))
	p.start()
	w.ingests = append(w.ingests, p)
	w.eventually(time.Minute, name, p.ready)
	return p
}

// listener is a replica of ingest that is not started yet.
func (w *world) listener(name string, settings ...string) *program {
	w.t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(w.t))
	return w.program(name, binaries+"/ingest", "http://"+addr, slices.Concat(stack.Settings(w.as("ingest")), []string{
		"HTTP_ADDR=" + addr, "RTE_INSTANCE=" + name, "SPOOL_DIR=" + filepath.Join(w.dir, "spool", name),
		"ENREACH_DISCOVERY_URL=" + w.sim.url + "/api/user", "ENREACH_USERNAME=demo@agency.example", "ENREACH_SECRET_KEY=demo-secret",
		"LOG_FORMAT=text",
	}, settings)...)
}

// freePort is free for now; the processes keep theirs over restarts.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // "tcp" gives one
}

func (w *world) eventually(patience time.Duration, what string, condition func() bool) {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

var errStatus = fmt.Errorf("not OK")

// ask gets a page; into may be nil.
func (w *world) ask(url string, into io.Writer) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errStatus, response.Status)
	}
	if into == nil {
		return nil
	}
	_, err = io.Copy(into, response.Body)
	return err
}

func (w *world) get(url string, into any) {
	w.t.Helper()
	var body bytes.Buffer
	err := w.ask(url, &body)
	if err == nil {
		err = json.Unmarshal(body.Bytes(), into)
	}
	if err != nil {
		w.t.Errorf("%s: %v", url, err)
	}
}

func (w *world) post(url string, body any) { w.exchange(url, body, nil) }

func (w *world) exchange(url string, body, into any) {
	b, err := json.Marshal(body)
	if err == nil {
		var response *http.Response
		if response, err = http.Post(url, "application/json", bytes.NewReader(b)); err == nil {
			answer, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				err = fmt.Errorf("%w: %s %s", errStatus, response.Status, answer)
			} else if into != nil {
				err = json.Unmarshal(answer, into)
			}
		}
	}
	if err != nil {
		w.t.Errorf("%s %s: %v", url, b, err)
	}
}

// attendance is one entry of the hub's book of who was subscribed.
type attendance struct {
	Time       time.Time `json:"time"`
	Connection string    `json:"connection"`
	What       string    `json:"what"`
	Items      int       `json:"items"`
}

func (w *world) attendances() (all []attendance) {
	w.t.Helper()
	w.get(w.sim.url+"/control/attendances", &all)
	return all
}

// sentEntry is one message that the hub gave to one connection.
type sentEntry struct {
	Connection string    `json:"connection"`
	ID         string    `json:"id"`
	SHA256     string    `json:"sha256"` // of what it was given, in hexadecimal
	Time       time.Time `json:"time"`
	Uncertain  bool      `json:"uncertain"`
}

func (w *world) ledger() (all []sentEntry) {
	w.t.Helper()
	for {
		var page struct {
			Total, Dropped int
			Entries        []sentEntry
		}
		w.get(fmt.Sprintf("%s/control/sent?limit=100000&offset=%d", w.sim.url, len(all)), &page)
		all = append(all, page.Entries...)
		if page.Dropped > 0 {
			w.t.Fatalf("the hub has forgotten %d messages", page.Dropped)
		}
		if len(page.Entries) == 0 {
			return all
		}
	}
}

func (w *world) read(filter string, take func(bus.Message)) {
	w.t.Helper()
	nc, err := bus.Dial(w.as(tester), tester)
	if err != nil {
		w.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		err = bus.ReadAll(w.t.Context(), js, "RTE", []string{filter}, 0, func(m bus.Message) error {
			take(m)
			return nil
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// keepLogs shows where to look after a failure.
func (w *world) keepLogs() {
	dir, err := os.MkdirTemp("", "ringstream-faults-")
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(w.dir))
	}
	w.t.Logf("logs and streams are in %s (%v)", dir, err)
}

// uncovered are the spans in which, by the coverage events, somebody was not listened
// to, and these.
func (w *world) uncovered(whole span) (spans []span, feed []event.Feed) {
	w.t.Helper()
	var ledger coverage.Ledger
	w.read("feed.>", func(m bus.Message) {
		var f event.Feed
		if err := json.Unmarshal(m.Data, &f); err != nil {
			w.t.Errorf("feed event %d: %v", m.Seq, err)
		}
		ledger.Take(f)
		feed = append(feed, f)
	})
	for _, gap := range ledger.Gaps(coverage.Window{From: whole.from, Until: whole.until}) {
		spans = append(spans, span{gap.From, gap.Until})
	}
	return union(whole, spans), feed
}
