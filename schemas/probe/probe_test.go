package probe_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"ringstream/schemas/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts the probes and returns how to ask them.
func serve(t *testing.T, board *probe.Board) func(path string) (int, string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	calls := prometheus.NewCounter(prometheus.CounterOpts{Name: "ringstream_test_calls_total", Help: "calls"})
	calls.Add(3)
	registry.MustRegister(calls)
	stop, addr, err := probe.Serve(t.Context(), "127.0.0.1:0", board, registry, map[string]string{"version": "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		for range 2 { // the second finds it stopped
			if err := stop(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	return func(path string) (int, string) {
		t.Helper()
		answer, err := client.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
}

func TestConditions(t *testing.T) {
	board := probe.New()
	ask := serve(t, board)
	expect := func(when, path string, status int, body string) {
		t.Helper()
		gotStatus, gotBody := ask(path)
		if gotStatus != status || gotBody != body+"\n" {
			t.Errorf("%s, %s answers %d %s", when, path, gotStatus, gotBody)
		}
	}

	expect("with nothing stated", "/readyz", 503, `{"status":"not ready","conditions":[]}`)
	expect("with nothing stated", "/healthz", 200, `{"status":"alive","conditions":[]}`)

	board.Set("nats", true, "connected")
	board.Func("fold", func() probe.Result { return probe.Result{Name: "ignored", OK: true} })
	expect("with all well", "/readyz", 200, `{"status":"ready","conditions":[{"name":"fold","ok":true},{"name":"nats","ok":true,"detail":"connected"}]}`)

	board.Set("nats", false, "disconnected for 3s")
	expect("with one down", "/readyz", 503, `{"status":"not ready","conditions":[{"name":"fold","ok":true},{"name":"nats","ok":false,"detail":"disconnected for 3s"}]}`)
	expect("unready", "/healthz", 200, `{"status":"alive","conditions":[]}`)

	board.Alive("loop", func() probe.Result { return probe.Result{Detail: "stuck"} })
	expect("stuck", "/healthz", 503, `{"status":"dead","conditions":[{"name":"loop","ok":false,"detail":"stuck"}]}`)
}

func TestMetricsVersionAndNothingElse(t *testing.T) {
	ask := serve(t, probe.New())
	if status, body := ask("/metrics"); status != 200 || !strings.Contains(body, "ringstream_test_calls_total 3") {
		t.Errorf("/metrics: %d %s", status, body)
	}
	var version struct{ Version string }
	status, body := ask("/version")
	if err := json.Unmarshal([]byte(body), &version); err != nil || status != 200 || version.Version != "v1.2.3" {
		t.Errorf("/version: %d %s (%v)", status, body, err)
	}
	if status, _ := ask("/"); status != 404 {
		t.Errorf("/: %d", status)
	}
}

func TestProbesOutliveTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stop, addr, err := probe.Serve(ctx, "127.0.0.1:0", probe.New(), prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	if again, err := client.Get("http://" + addr + "/healthz"); err == nil {
		_ = again.Body.Close()
		t.Error("still answers after stop")
	}
}

func TestAddressInUseNamesTheSetting(t *testing.T) {
	stop, addr, err := probe.Serve(t.Context(), "127.0.0.1:0", probe.New(), prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop(context.WithoutCancel(t.Context())) }()
	_, _, err = probe.Serve(t.Context(), addr, probe.New(), prometheus.NewRegistry(), nil)
	if err == nil || !strings.Contains(err.Error(), `HTTP_ADDR "`+addr+`"`) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func TestBoardIsConcurrent(t *testing.T) {
	board := probe.New()
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		all.Go(func() {
			for i := range 100 {
				board.Set(name, i%2 == 1, "")
				board.Alive(name, func() probe.Result { board.Set(name, true, "from within"); return probe.Result{OK: true} })
				board.Ready()
				board.Living()
			}
		})
	}
	all.Wait()
	board.Living()
	if results, ok := board.Ready(); !ok || len(results) != 3 {
		t.Errorf("got %v %v", results, ok)
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := probe.NewProgress(time.Minute)
		expect := func(when string, ok bool, detail string) {
			t.Helper()
			if got := p.Result(); got.OK != ok || got.Detail != detail {
				t.Errorf("%s: %v %q", when, got.OK, got.Detail)
			}
		}
		pass := func(d time.Duration) { <-time.After(d) }

		pass(time.Hour)
		expect("idle for long", true, "nothing waits")
		p.Waiting(4)
		pass(59 * time.Second)
		p.Waiting(7) // more work is no progress
		expect("waiting", true, "7 waiting, none done for 59s (limit 1m0s)")
		pass(time.Second)
		expect("stalled", false, "7 waiting, none done for 1m0s (limit 1m0s)")
		p.Done()
		expect("going on", true, "7 waiting, none done for 0s (limit 1m0s)")
		pass(2 * time.Minute)
		expect("stalled again", false, "7 waiting, none done for 2m0s (limit 1m0s)")
		p.Waiting(0)
		expect("drained", true, "nothing waits")
		p.Done()
		pass(time.Hour)
		expect("idle again", true, "nothing waits")
		p.Waiting(1)
		expect("new work", true, "1 waiting, none done for 0s (limit 1m0s)")
	})
}

func TestDuties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := probe.NewDuties(10 * time.Second)
		expect := func(when string, ok bool, detail string) {
			t.Helper()
			if got := d.Result(); got.OK != ok || got.Detail != detail {
				t.Errorf("%s: %v %q", when, got.OK, got.Detail)
			}
		}
		pass := func(s time.Duration) { <-time.After(s * time.Second) }

		expect("without any", true, "all done")
		d.Undone("b", "waiting")
		pass(9)
		d.Undone("b", "refused") // another reason, the same neglect
		d.Undone("a", "waiting")
		expect("within the limit", true, "a: waiting for 0s (limit 10s); b: refused for 9s (limit 10s)")
		pass(1)
		expect("beyond it", false, "a: waiting for 1s (limit 10s); b: refused for 10s (limit 10s)")
		d.Done("b")
		expect("one done", true, "a: waiting for 1s (limit 10s)")
		d.Done("a")
		d.Undone("b", "waiting")
		expect("undone anew", true, "b: waiting for 0s (limit 10s)")
	})
}
