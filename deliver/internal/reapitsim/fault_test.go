package reapitsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func (w *world) accepted() int {
	w.t.Helper()
	var list struct{ Total int }
	w.control(http.MethodGet, "notifications", "", &list)
	return list.Total
}

func TestFaultBodies(t *testing.T) {
	for name, c := range map[string]struct {
		action string
		status int
		golden string
	}{
		"401 of its own":  {`{"status":401}`, 401, "401-no-token.json"},
		"403 of its own":  {`{"status":403}`, 403, "403-scope.json"},
		"422 of its own":  {`{"status":422,"text":"no"}`, 422, "fault-422.json"},
		"429 of its own":  {`{"status":429}`, 429, "429-concurrency.json"},
		"500 of its own":  {`{"status":500}`, 500, "fault-500.json"},
		"503 of its own":  {`{"status":503}`, 503, "fault-503.json"},
		"504 of its own":  {`{"status":504}`, 504, "504-timeout.json"},
		"408 of its own":  {`{"status":408}`, 408, "fault-408.json"},
		"202 of its own":  {`{"status":202}`, 202, "fault-empty.txt"},
		"429 as api":      {`{"status":429,"body":"api"}`, 429, "fault-429-api.json"},
		"500 as gateway":  {`{"status":500,"body":"gateway","text":"Internal server error"}`, 500, "fault-500-gateway.json"},
		"502 as a page":   {`{"status":502,"body":"html"}`, 502, "fault-502.html"},
		"500 empty":       {`{"status":500,"body":"empty"}`, 500, "fault-empty.txt"},
		"500 text":        {`{"status":500,"body":"text","text":"oops"}`, 500, "fault-500.txt"},
		"400 malformed":   {`{"status":400,"body":"malformed"}`, 400, "fault-malformed.txt"},
		"malformed alone": {`{"body":"malformed"}`, 200, "fault-malformed.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fault(`{"times":1,"action":` + c.action + `}`)
			got := w.notify(incoming)
			w.want(got, c.status)
			golden(t, c.golden, got.body)
			w.want(w.notify(incoming), http.StatusAccepted)
			if n := w.accepted(); n != 1 {
				t.Errorf("%d accepted: a faulty answer is no acceptance", n)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	w := newWorld(t)
	w.fault(`[{"times":1,"action":{"status":429,"retryAfter":{"after":"7s"}}},
	          {"times":1,"action":{"status":503,"body":"empty","retryAfter":{"after":"1m","as":"date"}}}]`)
	if got := w.notify(incoming).header.Get("Retry-After"); got != "7" {
		t.Error(got)
	}
	if got := w.notify(incoming).header.Get("Retry-After"); got != "Sun, 22 Nov 2026 10:01:00 GMT" {
		t.Error(got)
	}
}

func TestFaultMatches(t *testing.T) {
	body := strings.Replace(incoming, `["JAS"]`, `["TOM","JAS"]`, 1)
	for match, hit := range map[string]bool{
		`{}`:                                true,
		`{"path":"/notifications"}`:         true,
		`{"path":"/notifications/"}`:        true,
		`{"path":"/notif"}`:                 false,
		`{"path":"/negotiators"}`:           false,
		`{"method":"POST"}`:                 true,
		`{"method":"GET"}`:                  false,
		`{"negotiatorId":"JAS"}`:            true,
		`{"negotiatorId":"SAR"}`:            false,
		`{"subType":"incomingCall"}`:        true,
		`{"subType":"missedCall"}`:          false,
		`{"callId":"c1"}`:                   true,
		`{"callId":"c2"}`:                   false,
		`{"customer":"RES"}`:                false,
		`{"customer":"SBOX","callId":"c1"}`: true,
		`{"customer":"SBOX","callId":"c2"}`: false,
	} {
		w := newWorld(t)
		w.fault(`{"match":` + match + `,"action":{"status":500}}`)
		if got := w.notify(body).status; got == 500 != hit {
			t.Errorf("%s: %d", match, got)
		}
	}
	w := newWorld(t)
	w.fault(`{"match":{"path":"/negotiators","negotiatorId":"JAS"},"action":{"status":500}}`)
	w.want(w.platform(http.MethodGet, "/negotiators/JAS/", ""), 500)
	w.want(w.platform(http.MethodGet, "/negotiators/TOM", ""), 200)
}

func TestFaultsAreTakenInOrderAndUsedUp(t *testing.T) {
	w := newWorld(t)
	w.fault(`[{"times":2,"action":{"status":500}},{"skip":1,"times":1,"action":{"status":503}},{"match":{"subType":"missedCall"},"action":{"status":502}}]`)
	for i, want := range []int{500, 500, 202, 503, 202} {
		if got := w.notify(incoming).status; got != want {
			t.Errorf("request %d: %d, want %d", i+1, got, want)
		}
	}
	var rules []struct{ ID, Used int }
	w.control(http.MethodGet, "faults", "", &rules)
	if len(rules) != 3 || rules[0].Used != 2 || rules[1].Used != 1 || rules[2].Used != 0 {
		t.Errorf("%+v", rules)
	}
	missed := notification("JAS", "missedCall", payload)
	w.want(w.notify(missed), 502)
	w.control(http.MethodDelete, "faults/3", "", nil)
	w.want(w.notify(missed), 202)
	w.fault(`{"action":{"status":500}}`)
	w.control(http.MethodDelete, "faults", "", nil)
	w.want(w.notify(missed), 202)
}

func TestRefusedRequestsMeetNoFault(t *testing.T) {
	w := newWorld(t)
	w.fault(`{"times":1,"action":{"status":500}}`)
	w.want(w.notify(incoming, header("Authorization", "")), 401)
	w.want(w.notify(incoming), 500)
}

func TestDroppedConnection(t *testing.T) {
	for action, accepted := range map[string]int{
		`{"drop":true}`:                  0,
		`{"drop":true,"processed":true}`: 1,
	} {
		w := newWorld(t)
		w.fault(`{"times":1,"action":` + action + `}`)
		_, err := w.try(context.Background(), http.MethodPost, "/notifications/", incoming, w.inOrder()...)
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", action, err)
		}
		if n := w.accepted(); n != accepted {
			t.Errorf("%s: %d accepted", action, n)
		}
		if st := w.stats(); st.Statuses["none"] != 1 {
			t.Errorf("%+v", st)
		}
	}
}

func TestProcessedButAnsweredAsFailed(t *testing.T) {
	w := newWorld(t)
	w.fault(`{"times":1,"action":{"status":504,"processed":true}}`)
	w.want(w.notify(incoming), http.StatusGatewayTimeout)
	if n := w.accepted(); n != 1 {
		t.Errorf("%d accepted", n)
	}
}

func TestHangEndsWithTheClient(t *testing.T) {
	w := newWorld(t)
	release := w.hold(1, "SBOX")
	var list struct {
		Requests []struct {
			Status int
			Done   bool
			Fault  int
		}
	}
	w.eventually("the request hangs", func() bool {
		w.control(http.MethodGet, "requests?callId=held", "", &list)
		return len(list.Requests) == 1 && list.Requests[0].Fault == 1
	})
	if list.Requests[0].Done {
		t.Error("it does not hang")
	}
	release()
	w.eventually("the request is done", func() bool {
		w.control(http.MethodGet, "requests?callId=held", "", &list)
		return list.Requests[0].Done && list.Requests[0].Status == 0
	})
}

func TestDelay(t *testing.T) {
	w := newWorld(t)
	w.fault(`{"times":1,"action":{"delay":"30ms"}}`)
	started := time.Now()
	w.want(w.notify(incoming), http.StatusAccepted)
	if took := time.Since(started); took < 30*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestDelayBeyondTheGatewaysPatience(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"gatewayTimeout":"20ms"}`)
	w.fault(`{"times":1,"action":{"delay":"1h"}}`)
	w.want(w.notify(incoming), http.StatusGatewayTimeout)
	if n := w.accepted(); n != 0 {
		t.Errorf("%d accepted", n)
	}
}

func TestLatency(t *testing.T) {
	w := newWorld(t) // whose chance always draws the most
	w.control(http.MethodPost, "latency", `{"meanMs":20,"jitterMs":10}`, nil)
	started := time.Now()
	w.want(w.notify(incoming), http.StatusAccepted)
	if took := time.Since(started); took < 30*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestSlowBody(t *testing.T) {
	w := newWorld(t)
	want := w.platform(http.MethodGet, "/negotiators/JAS", "").body
	w.fault(`{"action":{"slow":"20us"}}`)
	if got := w.platform(http.MethodGet, "/negotiators/JAS", "").body; got != want || !json.Valid([]byte(got)) {
		t.Errorf("%s", got)
	}
	w.control(http.MethodDelete, "faults", "", nil)
	w.fault(`{"action":{"slow":"1h"}}`)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	got, err := w.try(ctx, http.MethodGet, "/negotiators/JAS", "", w.inOrder()...)
	if !errors.Is(err, context.DeadlineExceeded) || got.status != http.StatusOK || got.body != "{" {
		t.Errorf("%+v, %v", got, err)
	}
}

// met sends a hundred notifications in this order and tells which met a fault.
func met(t *testing.T, seed string, order func(n int) int) (calls []bool) {
	w := newWorld(t)
	w.knobs(`{"rate":0,"faultSeed":` + seed + `}`)
	w.fault(`[{"chance":0.2,"action":{"status":500}},{"match":{"callId":"c7"},"chance":0.5,"action":{"status":503}}]`)
	calls = make([]bool, 100)
	for n := range calls {
		i := order(n)
		body := strings.Replace(incoming, `"c1"`, `"c`+strconv.Itoa(i)+`"`, 1)
		calls[i] = w.notify(body).status != http.StatusAccepted
	}
	return calls
}

func TestChanceIsThatOfTheSeed(t *testing.T) {
	forward, backward := func(n int) int { return n }, func(n int) int { return 99 - n }
	first := met(t, "1", forward)
	hit := 0
	for _, bad := range first {
		if bad {
			hit++
		}
	}
	if hit < 5 || hit > 40 {
		t.Errorf("%d of 100 met a fault that comes to every fifth", hit)
	}
	if !slices.Equal(first, met(t, "1", backward)) {
		t.Error("in another order others meet it")
	}
	if slices.Equal(first, met(t, "2", forward)) {
		t.Error("another seed makes the same")
	}
}

func TestChanceIsNewForARepetition(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"rate":0}`)
	w.fault(`{"chance":0.5,"action":{"status":500}}`)
	statuses := map[int]int{}
	for range 40 {
		statuses[w.notify(incoming).status]++
	}
	if statuses[500] < 5 || statuses[202] < 5 {
		t.Errorf("%v", statuses)
	}
}

// What was shown to the agent is told, whatever was answered.
func TestJournalTellsWhatWasAccepted(t *testing.T) {
	for action, want := range map[string][2]bool{
		`{"status":503}`:                    {false, false},
		`{"status":503,"processed":true}`:   {true, true},
		`{"drop":true,"processed":true}`:    {true, true},
		`{"delay":"1ms"}`:                   {true, true},
		`{"status":202,"body":"malformed"}`: {false, false},
	} {
		w := newWorld(t)
		w.fault(`{"times":1,"action":` + action + `}`)
		_, _ = w.try(context.Background(), http.MethodPost, "/notifications/", incoming, w.inOrder()...) // dropped or not
		var list struct {
			Requests []struct{ Accepted, Done bool }
		}
		w.control(http.MethodGet, "requests?callId=c1", "", &list)
		if len(list.Requests) != 1 || list.Requests[0].Accepted != want[0] || w.accepted() == 1 != want[1] {
			t.Errorf("%s: %+v", action, list)
		}
	}
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{
		``, `{}`, `{"action":{}}`, `{"action":{"status":99}}`, `{"action":{"status":500,"body":"xml"}}`, `{"times":-1,"action":{"drop":true}}`,
		`{"chance":-0.1,"action":{"drop":true}}`, `{"chance":1.1,"action":{"drop":true}}`,
		`{"action":{"delay":"-1s"}}`, `{"action":{"delay":"fast"}}`, `{"action":{"hang":true,"retryAfter":{"after":"1s"}}}`,
		`{"action":{"status":429,"retryAfter":{"after":"1s","as":"year"}}}`, `{"match":{"verb":"GET"},"action":{"drop":true}}`, `[{"action":{"status":500}},{}]`,
	} {
		if got := w.do(http.MethodPost, "/control/faults", bad); got.status != http.StatusBadRequest || !strings.HasPrefix(got.body, `{"error":`) {
			t.Errorf("%s: %d %s", bad, got.status, got.body)
		}
	}
	var rules []any
	w.control(http.MethodGet, "faults", "", &rules)
	if len(rules) != 0 {
		t.Errorf("kept %v", rules)
	}
}
