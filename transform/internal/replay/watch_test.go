package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/replay/watch"
)

// office is a rig in which the test is transform and deliver, and may do wrong.
type office struct {
	*rig
	written int // events of the fold that are in the logs, or left out
	ended   map[string]bool
	out     *screen
	errs    *screen
	metrics string
}

// watching begins to watch over an office in which a call has been already.
func watching(t *testing.T) (o *office, end func() int) {
	o = &office{rig: newRig(t), ended: map[string]bool{}, out: new(screen), errs: new(screen)}
	o.beat()
	o.call(missed)
	ctx, cancel := context.WithCancelCause(t.Context())
	code := make(chan int, 1)
	go func() { code <- o.watchUntil(ctx) }()
	listens := regexp.MustCompile(`http://\S+/metrics`)
	bustest.Eventually(t, "it watches", func() bool { return strings.Contains(o.errs.String(), "watching from ") })
	o.metrics = listens.FindString(o.errs.String())
	return o, sync.OnceValue(func() int {
		cancel(errors.New("Ctrl-C"))
		return <-code
	})
}

func (o *office) watch(args ...string) int { return o.watchUntil(o.Context(), args...) }

func (o *office) watchUntil(ctx context.Context, args ...string) int {
	args = append([]string{"watch", "-o", "json", "--late", "4s", "--grace", "2s", "--tenant", agencyOrg + "=RES"}, args...)
	return o.main(ctx, args, IO{Out: o.out, Err: o.errs, Now: time.Now()})
}

// call is one call, answered, of which everything is as it should be.
func (o *office) call(id string) {
	o.Helper()
	o.heard(id)
	o.transform()
	o.deliver(nil)
}

func (o *office) heard(id string) {
	o.raw(agencyOrg, id, rings, jane)
	o.raw(agencyOrg, id, "UserCallInUserConnected", jane)
	o.raw(agencyOrg, id, "UserCallInDisconnected", jane, "reason", "local")
}

// transform writes what the fold tells and is in no log yet.
func (o *office) transform(alter ...func([]Told) []Told) {
	o.Helper()
	all := o.told()
	fresh := slices.Clone(all[o.written:])
	o.written = len(all)
	for _, f := range alter {
		fresh = f(fresh)
	}
	before := len(bustest.Messages(o, o.js, topology.Calls))
	for p := range partitions {
		log, err := bus.OpenLog(o.Context(), o.js, topology.CallLog(p), topology.CallLogPrefix(p))
		if err != nil {
			o.Fatal(err)
		}
		defer log.Close()
		for _, t := range fresh {
			if t.Partition != p {
				continue
			}
			subject := topology.CallEvent(p, t.Call.OrganizationID, string(t.Call.Type), t.Call.CallID)
			if err := log.Append(subject, maps.Clone(t.Header), t.Body, t.At); err != nil {
				o.Fatal(err)
			}
		}
		if err := log.Flush(o.Context()); err != nil {
			o.Fatal(err)
		}
	}
	o.await(before + len(fresh))
}

// deliver ends each delivery of what is in CALLS and has not ended yet.
func (o *office) deliver(alter func([]event.Outcome) []event.Outcome) {
	o.Helper()
	log, err := bus.OpenSerialLog(o.Context(), o.js, topology.Deliveries, topology.DeliveryLogPrefix)
	if err != nil {
		o.Fatal(err)
	}
	defer log.Close()
	var all []event.Outcome
	at, newest := map[string]uint64{}, uint64(0)
	for _, m := range bustest.Messages(o, o.js, topology.Calls) {
		var e event.Call
		newest = m.Seq
		if json.Unmarshal(m.Data, &e) != nil || o.ended[e.EventID()] || len(e.Audience) == 0 {
			continue
		}
		o.ended[e.EventID()], at[e.EventID()] = true, m.Seq
		tried := m.Stored.Add(5 * time.Millisecond)
		all = append(all, event.Outcome{
			EventID: e.EventID(), CallID: e.CallID, OrganizationID: e.OrganizationID, Customer: "RES", NegotiatorID: "JAS", Users: e.Audience, Type: e.Type,
			Outcome: event.Delivered, Attempts: 1, OccurredAt: e.OccurredAt, ReceivedAt: m.Stored, FirstTriedAt: &tried, FinishedAt: tried.Add(time.Millisecond),
		})
	}
	if alter != nil {
		all = alter(all)
	}
	for _, x := range all {
		ce, err := event.NewOutcome(x, "")
		if err != nil {
			o.Fatal(err)
		}
		header, body, err := event.Encode(ce)
		if err != nil {
			o.Fatal(err)
		}
		subject := topology.Delivery(x.Customer, x.NegotiatorID, string(x.Outcome), x.CallID)
		if err := log.Append(subject, header, body, bus.Position{In: cmp.Or(at[x.EventID], newest)}); err != nil {
			o.Fatal(err)
		}
	}
	if err := log.Flush(o.Context()); err != nil {
		o.Fatal(err)
	}
}

