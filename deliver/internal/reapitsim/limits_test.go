package reapitsim_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ringstream/deliver/internal/reapitsim"
)

// hold keeps n requests of a customer inside the platform until the returned function lets them go.
func (w *world) hold(n int, customer string) (release func()) {
	w.t.Helper()
	w.fault(fmt.Sprintf(`{"match":{"customer":%q,"callId":"held"},"action":{"hang":true}}`, customer))
	ctx, cancel := context.WithCancel(context.Background())
	body := strings.Replace(incoming, "c1", "held", 1)
	before := w.stats().InFlight
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			_, _ = w.try(ctx, http.MethodPost, "/notifications/", body, w.inOrder(header("reapit-customer", customer))...)
		})
	}
	w.eventually("all are held", func() bool { return w.stats().InFlight == before+n })
	release = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		w.eventually("none is held", func() bool { return w.stats().InFlight == before })
	})
	w.t.Cleanup(release)
	return release
}

func TestFiveAtATimePerCustomer(t *testing.T) {
	w := newWorld(t)
	release := w.hold(5, "SBOX")
	got := w.notify(incoming)
	w.want(got, http.StatusTooManyRequests)
	golden(t, "429-concurrency.json", got.body)
	w.want(w.notify(incoming, header("reapit-customer", "RES")), http.StatusAccepted)
	w.want(w.platform(http.MethodGet, "/negotiators/", ""), http.StatusTooManyRequests)
	release()
	w.want(w.notify(incoming), http.StatusAccepted)

	st := w.stats()
	if st.MaxInFlight != 6 || st.MaxInFlightByCustomer["SBOX"] != 6 || st.MaxInFlightByCustomer["RES"] != 1 ||
		st.Refused["concurrency"] != 2 || st.Statuses["none"] != 5 || st.Statuses["202"] != 2 {
		t.Errorf("%+v", st)
	}
}

// looking is an answer of which every part is looked at as it leaves.
type looking struct {
	*httptest.ResponseRecorder
	leaves func(size int)
}

func (l looking) Write(p []byte) (int, error) {
	l.leaves(l.Body.Len() + len(p))
	return l.ResponseRecorder.Write(p)
}

// Who has the last byte of an answer may make the next request at once: it counts
// beside no request that was answered.
func TestARequestEndsBeforeItsClientKnows(t *testing.T) {
	w := newWorld(t)
	sim := reapitsim.New(reapitsim.Options{ClientID: "demo", ClientSecret: "demo-secret", Customers: []string{"SBOX"}, Negotiators: reapitsim.DefaultDirectory(), Now: w.clock.now})
	t.Cleanup(sim.Close)
	ask := func(method, path, body string, leaves func(int), headers ...change) string {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		for _, change := range headers {
			change(r)
		}
		answer := looking{httptest.NewRecorder(), leaves}
		sim.ServeHTTP(answer, r)
		return answer.Body.String()
	}
	quiet := func(int) {}
	stats := func() (st reapitsim.Stats) {
		if err := json.Unmarshal([]byte(ask(http.MethodGet, "/control/stats", "", quiet)), &st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	var given struct {
		Token string `json:"access_token"`
	}
	form := header("Content-Type", "application/x-www-form-urlencoded")
	basic := header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("demo:demo-secret")))
	if err := json.Unmarshal([]byte(ask(http.MethodPost, "/oauth/token", "grant_type=client_credentials", quiet, form, basic)), &given); err != nil {
		t.Fatal(err)
	}
	list := func(leaves func(int)) string {
		return ask(http.MethodGet, "/negotiators/?pageSize=100", "", leaves,
			header("Authorization", "Bearer "+given.Token), header("api-version", "2020-01-31"), header("reapit-customer", "SBOX"))
	}
	whole := len(list(quiet))
	for _, slow := range []string{"0s", "1ns"} {
		ask(http.MethodPost, "/control/faults", `{"match":{"path":"/negotiators"},"times":1,"action":{"status":200,"body":"text","text":"`+strings.Repeat("x", whole)+`","slow":"`+slow+`"}}`, quiet)
		parts := 0
		list(func(size int) {
			parts++
			if size < whole {
				return
			}
			if n := stats().InFlight; n != 0 {
				t.Errorf("slow %s: %d in flight with the last byte", slow, n)
			}
		})
		if slow == "1ns" && parts != whole {
			t.Errorf("%d parts of %d bytes", parts, whole)
		}
	}
	list(func(size int) {
		if n := stats().InFlight; size >= whole && n != 0 {
			t.Errorf("%d in flight with the last byte of the list", n)
		}
	})
}

