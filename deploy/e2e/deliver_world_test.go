//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// desk is a world with two replicas of deliver and reapit-sim, each a process of
// its own, into which the test says the call events itself.
type desk struct {
	*world
	js      jetstream.JetStream
	reapit  *program
	address string // of Reapit, as deliver is told; not reapit-sim's where something stands between
	desks   []*program
	offices []office
	faults  map[int]ailment
	promised

	mu    sync.Mutex
	count int // outcomes so far
	late  time.Duration
}

const deskPartitions = 4

// newDesk has everything but the replicas.
func newDesk(t testing.TB, p promised, offices ...office) *desk {
	t.Helper()
	return newDeskIn(newBus(t), p, offices...)
}

// newDeskIn is one where there is NATS.
func newDeskIn(w *world, p promised, offices ...office) *desk {
	t := w.t
	t.Helper()
	d := &desk{world: w, offices: offices, faults: map[int]ailment{}, promised: p}
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	var customers []string
	for _, o := range offices {
		customers = append(customers, o.customer)
	}
	d.reapit = d.program("reapit-sim", filepath.Join(binaries, "reapit-sim"), "http://"+addr,
		"REAPIT_SIM_ADDR="+addr, "REAPIT_SIM_CUSTOMERS="+strings.Join(customers, ","), "REAPIT_SIM_NEGOTIATORS="+d.book())
	d.reapit.start()
	d.address = d.reapit.url
	d.eventually(time.Minute, "reapit-sim", func() bool { return d.ask(d.reapit.url+"/control/stats", nil) == nil })
	d.connect()
	return d
}

// book writes down who is a negotiator.
func (d *desk) book() string {
	d.t.Helper()
	var text strings.Builder
	for _, o := range d.offices {
		fmt.Fprintf(&text, "%q:\n", o.customer)
		for i, u := range o.staff {
			fmt.Fprintf(&text, "  - {id: %s, name: %s, officeId: OXF, email: %s, active: true}\n", negotiatorName(i), negotiatorName(i), u.UserName)
		}
	}
	file := filepath.Join(d.dir, "negotiators.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return file
}

// connect makes the streams and counts the outcomes that come.
func (d *desk) connect() {
	d.t.Helper()
	d.provision(d.as(string(topology.Provisioner)))
	js, err := bus.JetStream(dial(d.t, d.as(tester)))
	if err != nil {
		d.t.Fatal(err)
	}
	d.js = js
	ctx, cancel := context.WithCancel(d.t.Context())
	var counting sync.WaitGroup
	counting.Go(func() {
		for next := uint64(0); ctx.Err() == nil; wait(ctx, 100*time.Millisecond) { // NATS may have been hurt
			_ = bus.Read(ctx, js, topology.Deliveries, []string{"deliveries.>"}, next, func(m bus.Message) error {
				next = m.Seq + 1
				d.mu.Lock()
				d.count++
				d.mu.Unlock()
				return nil
			})
		}
	})
	d.t.Cleanup(func() { cancel(); counting.Wait() })
}

func (d *desk) outcomesSoFar() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// open starts so many replicas with these settings and waits until they are ready.
func (d *desk) open(replicas int, settings ...string) {
	d.t.Helper()
	for n := range replicas {
		p := d.candidate(fmt.Sprintf("deliver-%d", n+1), settings...)
		p.start()
		d.desks = append(d.desks, p)
	}
	for _, p := range d.desks {
		d.eventually(time.Minute, p.name, p.ready)
	}
}

// candidate is a replica with these settings that is not started yet.
func (d *desk) candidate(name string, settings ...string) *program {
	d.t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(d.t))
	return d.program(name, filepath.Join(binaries, "deliver"), "http://"+addr, slices.Concat(stack.Settings(d.as("deliver")), []string{
		"HTTP_ADDR=" + addr, "NATS_PROVISION=verify", fmt.Sprintf("PARTITIONS=%d", deskPartitions), "DELIVER_INSTANCE=" + name,
		"REAPIT_API_URL=" + d.address, "REAPIT_TOKEN_URL=" + d.address + "/oauth/token", "REAPIT_CLIENT_ID=demo-client", "REAPIT_CLIENT_SECRET=demo-secret",
		"LOG_FORMAT=text", "LEASE_TTL=1s",
	}, settings)...)
}

// single is the setting of a run with one customer.
func (d *desk) single() string { return "REAPIT_CUSTOMER=" + d.offices[0].customer }

// deadlineSettings are the promised deadlines.
func (p promised) deadlineSettings() (all []string) {
	for kind, d := range p.deadlines {
		all = append(all, "DEADLINE_"+strings.ToUpper(string(kind))+"="+d.String())
	}
	return all
}

// close stops the replicas in order, so that nothing is under way any more.
func (d *desk) close() {
	for _, p := range d.desks {
		p.stop()
	}
}

// control tells reapit-sim what to be like.
func (d *desk) control(path, body string, into any) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.reapit.url+"/control/"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %s: %s %s %v", path, body, resp.Status, answer, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		d.t.Fatal(err)
	}
}

