package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
	"ringstream/schemas/probe"
)

var usualDeadlines = schedule.Deadlines{
	event.Incoming: 30 * time.Second, event.Answered: 2 * time.Minute, event.Ended: 10 * time.Minute, event.Missed: 24 * time.Hour,
}

func anObserver() *observer {
	log := slog.New(slog.DiscardHandler)
	return newObserver(log, newStanding(log, func() []string { return []string{"RES"} }, func() dayLeft { return ample }, time.Now), usualDeadlines)
}

// What an objective or a deadline is about can be read off without a guess.
func TestBucketsHaveAnEdgeWhereOneIsAskedFor(t *testing.T) {
	odd := schedule.Deadlines{event.Incoming: 7 * time.Second, event.Missed: 30 * time.Second}
	for _, deadlines := range []schedule.Deadlines{usualDeadlines, odd, {}} {
		all := edges(deadlines)
		if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) || all[0] != 0.005 {
			t.Errorf("%v", all)
		}
		want := []float64{1, 60}
		for _, d := range deadlines {
			want = append(want, d.Seconds())
		}
		for _, edge := range want {
			if !slices.Contains(all, edge) {
				t.Errorf("none at %g s: %v", edge, all)
			}
		}
		for i := 1; i < len(all) && all[i] <= 60; i++ {
			if all[i] > 2.6*all[i-1] {
				t.Errorf("nothing between %g and %g s", all[i-1], all[i])
			}
		}
	}
}

// Whoever scrapes OpenMetrics finds a call to look at in each bucket.
func TestLatenciesHaveExemplars(t *testing.T) {
	r := newRig(t)
	d := r.deliver(r.settings())
	r.fault(`{"match":{"negotiatorId":"JAS"},"times":1,"action":{"status":503}}`)
	r.say(1, event.Incoming, "", "jane")
	r.until(1)
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.probes+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	ask.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(string(body), "# EOF\n") {
		t.Fatalf("%s, %v", resp.Header, err)
	}
	trace := parent[3:35]
	for _, name := range []string{"ringstream_deliver_post_delay_seconds", "ringstream_deliver_delay_seconds"} {
		line := regexp.MustCompile(`(?m)^` + name + `_bucket\{type="incoming",le="[0-9.]+"\} 1 # \{trace_id="` + trace + `"\} [0-9.e-]+ [0-9.]+`)
		if !line.Match(body) {
			t.Errorf("no exemplar of %s", name)
		}
	}
	if strings.Contains(r.page(d.probes+"/metrics"), "# {") {
		t.Error("exemplars in the plain text")
	}
	posted, answered := d.metric(`ringstream_deliver_post_delay_seconds_sum{type="incoming"}`), d.metric(`ringstream_deliver_delay_seconds_sum{type="incoming"}`)
	if posted <= 0 || answered < posted+0.2 { // the answer came to the second POST, after a wait
		t.Errorf("posted after %g s, answered after %g s", posted, answered)
	}
	for name, want := range map[string]float64{
		`ringstream_deliver_post_delay_seconds_count{type="incoming"}`: 1, `ringstream_deliver_retries_total{type="incoming"}`: 1,
		`ringstream_deliver_oldest_seconds{type="incoming"}`: 0, `ringstream_deliver_budget_allowed{limit="slots"}`: 5,
		`ringstream_deliver_budget_used{limit="slots"}`: 0, `ringstream_deliver_budget_used{limit="day"}`: 4, // a token, the negotiators, two POSTs
	} {
		if got := d.metric(name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
}

func TestUsageOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(20, 5, 1000, time.Now)
		used := func(limit string, want int) {
			t.Helper()
			if got := b.usage()[limit].used(); got != want {
				t.Errorf("%d of %s are used, want %d", got, limit, want)
			}
		}
		var releases []func(reapit.Result)
		for range 3 {
			release, err := b.admit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			releases = append(releases, release)
		}
		used("slots", 3)
		used("second", 3)
		used("day", 3)
		for _, release := range releases {
			release(reapit.Result{})
		}
		used("slots", 0)
		used("second", 3)
		time.Sleep(time.Second)
		used("second", 0)
		used("day", 3)
		for limit, want := range map[string]int{"day": 1000, "second": 20, "slots": 5} {
			if got := b.usage()[limit].allowed; got != want {
				t.Errorf("%s: %d", limit, got)
			}
		}
	})
}

