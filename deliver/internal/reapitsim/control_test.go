package reapitsim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"ringstream/deliver/internal/reapitsim"
)

func TestRequestsAreRecordedWithoutSecrets(t *testing.T) {
	w := newWorld(t)
	w.postToken("/oauth/token", form("grant_type=client_credentials&client_secret=demo-secret"))
	w.notify(incoming)
	w.notify("not JSON")
	got := w.do(http.MethodGet, "/control/requests", "")
	for _, secret := range []string{"demo-secret", w.token, "ZGVtby1jbGllbnQ"} {
		if strings.Contains(got.body, secret) {
			t.Errorf("%q in %s", secret, got.body)
		}
	}
	var list struct {
		Total    int
		Requests []reapitsim.Request
	}
	w.decode(got, http.StatusOK, &list)
	if list.Total != 4 {
		t.Fatalf("%d requests", list.Total)
	}
	r := list.Requests[2]
	if r.Number != 3 || r.Method != http.MethodPost || r.Path != "/notifications/" || r.Customer != "SBOX" || r.Status != 202 || !r.Done ||
		r.CallID != "c1" || r.SubType != "incomingCall" || fmt.Sprint(r.NegotiatorIDs) != "[JAS]" || string(r.Body) != incoming ||
		r.Headers["Authorization"] != "Bearer ***" || r.Headers["Api-Version"] != "2020-01-31" || !r.Time.Equal(w.clock.now()) {
		t.Errorf("%+v", r)
	}
	if bad := list.Requests[3]; string(bad.Body) != `"not JSON"` || bad.Status != 400 {
		t.Errorf("%+v", bad)
	}
	for query, want := range map[string]int{
		"status=202": 1, "status=200": 2, "path=/notifications": 2, "path=/oauth/token": 2, "callId=c1": 1, "negotiatorId=JAS": 1,
		"negotiatorId=TOM": 0, "subType=incomingCall": 1, "customer=SBOX": 2, "limit=1": 4,
	} {
		w.control(http.MethodGet, "requests?"+query, "", &list)
		if list.Total != want {
			t.Errorf("%s: %d, want %d", query, list.Total, want)
		}
	}
}

func TestDurationIsMeasured(t *testing.T) {
	w := newWorld(t)
	w.fault(`{"action":{"hang":true}}`)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = w.try(ctx, http.MethodPost, "/notifications", incoming, w.inOrder()...)
	}()
	w.eventually("it hangs", func() bool { return w.stats().InFlight == 1 })
	w.clock.forward(1500e6)
	cancel()
	<-ended
	var list struct{ Requests []reapitsim.Request }
	w.eventually("it is recorded", func() bool {
		w.control(http.MethodGet, "requests?callId=c1", "", &list)
		return list.Requests[0].DurationMS == 1500
	})
}

// Every knob changes alone, and goes back.
func TestKnobsAreSetOneByOne(t *testing.T) {
	w := newWorld(t)
	read := func() (k map[string]any) { w.control(http.MethodGet, "knobs", "", &k); return k }
	usual := read()
	changed := map[string]string{
		"validationStatus": `400`, "zonelessCreated": `"accept"`, "callerIdSpaces": `"accept"`, "missingDestination": `"reject"`,
		"unknownTarget": `"reject"`, "extraProperties": `"accept"`, "legacyAuthorizer": `true`, "missingCustomer": `401`,
		"notInstalled": `["RES"]`, "unlisted": `true`, "missingScopes": `["negotiators.read"]`, "tokenSeconds": `[1,2]`, "rate": `1`, "rateWindow": `"fixed"`,
		"concurrency": `1`, "daily": `1`, "limitBody": `"camel"`, "leakedSlot": `"1s"`, "gatewayTimeout": `"1s"`, "deserted": `"goesOn"`, "linkPrefix": `"/api"`, "faultSeed": `7`, "cachedTokens": `false`,
	}
	if len(changed) != len(usual) {
		t.Errorf("%d knobs are tried, there are %d", len(changed), len(usual))
	}
	for name, value := range changed {
		w.knobs(fmt.Sprintf(`{%q:%s}`, name, value))
		want := map[string]any{}
		for k, v := range usual {
			want[k] = v
		}
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			t.Fatal(err)
		}
		want[name] = v
		if got := read(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		w.control(http.MethodDelete, "knobs", "", nil)
		if got := read(); !reflect.DeepEqual(got, usual) {
			t.Errorf("after %s: %v", name, got)
		}
	}
}

func TestKnobsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{
		`{"validationStatus":500}`, `{"zonelessCreated":"perhaps"}`, `{"callerIdSpaces":""}`, `{"missingDestination":"x"}`,
		`{"unknownTarget":"x"}`, `{"extraProperties":"x"}`, `{"missingCustomer":200}`, `{"tokenSeconds":[0,1]}`, `{"tokenSeconds":[2,1]}`,
		`{"rate":-1}`, `{"rateWindow":"x"}`, `{"concurrency":-1}`, `{"daily":-1}`, `{"limitBody":"x"}`, `{"leakedSlot":"-1s"}`,
		`{"gatewayTimeout":"0s"}`, `{"deserted":"x"}`, `{"rates":1}`, `[]`, ``,
	} {
		if got := w.do(http.MethodPost, "/control/knobs", bad); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, got.status, got.body)
		}
	}
	for _, bad := range []string{`{"meanMs":-1}`, `{"meanMs":1,"jitterMs":2}`, `{"mean":1}`} {
		if got := w.do(http.MethodPost, "/control/latency", bad); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, got.status, got.body)
		}
	}
}

func TestUnknownControlPath(t *testing.T) {
	w := newWorld(t)
	w.want(w.do(http.MethodGet, "/control/nothing", ""), http.StatusNotFound)
	w.want(w.do(http.MethodDelete, "/control/faults/x", ""), http.StatusBadRequest)
}

func TestResetForgetsEverything(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"daily":1}`)
	w.fault(`{"match":{"path":"/negotiators"},"action":{"drop":true}}`)
	w.notify(incoming)
	w.notify(incoming)
	w.control(http.MethodPost, "latency", `{"meanMs":1}`, nil)
	w.control(http.MethodPost, "reset", "", nil)
	w.want(w.notify(incoming), http.StatusUnauthorized)
	w.token = w.newToken()
	w.want(w.notify(incoming), http.StatusAccepted)
	w.want(w.notify(incoming), http.StatusAccepted)
	w.want(w.platform(http.MethodGet, "/negotiators", ""), http.StatusOK)
	if st := w.stats(); st.Requests != 4 || st.Statuses["202"] != 2 || st.Refused["daily"] != 0 {
		t.Errorf("%+v", st)
	}
	var l reapitsim.Latency
	w.control(http.MethodGet, "latency", "", &l)
	if l != (reapitsim.Latency{}) {
		t.Errorf("%+v", l)
	}
}

// follow reads a stream; next gives the ids of the negotiators of the next n lines.
func (w *world) follow(query string) (next func(n int) string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/control/stream"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cancel(); response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	return func(n int) string {
		var ids []string
		for range n {
			if !lines.Scan() {
				w.t.Fatalf("stream ended: %v", lines.Err())
			}
			var entry reapitsim.Notification
			if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
				w.t.Fatal(err)
			}
			ids = append(ids, entry.NegotiatorID)
		}
		return strings.Join(ids, " ")
	}
}

func TestStream(t *testing.T) {
	w := newWorld(t)
	send := func(ids string) {
		w.want(w.notify(strings.Replace(incoming, `"JAS"`, ids, 1)), http.StatusAccepted)
	}
	send(`"JAS","TOM"`)
	fresh, all, second := w.follow(""), w.follow("?from=0"), w.follow("?from=2")
	if got := all(2); got != "JAS TOM" {
		t.Error(got)
	}
	if got := second(1); got != "TOM" {
		t.Error(got)
	}
	everyoneReads := func(want string) {
		for name, next := range map[string]func(int) string{"fresh": fresh, "all": all, "second": second} {
			if got := next(1); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
	send(`"SAR"`)
	everyoneReads("SAR")
	w.control(http.MethodPost, "reset", "", nil) // streams stay in place
	w.token = w.newToken()
	send(`"ALI"`)
	everyoneReads("ALI")
	w.want(w.do(http.MethodGet, "/control/stream?from=x", ""), http.StatusBadRequest)
}