// say puts the cues into the logs that CALLS is merged from, each at its time,
// and returns those that it has said when there are no more or ctx ends.
func (d *desk) say(ctx context.Context, cues []cue) []cue {
	began := time.Now()
	for i, c := range cues {
		wait(ctx, c.at-time.Since(began))
		if ctx.Err() != nil {
			return cues[:i]
		}
		d.mu.Lock()
		d.late = max(d.late, time.Since(began)-c.at)
		d.mu.Unlock()
		call := c.call
		call.OccurredAt = time.Now().UTC()
		call.RecordedAt = call.OccurredAt
		key := topology.KeyToken(call.CallID)
		header, body, err := event.EncodeCall(call, key, "")
		if err == nil {
			_, err = d.js.PublishMsg(d.t.Context(), &nats.Msg{
				Subject: topology.CallEvent(topology.Partition(key, deskPartitions), call.OrganizationID, string(call.Type), call.CallID),
				Header:  nats.Header(header), Data: body,
			})
		}
		if err != nil {
			d.t.Errorf("say %s: %v", call.EventID(), err)
			return cues[:i]
		}
	}
	return cues
}

// drained waits until so many deliveries have an outcome, as long as there is
// progress, and returns how long that took.
func (d *desk) drained(deliveries int, patience time.Duration) time.Duration {
	d.t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for d.outcomesSoFar() < deliveries {
		if time.Since(began) > patience {
			d.t.Errorf("%d of %d deliveries have an outcome after %v", d.outcomesSoFar(), deliveries, patience)
			break
		}
		<-tick.C
	}
	return time.Since(began)
}

// evidence is read when nobody writes any more.
func (d *desk) evidence(cues []cue) *evidence {
	d.t.Helper()
	e := d.gathered()
	if len(e.said) != len(cues) {
		d.t.Fatalf("CALLS has %d events, %d were said", len(e.said), len(cues))
	}
	return e
}

// gathered is all that there is, whoever said it.
func (d *desk) gathered() *evidence {
	d.t.Helper()
	e := &evidence{faults: d.faults, offices: d.offices, promised: d.promised, recorded: map[string]time.Time{}}
	d.said(e)
	d.everything(topology.Deliveries, "deliveries.>", func(m bus.Message) error {
		var o event.Outcome
		err := json.Unmarshal(m.Data, &o)
		e.outcomes = append(e.outcomes, o)
		if key := deliveryOf(o.EventID, o.Customer, o.NegotiatorID); e.recorded[key].IsZero() {
			e.recorded[key] = m.Stored
		}
		return err
	})
	d.everything(topology.DeadLetters, "deadletters.>", func(m bus.Message) error {
		var l event.DeadLetter
		err := json.Unmarshal(m.Data, &l)
		e.letters = append(e.letters, l)
		return err
	})
	e.requests = d.journal()
	return e
}

// said adds what CALLS has.
func (d *desk) said(e *evidence) {
	d.t.Helper()
	d.everything(topology.Calls, "calls.>", func(m bus.Message) error {
		s := said{stored: m.Stored}
		err := json.Unmarshal(m.Data, &s.Call)
		e.said = append(e.said, s)
		return err
	})
}

func (d *desk) everything(stream, filter string, take func(bus.Message) error) {
	d.t.Helper()
	if err := bus.ReadAll(d.t.Context(), d.js, stream, []string{filter}, 0, take); err != nil {
		d.t.Fatal(err)
	}
}

// journal is what reapit-sim has received.
func (d *desk) journal() (all []request) {
	d.t.Helper()
	const page = 5000
	for {
		var part struct {
			Total    int
			Requests []request
		}
		d.get(fmt.Sprintf("%s/control/requests?limit=%d&offset=%d", d.reapit.url, page, len(all)), &part)
		all = append(all, part.Requests...)
		if len(part.Requests) < page {
			return all
		}
	}
}

// simStats is what reapit-sim counts itself.
type simStats struct {
	MaxInFlight  int            `json:"maxInFlight"`
	MaxPerSecond int            `json:"maxPerSecond"`
	Statuses     map[string]int `json:"statuses"`
	Refused      map[string]int `json:"refused"`
}

func (d *desk) stats() (s simStats) {
	d.t.Helper()
	d.get(d.reapit.url+"/control/stats", &s)
	return s
}

// active is the replica that delivers; nil while none says so.
func (d *desk) active() *program {
	for _, p := range d.desks {
		if p.role() == delivering {
			return p
		}
	}
	return nil
}

// role is what a replica says of itself.
func (p *program) role() string {
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get(p.url + "/readyz")
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Conditions []struct{ Name, Detail string }
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || json.Unmarshal(body.Bytes(), &answer) != nil {
		return ""
	}
	for _, c := range answer.Conditions {
		if c.Name == "role" {
			return c.Detail
		}
	}
	return ""
}