// found counts what was found so far, by kind.
func (o *office) found() map[watch.Kind]int {
	o.Helper()
	kinds := map[watch.Kind]int{}
	for text := range strings.Lines(o.out.String()) {
		if !strings.HasSuffix(text, "\n") {
			break // it is being written
		}
		var v watch.Violation
		if err := json.Unmarshal([]byte(text), &v); err != nil || v.At.IsZero() || v.Stream == "" || v.Detail == "" {
			o.Fatalf("%s: %v", text, err)
		}
		kinds[v.Kind]++
	}
	return kinds
}

// finds waits until exactly that was found.
func (o *office) finds(want map[watch.Kind]int) {
	o.Helper()
	defer func() {
		if o.Failed() {
			o.Logf("found %v, want %v:\n%s", o.found(), want, o.out)
		}
	}()
	bustest.Eventually(o, "the violations", func() bool {
		found := o.found()
		for kind, n := range found {
			if n > want[kind] {
				o.Fatalf("%s is found, and was not planted", kind)
			}
		}
		return maps.Equal(found, want)
	})
}

func (o *office) scrape(path string) (int, string) {
	o.Helper()
	resp, err := http.Get(strings.TrimSuffix(o.metrics, "/metrics") + path)
	if err != nil {
		o.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		o.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestWatchFindsNothingWhereAllIsWell(t *testing.T) {
	t.Parallel()
	o, end := watching(t)
	for _, id := range []string{answered, later, outgoing} {
		o.call(id)
	}
	o.beat()
	bustest.Eventually(t, "it is ready", func() bool { code, _ := o.scrape("/readyz"); return code == http.StatusOK })
	bustest.Eventually(t, "all is looked at", func() bool {
		_, text := o.scrape("/metrics")
		return strings.Contains(text, `ringstream_watch_messages_total{stream="DELIVERIES"} 9`) && strings.Contains(text, "ringstream_watch_awaited_outcomes 0")
	})
	if code := end(); code != Clean || o.out.String() != "" {
		t.Errorf("exit %d, found\n%s", code, o.out)
	}
	if said := o.errs.String(); !strings.HasSuffix(said, "0 violations in 14 messages of RTE, 9 of CALLS and 9 of DELIVERIES\n") {
		t.Errorf("it says %s", said)
	}
}

// Each kind of violation is found when it is planted, and nothing else is.
func TestWatchFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	o, end := watching(t)
	want, calls := map[watch.Kind]int{}, 0
	plant := func(kinds map[watch.Kind]int, do func(id string)) {
		t.Helper()
		calls++
		do(guid(calls))
		for k, n := range kinds {
			want[k] += n
		}
		o.finds(want)
	}
	with := func(alter func([]Told) []Told) func(string) {
		return func(id string) {
			o.heard(id)
			o.transform(alter)
			o.deliver(nil)
		}
	}
	ends := func(alter func([]event.Outcome) []event.Outcome) func(string) {
		return func(id string) {
			o.heard(id)
			o.transform()
			o.deliver(alter)
		}
	}

	plant(map[watch.Kind]int{watch.Missing: 1, watch.Misnumbered: 1}, with(func(all []Told) []Told { return slices.Delete(all, 1, 2) }))
	plant(map[watch.Kind]int{watch.Doubled: 1}, with(func(all []Told) []Told { return append(all, all[2]) }))
	plant(map[watch.Kind]int{watch.Changed: 1}, with(func(all []Told) []Told {
		all[1].Body = []byte(strings.Replace(string(all[1].Body), "+447911123456", "+447911123457", 1))
		return all
	}))
	plant(map[watch.Kind]int{watch.Missing: 1, watch.Misnumbered: 1, watch.Misplaced: 1}, func(id string) {
		o.heard(id)
		o.transform(func(all []Told) []Told { return []Told{all[0], all[2], all[1]} })
		o.deliver(func(all []event.Outcome) []event.Outcome { return []event.Outcome{all[0], all[2], all[1]} })
	})
	plant(map[watch.Kind]int{watch.Extra: 1}, func(id string) { // by a foreign publisher
		o.publish(topology.CallEvent(0, agencyOrg, "incoming", id), nil, []byte("{}"))
	})
	plant(map[watch.Kind]int{watch.Extra: 1}, with(func(all []Told) []Told {
		more := all[2]
		more.Call.Sequence++
		more.At.Idx++
		more.Header = maps.Clone(more.Header)
		more.Header["ce-id"] = []string{more.Call.EventID()}
		more.Body = []byte(strings.Replace(string(more.Body), `"sequence":3`, `"sequence":4`, 1))
		return append(all, more)
	}))
	plant(map[watch.Kind]int{watch.Late: 1}, func(id string) {
		o.heard(id)
		bustest.Eventually(t, "it is late", func() bool { return o.found()[watch.Late] > 0 })
		o.call(guid(100)) // goes on
	})
	plant(map[watch.Kind]int{watch.Unended: 1}, func(id string) {
		o.raw(agencyOrg, id, rings, jane)
		o.raw(agencyOrg, id, "UserCallInDisconnected", jane, "reason", "remote")
		<-time.After(2 * quick.Settle) // by the server's clock; then a heartbeat fires the timer
		o.beat()
		o.transform()
		o.deliver(func(all []event.Outcome) []event.Outcome { return all[:1] })
	})
	plant(map[watch.Kind]int{watch.EndedTwice: 2}, ends(func(all []event.Outcome) []event.Outcome {
		again := all[2]
		again.Outcome = event.Expired
		another := all[2]
		another.Outcome, another.NegotiatorID = event.Expired, "TOM"
		return append(all, again, another)
	}))
	plant(map[watch.Kind]int{watch.Stray: 2}, ends(func(all []event.Outcome) []event.Outcome {
		nobodys, toms := all[0], all[0]
		nobodys.EventID += "0"
		toms.Users, toms.NegotiatorID = []event.User{{UserID: tom}}, "TOM"
		return append([]event.Outcome{nobodys, toms}, all...)
	}))
	plant(map[watch.Kind]int{watch.Stray: 1}, func(id string) {
		o.publish(topology.Delivery("RES", "JAS", "delivered", id), nil, []byte("{}"))
	})
	plant(map[watch.Kind]int{watch.AfterTheEnd: 1}, ends(func(all []event.Outcome) []event.Outcome {
		tried := all[2].ReceivedAt.Add(watch.Overtaken + time.Millisecond)
		all[1].FirstTriedAt = &tried
		return all
	}))
	plant(map[watch.Kind]int{watch.Misordered: 1}, ends(func(all []event.Outcome) []event.Outcome {
		return []event.Outcome{all[0], all[2], all[1]}
	}))
	plant(map[watch.Kind]int{watch.WrongTenancy: 2}, ends(func(all []event.Outcome) []event.Outcome {
		all[0].Customer = "SBOX"
		all[2].OrganizationID = otherOrg
		return all
	}))
	o.call(answered)
	if kinds := slices.Sorted(maps.Keys(want)); !slices.Equal(kinds, slices.Sorted(slices.Values(watch.Kinds()))) {
		t.Errorf("planted were only %v", kinds)
	}
	_, text := o.scrape("/metrics")
	if !strings.Contains(text, `ringstream_watch_violations_total{kind="second-outcome"} 2`) {
		t.Errorf("they are not counted:\n%s", text)
	}
	if code := end(); code != Different {
		t.Errorf("exit %d", code)
	}
	o.out = new(screen) // who comes later finds the same in what is stored
	if code := o.watch("--since", "1h", "--for", "4s"); code != Different {
		t.Errorf("exit %d, said %s", code, o.errs)
	}
	if found := o.found(); !maps.Equal(found, want) {
		t.Errorf("afterwards it finds %v, not %v:\n%s", found, want, o.out)
	}
}

// It goes on from where transform's snapshots are, in the middle of calls.
func TestWatchBeginsWithSnapshots(t *testing.T) {
	t.Parallel()
	o := &office{rig: newRig(t), ended: map[string]bool{}, out: new(screen), errs: new(screen)}
	o.call(missed)
	o.raw(agencyOrg, answered, rings, jane)
	o.raw(agencyOrg, later, rings, jane)
	o.beat() // which all partitions read
	o.transform()
	o.save()
	o.raw(agencyOrg, answered, "UserCallInUserConnected", jane)
	o.transform()
	o.deliver(nil)
	code := make(chan int, 1)
	go func() { code <- o.watch("--for", "5s") }()
	bustest.Eventually(t, "it watches", func() bool {
		return strings.Contains(o.errs.String(), "watching from RTE 7, CALLS 7 and DELIVERIES 7 on")
	})
	o.raw(agencyOrg, later, "UserCallInUserConnected", jane)
	o.raw(agencyOrg, answered, "UserCallInDisconnected", jane)
	o.raw(agencyOrg, later, "UserCallInDisconnected", jane)
	o.transform()
	o.deliver(nil)
	if c := <-code; c != Clean || o.out.String() != "" {
		t.Errorf("exit %d, found\n%s", c, o.out)
	}
	if said := o.errs.String(); !strings.Contains(said, "0 violations in 4 messages of RTE, 3 of CALLS and 3 of DELIVERIES") {
		t.Errorf("it says %s", said)
	}
}

// save stores a snapshot of each partition.
func (o *office) save() {
	o.Helper()
	refold := NewRefold(partitions, quick)
	for _, m := range bustest.Messages(o, o.js, topology.RTE) {
		refold.Take(m)
	}
	for p, f := range refold.folds {
		data, err := f.Snapshot()
		if err != nil {
			o.Fatal(err)
		}
		log, err := bus.OpenLog(o.Context(), o.js, topology.CallLog(p), topology.CallLogPrefix(p))
		if err != nil {
			o.Fatal(err)
		}
		defer log.Close()
		if err := errors.Join(log.SaveSnapshot(bus.Position{In: f.Seq(), At: f.Last().Stored}, data), log.Flush(o.Context())); err != nil {
			o.Fatal(err)
		}
	}
}

// What is read from a stream that is not the one any more is worth nothing.
func TestWatchEndsWithItsStream(t *testing.T) {
	t.Parallel()
	o, end := watching(t)
	defer end()
	if err := o.js.DeleteStream(t.Context(), topology.Deliveries); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "it ends", func() bool {
		return strings.Contains(o.errs.String(), "read stream DELIVERIES: the stream was made anew")
	})
	if code := end(); code != Trouble {
		t.Errorf("exit %d", code)
	}
}

