package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
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
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/fold"
)

// asReplica makes this test binary the service.
const asReplica = "RINGSTREAM_TEST_REPLICA"

func TestMain(m *testing.M) {
	if os.Getenv(asReplica) != "" {
		os.Exit(Program().Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	bustest.Main(m)
}

// office is a server and replicas of the service, each a process of its own.
type office struct {
	*testing.T
	nats     *bustest.Server
	js       jetstream.JetStream
	leases   jetstream.KeyValue
	replicas []*process
}

const partitions = 4

func newOffice(t *testing.T, names ...string) *office {
	o := &office{T: t, nats: bustest.Run(t)}
	o.js = o.nats.Provisioned(partitions)
	var err error
	if o.leases, err = o.js.KeyValue(t.Context(), topology.Leases); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		p := &process{office: o, name: name}
		o.replicas = append(o.replicas, p)
		p.start()
	}
	if len(names) > 0 {
		o.settled()
	}
	return o
}

// process is one replica, started again after every end.
type process struct {
	*office
	name string
	cmd  *exec.Cmd

	mu   sync.Mutex
	told []said
	read sync.WaitGroup
}

// said is what the tests want of a log line.
type said struct {
	Level     string `json:"level"`
	Msg       string `json:"msg"`
	Error     string `json:"error"`
	Partition int    `json:"partition"`
	EventID   string `json:"event_id"`
}

func (p *process) start(env ...string) {
	p.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), asReplica+"=1", "NATS_URL="+p.nats.URL(), "HTTP_ADDR=127.0.0.1:0", "TRANSFORM_INSTANCE="+p.name,
		"LEASE_TTL="+leaseTTL.String(), "PARTITIONS="+strconv.Itoa(partitions))
	p.cmd.Env = append(p.cmd.Env, env...)
	out, err := p.cmd.StdoutPipe()
	p.cmd.Stderr = p.cmd.Stdout
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.Fatal(err)
	}
	p.read.Go(func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var s said
			if json.Unmarshal(lines.Bytes(), &s) != nil {
				s = said{Level: "ERROR", Msg: lines.Text()}
			}
			p.mu.Lock()
			p.told = append(p.told, s)
			p.mu.Unlock()
		}
	})
	running := p.cmd
	p.Cleanup(func() {
		_ = running.Process.Kill()
		_ = running.Wait()
	})
}

// end signals the process and waits until it is gone.
func (p *process) end(how syscall.Signal) {
	p.Helper()
	p.signal(how)
	p.read.Wait()
	_ = p.cmd.Wait()
}

func (p *process) signal(how syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(how); err != nil {
		p.Fatal(err)
	}
}

// says lists what the process told from some line on.
func (p *process) says(from int) []said {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told[from:])
}

// refuses starts the process and waits until it gives up, with exit code 1 and an
// error that says all the words.
func (p *process) refuses(words []string, env ...string) {
	p.Helper()
	since := p.lines()
	p.start(env...)
	defer time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() }).Stop()
	p.read.Wait()
	_ = p.cmd.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		p.Errorf("exit code %d", code)
	}
	for _, s := range p.says(since) {
		if s.Level == "ERROR" && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s.Msg, w) }) {
			return
		}
	}
	p.Errorf("%q is not told in %+v", words, p.says(since))
}

func (p *process) lines() int { return len(p.says(0)) }

// holds lists the partitions whose leases are the process's.
func (p *process) holds() (mine []int) {
	for n := range partitions {
		if strings.HasPrefix(p.holder(n), p.name+".") {
			mine = append(mine, n)
		}
	}
	return mine
}

func (o *office) holder(partition int) string {
	return o.lease(Name + "." + lease(partition))
}

func (o *office) lease(key string) string {
	entry, err := o.leases.Get(o.Context(), key)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(string(entry.Value()), " ")
	return name
}

// members lists the replicas that are alive by their leases.
func (o *office) members() (names []string) {
	keys, err := o.leases.Keys(o.Context())
	if err != nil {
		return nil
	}
	for _, key := range keys {
		if strings.HasPrefix(key, Name+".member.") {
			names = append(names, o.lease(key))
		}
	}
	slices.Sort(names)
	return names
}