// The age grows although nobody looks, and ends with what waits.
func TestTheOldestGrowsBetweenTwoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o oldest
		if !o.due() || o.age(event.Incoming) != 0 {
			t.Error("not looked at yet")
		}
		o.set(map[event.CallType]time.Time{event.Incoming: time.Now().Add(-2 * time.Second), event.Missed: time.Now().Add(time.Second)})
		if o.due() || o.age(event.Incoming) != 2*time.Second || o.age(event.Missed) != 0 || o.age(event.Ended) != 0 {
			t.Error(o.due(), o.age(event.Incoming), o.age(event.Missed))
		}
		time.Sleep(time.Minute)
		if !o.due() || o.age(event.Incoming) != 62*time.Second {
			t.Error(o.due(), o.age(event.Incoming))
		}
		o.set(nil)
		if o.age(event.Incoming) != 0 {
			t.Error(o.age(event.Incoming))
		}
	})
}

var nameOfDesc = regexp.MustCompile(`fqName: "(ringstream_[a-z_]+)"`)

// What is named is exported, and what is exported is named and has its labels
// told.
func TestMetricsAreThoseNamed(t *testing.T) {
	registry := prometheus.NewRegistry()
	b := newBudget(20, 5, 1000, time.Now)
	anObserver().register(registry, b, directory.New(nil, directory.Settings{Tenants: directory.Single(directory.Tenant{Customer: "RES"})}), nil)
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	labelled := regexp.MustCompile(`variableLabels: \{([a-z,_]*)\}`)
	exported := map[string]string{}
	for d := range descs {
		exported[nameOfDesc.FindStringSubmatch(d.String())[1]] = labelled.FindStringSubmatch(d.String())[1]
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../../../schemas/telemetry/names.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		name, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		named[name] = true
		labels, known := exported[name]
		if !known && strings.HasPrefix(spec.Names[0].Name, "Deliver") {
			t.Errorf("%s is named, and not exported", name)
		}
		for _, label := range strings.Split(labels, ",") {
			if told := spec.Comment.Text(); label != "" && !strings.Contains(told, label) {
				t.Errorf("%s: label %s is not told: %s", name, label, told)
			}
		}
		return true
	})
	for name := range exported {
		if !named[name] {
			t.Errorf("%s is exported, and not named", name)
		}
	}
	if len(exported) < 25 {
		t.Errorf("only %d are exported", len(exported))
	}
}

// Deliveries that wait while none moves are not ready, within a minute.
func TestWorkThatWaitsAndDoesNotMoveIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, board := anObserver(), probe.New()
		o.conditions(board)
		ready := func(want bool) {
			t.Helper()
			if all, ok := board.Ready(); ok != want {
				t.Errorf("%+v", all)
			}
			if _, alive := board.Living(); !alive {
				t.Error("not alive")
			}
		}
		ready(false) // not started
		o.role(standby)
		ready(true)
		time.Sleep(time.Hour) // somebody else delivers
		ready(true)
		o.role(leading)
		o.done()
		m := memory{Schedule: schedule.New(schedule.Policy{Deadlines: usualDeadlines})}
		o.state(m, 3, 0) // call events that nobody takes in
		time.Sleep(stalled - time.Second)
		ready(true)
		time.Sleep(time.Second)
		ready(false)
		o.progress.Done()
		ready(true)
		o.state(m, 0, 2) // deliveries that could go out
		time.Sleep(stalled)
		ready(false)
		o.state(m, 0, 0)
		ready(true)
		time.Sleep(time.Hour) // a quiet office
		ready(true)
		o.state(m, 1, 0)
		time.Sleep(stalled)
		o.role(standby) // the other one has it now
		ready(true)
	})
}

// While Reapit is down, who delivers is not ready and says why; he is alive, and
// whoever stands by is ready to go on.
func TestReapitDownRestartsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leader, other := anObserver(), anObserver()
		boards := []*probe.Board{probe.New(), probe.New()}
		leader.conditions(boards[0])
		other.conditions(boards[1])
		leader.role(leading)
		other.role(standby)
		fail := func() {
			r := reapit.Result{Kind: reapit.Answered, Sent: true, Status: 503}
			v := delivery.Decide(resultOf(r), delivery.Attempt{Number: 1, Patience: time.Second, Left: time.Hour, Targets: 1}, 0)
			leader.attempt(t.Context(), schedule.Request{{Call: event.Call{CallID: "c", Type: event.Missed}, Customer: "RES"}}, r, v)
			leader.progress.Done()
		}
		for range 9 {
			fail()
			time.Sleep(10 * time.Second)
		}
		all, ok := boards[0].Ready()
		if said := all[slices.IndexFunc(all, func(r probe.Result) bool { return r.Name == "reapit" })]; ok || said.OK || !strings.Contains(said.Detail, "HTTP 503") {
			t.Errorf("%+v", all)
		}
		if _, alive := boards[0].Living(); !alive {
			t.Error("would be restarted")
		}
		if all, ok := boards[1].Ready(); !ok {
			t.Errorf("the standby: %+v", all)
		}
	})
}
