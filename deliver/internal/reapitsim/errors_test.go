package reapitsim_test

import (
	"net/http"
	"testing"
	"time"
)

// Every documented error, provoked; its body stands in testdata.
func TestErrorBodies(t *testing.T) {
	type setup func(*world)
	knob := func(k string) setup { return func(w *world) { w.knobs(k) } }
	for _, c := range []struct {
		golden       string
		setup        setup
		method, path string
		body         string
		change       change
		status       int
	}{
		{golden: "401-no-token.json", change: header("Authorization", ""), status: 401},
		{golden: "401-no-token.json", change: header("Authorization", "Bearer made-up"), status: 401},
		{golden: "401-no-token.json", change: header("Authorization", "Basic ZGVtbw=="), status: 401},
		{golden: "401-expired.json", setup: func(w *world) { w.clock.forward(time.Hour) }, status: 401},
		{golden: "401-no-token.json", setup: func(w *world) { w.control(http.MethodDelete, "tokens", "", nil) }, status: 401},
		{golden: "400-no-version.json", change: header("api-version", ""), status: 400},
		{golden: "400-no-version.json", change: header("api-version", "2019-01-01"), status: 400},
		{golden: "400-no-customer.json", change: header("reapit-customer", ""), status: 400},
		{golden: "403-no-customer.json", setup: knob(`{"missingCustomer":403}`), change: header("reapit-customer", ""), status: 403},
		{golden: "401-not-installed.json", change: header("reapit-customer", "YOM"), status: 401},
		{golden: "401-not-installed.json", setup: knob(`{"notInstalled":["SBOX"]}`), status: 401},
		{golden: "401-unlisted.json", setup: knob(`{"unlisted":true}`), status: 401},
		{golden: "403-scope.json", setup: knob(`{"missingScopes":["notifications.telephony.write"]}`), status: 403},
		{golden: "403-scope.json", setup: knob(`{"missingScopes":["negotiators.read"]}`), method: "GET", path: "/negotiators", status: 403},
		{golden: "415-content-type.json", change: header("Content-Type", "text/plain"), status: 415},
		{golden: "400-not-json.json", body: `{"type":`, status: 400},
		{golden: "400-not-json.json", body: incoming + incoming, status: 400},
		{golden: "422-example.json", body: notification("ADV", "missedCall", `{}`), status: 422},
		{golden: "400-example.json", setup: knob(`{"validationStatus":400}`), body: notification("ADV", "missedCall", `{}`), status: 400},
		{golden: "403-path.json", path: "/api/notifications/", status: 403},
		{golden: "403-path.json", method: "GET", status: 403},
		{golden: "403-path.json", method: "PATCH", path: "/negotiators/JAS", status: 403},
		{golden: "404-negotiator.json", method: "GET", path: "/negotiators/NONE", status: 404},
		{golden: "400-page-size.json", method: "GET", path: "/negotiators/?pageSize=101", status: 400},
		{golden: "400-sort.json", method: "GET", path: "/negotiators/?sortBy=email", status: 400},
		{golden: "429-daily.json", setup: knob(`{"daily":1}`), status: 429},
		{golden: "429-rate.json", setup: knob(`{"rate":1}`), status: 429},
		{golden: "429-camel.json", setup: knob(`{"rate":1,"limitBody":"camel"}`), status: 429},
	} {
		t.Run(c.golden, func(t *testing.T) {
			w := newWorld(t)
			if c.setup != nil {
				c.setup(w)
			}
			if c.status == http.StatusTooManyRequests {
				w.want(w.notify(incoming), http.StatusAccepted)
			}
			method, path, body, changed := c.method, c.path, c.body, c.change
			if method == "" {
				method = http.MethodPost
			}
			if path == "" {
				path = "/notifications/"
			}
			if body == "" {
				body = incoming
			}
			if changed == nil {
				changed = func(*http.Request) {}
			}
			got := w.platform(method, path, body, changed)
			w.want(got, c.status)
			if got.header.Get("x-amzn-RequestId") == "" {
				t.Error("no x-amzn-RequestId")
			}
			if got.header.Get("Retry-After") != "" {
				t.Error("Retry-After, which Reapit never sends")
			}
			golden(t, c.golden, got.body)
		})
	}
}

func TestBodyTooLarge(t *testing.T) {
	w := newWorld(t)
	got := w.notify(string(make([]byte, 6<<20+1)))
	w.want(got, http.StatusRequestEntityTooLarge)
	golden(t, "413-body.json", got.body)
}