// settled waits until every replica is a member, and every partition is held by
// the one that rendezvous hashing gives it.
func (o *office) settled() {
	o.Helper()
	bustest.Eventually(o, "partitions with their owners", func() bool {
		members := o.members()
		for p := range partitions {
			if o.holder(p) == "" || o.holder(p) != bus.Owner(strconv.Itoa(p), members) {
				return false
			}
		}
		return len(members) == len(o.replicas)
	})
}

// traffic publishes raw events of new calls to every partition in turn until
// the returned function is called.
func (o *office) traffic(every time.Duration) (stop func()) {
	done := make(chan struct{})
	var going sync.WaitGroup
	js := o.nats.JetStream("ingest")
	going.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-tick.C:
				if _, err := js.PublishMsg(o.Context(), rings(n%partitions, fmt.Sprintf("%08d-0000-4000-8000-%012d", n, n))); err != nil {
					o.Error(err)
					return
				}
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		going.Wait()
	})
}

// rings is the raw event of a call that begins to ring.
func rings(partition int, id string) *nats.Msg {
	raw := event.Raw{ID: "raw-" + id, EventType: allocated, UserID: "user-1", CallID: id, OrganizationID: organization}
	body := `{"data":{"id":"` + raw.ID + `","eventType":"` + allocated + `","entityType":"User","userId":"user-1","callId":"` + id +
		`","organizationId":"` + organization + `","callerNumber":"+442071234567","targetNumber":"+442079876543","direction":"In"}}`
	return &nats.Msg{
		Subject: topology.Raw(partition, organization, allocated, id),
		Header:  event.EncodeRaw(raw, "hub", id, time.Now(), ""), Data: []byte(body),
	}
}

// firstOf waits for the first call event of a partition that a process appended
// since it told some line, and returns when it was stored.
func (p *process) firstOf(partition, since int) time.Time {
	p.Helper()
	var id string
	bustest.Eventually(p, fmt.Sprintf("%s to append to partition %d", p.name, partition), func() bool {
		for _, s := range p.says(since) {
			if s.Msg == "call event" && s.Partition == partition {
				id, _, _ = strings.Cut(s.EventID, "/")
				return true
			}
		}
		return false
	})
	log, err := p.js.Stream(p.Context(), topology.CallLog(partition))
	if err != nil {
		p.Fatal(err)
	}
	var m *jetstream.RawStreamMsg
	bustest.Eventually(p, "the event to be stored", func() bool {
		m, err = log.GetLastMsgForSubject(p.Context(), topology.CallEvent(partition, organization, "incoming", id))
		return err == nil
	})
	return m.Time
}

// compare waits until the logs hold what RTE comes to, and fails if they hold
// anything else.
func (o *office) compare() {
	o.Helper()
	for p := range partitions {
		var want [][]byte
		f := fold.New(call.DefaultLimits())
		for _, m := range bustest.Messages(o, o.js, topology.RTE, topology.RawOf(p), topology.FeedAll) {
			in, err := fold.Decode(m)
			if err != nil {
				o.Fatal(err)
			}
			for _, out := range f.Step(in).Outputs {
				_, body, err := fold.Encode(out)
				if err != nil {
					o.Fatal(err)
				}
				want = append(want, body)
			}
		}
		var got []bus.Message
		bustest.Eventually(o, "the whole log", func() bool {
			got = bustest.Messages(o, o.js, topology.CallLog(p), topology.CallLogPrefix(p)+".ev.>")
			return len(got) >= len(want)
		})
		if len(got) != len(want) || len(want) == 0 {
			o.Fatalf("partition %d: %d call events, want %d", p, len(got), len(want))
		}
		for i, m := range got {
			if !bytes.Equal(m.Data, want[i]) {
				o.Fatalf("partition %d: call event %d is\n%s\nwant\n%s", p, i, m.Data, want[i])
			}
		}
	}
}