func TestWatchUsage(t *testing.T) {
	for want, args := range map[string][]string{
		`replay: --output: "xml" is unknown; write text or json; see --help`: {"-o", "xml"},
		`replay: --tenant: "SBOX" is not ORGANIZATION=CUSTOMER; see --help`:  {"--tenant", "SBOX"},
		`replay: --since: "noon" is no time`:                                 {"--since", "noon"},
		`replay: --for, --late, --grace and --memory are times, and CALLS`:   {"--late", "0s"},
		`replay: --most: 0 calls are too few; see --help`:                    {"--most", "0"},
	} {
		if out, errs, code := replay(t.Context(), append([]string{"watch"}, args...)...); code != Trouble || out != "" || !strings.HasPrefix(errs, want) {
			t.Errorf("exit %d, %q, said %q", code, out, errs)
		}
	}
}

func TestViolationAsALine(t *testing.T) {
	v := watch.Violation{At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Kind: watch.Doubled, Stream: "CALLS", Seq: 5, Call: answered, Event: answered + "/3", Detail: "CALLS has\nit again"}
	if got, want := violationLine(v), "2026-11-22T10:00:00.000Z doubled CALLS 5 "+answered+"/3: CALLS has it again"; got != want {
		t.Errorf("%s", got)
	}
}

func guid(n int) string { return fmt.Sprintf("0f6e4c1a-93d2-4b7e-8a61-%012d", n) }

// watchedFrom is the position of RTE from which it says that it watches.
func watchedFrom(said string) (from int) {
	if _, at, is := strings.Cut(said, "watching from RTE "); is {
		_, _ = fmt.Sscan(at, &from)
	}
	return from
}