// A gateway does not tell what stands behind it that the client has left.
func TestARequestMayGoOnWithoutItsClient(t *testing.T) {
	for knob, under := range map[string]int{"ends": 0, "goesOn": 1} {
		w := newWorld(t)
		w.knobs(fmt.Sprintf(`{"deserted":%q}`, knob))
		w.fault(`{"match":{"path":"/notifications"},"action":{"delay":"1s"}}`)
		ctx, leave := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = w.try(ctx, http.MethodPost, "/notifications/", incoming, w.inOrder()...) })
		w.eventually("it is under way", func() bool { return w.stats().InFlight == 1 })
		began := time.Now()
		leave()
		asking.Wait()
		w.eventually("it ends", func() bool { return w.stats().InFlight == 0 })
		if lasted := time.Since(began) > 500*time.Millisecond; lasted != (under == 1) {
			t.Errorf("%s: %v", knob, time.Since(began))
		}
	}
}

func TestConcurrencyKnob(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"concurrency":1}`)
	release := w.hold(1, "SBOX")
	w.want(w.notify(incoming), http.StatusTooManyRequests)
	release()
	w.knobs(`{"concurrency":0}`)
	w.hold(7, "SBOX")
	w.want(w.notify(incoming), http.StatusAccepted)
}

func (w *world) count(n, status int, changes ...change) {
	w.t.Helper()
	for i := range n {
		if got := w.notify(incoming, changes...); got.status != status {
			w.t.Fatalf("request %d: %d, want %d", i+1, got.status, status)
		}
	}
}

func TestTwentyInAnySecondOfTheApplication(t *testing.T) {
	w := newWorld(t)
	w.count(10, 202)
	w.clock.forward(600 * time.Millisecond)
	w.count(10, 202, header("reapit-customer", "RES")) // the rate is the application's
	w.count(1, 429)
	w.clock.forward(399 * time.Millisecond)
	w.count(2, 429) // what is refused does not count
	w.clock.forward(time.Millisecond)
	w.count(10, 202)
	w.count(1, 429)
	if st := w.stats(); st.MaxPerSecond != 24 || st.Refused["rate"] != 4 {
		t.Errorf("%+v", st)
	}
}

func TestFixedRateWindow(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"rateWindow":"fixed","rate":2}`)
	w.clock.forward(800 * time.Millisecond) // 0.92 s past the second
	w.count(2, 202)
	w.count(1, 429)
	w.clock.forward(100 * time.Millisecond)
	w.count(2, 202)
	w.count(1, 429)
}

func TestDailyLimitEndsWithTheDay(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"daily":2,"tokenSeconds":[86400,86400]}`)
	w.control(http.MethodDelete, "tokens", "", nil)
	w.token = w.newToken()
	w.count(2, 202)
	w.clock.forward(13 * time.Hour)
	w.count(1, 429)
	w.clock.forward(time.Hour)
	w.count(2, 202)
}

func TestSlotLeaksAfterGatewayTimeout(t *testing.T) {
	w := newWorld(t)
	w.knobs(`{"leakedSlot":"1m","concurrency":2}`)
	w.fault(`{"match":{"callId":"c1"},"times":2,"action":{"status":504}}`)
	got := w.notify(incoming)
	w.want(got, http.StatusGatewayTimeout)
	golden(t, "504-timeout.json", got.body)
	w.clock.forward(30 * time.Second)
	w.count(1, 504)
	w.count(1, 429) // nothing is in flight, yet both slots are taken
	w.clock.forward(31 * time.Second)
	w.count(1, 202)
}

func TestLegacyAuthorizerKeepsTheFirstCustomer(t *testing.T) {
	w := newWorld(t)
	customers := func() string {
		var list struct{ Notifications []struct{ Customer string } }
		w.control(http.MethodGet, "notifications", "", &list)
		var all []string
		for _, n := range list.Notifications {
			all = append(all, n.Customer)
		}
		return strings.Join(all, " ")
	}
	w.knobs(`{"legacyAuthorizer":true}`)
	w.count(1, 202)
	w.count(1, 202, header("reapit-customer", "RES"))
	w.clock.forward(5 * time.Minute)
	w.count(1, 202, header("reapit-customer", "RES"))
	w.knobs(`{"legacyAuthorizer":false}`)
	w.count(1, 202)
	if got := customers(); got != "SBOX SBOX RES SBOX" {
		t.Error(got)
	}
	var list struct {
		Requests []struct{ Customer, ActedFor string }
	}
	w.control(http.MethodGet, "requests?customer=RES", "", &list)
	if len(list.Requests) != 2 || list.Requests[0].ActedFor != "SBOX" || list.Requests[1].ActedFor != "" {
		t.Errorf("%+v", list)
	}
}
