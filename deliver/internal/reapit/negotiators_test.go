package reapit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/reapitsim"
)

// pages answers each page number with its text; behind them is nothing.
func pages(asked *[]url.Values, texts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Query())
		n, _ := strconv.Atoi(r.URL.Query().Get("pageNumber"))
		text := `{"_embedded":[]}`
		if n >= 1 && n <= len(texts) {
			text = texts[n-1]
		}
		answer(200, asJSON, text)(w, r)
	}
}

// people are negotiators from number a up to b.
func people(a, b int) []map[string]any {
	var list []map[string]any
	for i := a; i < b; i++ {
		list = append(list, map[string]any{"id": fmt.Sprintf("%03d", i), "email": fmt.Sprintf("p%d@agency.example", i), "active": i%2 == 0})
	}
	return list
}

func sheet(size, total int, list []map[string]any) string {
	b, _ := json.Marshal(map[string]any{"_embedded": list, "pageSize": size, "totalPageCount": total, "totalCount": 0})
	return string(b)
}

func TestNegotiatorsPages(t *testing.T) {
	for name, c := range map[string]struct {
		pages  []string
		people int // who must be found: from 0 on
		asked  int
	}{
		"none":                      {[]string{`{"_embedded":[],"totalPageCount":0}`}, 0, 1},
		"one short page":            {[]string{sheet(100, 1, people(0, 3))}, 3, 1},
		"two pages":                 {[]string{sheet(100, 2, people(0, 100)), sheet(100, 2, people(100, 130))}, 130, 2},
		"a full last page":          {[]string{sheet(100, 2, people(0, 100)), sheet(100, 2, people(100, 200))}, 200, 3},
		"totals too low":            {[]string{sheet(100, 1, people(0, 100)), sheet(100, 1, people(100, 130))}, 130, 2},
		"totals too high":           {[]string{sheet(100, 9, people(0, 100)), sheet(100, 9, people(100, 130))}, 130, 3},
		"smaller pages than wanted": {[]string{sheet(25, 3, people(0, 25)), sheet(25, 3, people(25, 50)), sheet(25, 3, people(50, 60))}, 60, 3},
		"a short page in between":   {[]string{sheet(100, 2, people(0, 90)), sheet(100, 2, people(90, 130))}, 130, 2},
		"twice over a boundary":     {[]string{sheet(100, 2, people(0, 100)), sheet(100, 2, people(98, 130))}, 130, 2},
		"the same page again":       {[]string{sheet(100, 5, people(0, 100)), sheet(100, 5, people(0, 100))}, 100, 2},
		"no sizes, no totals":       {[]string{sheet(0, 0, people(0, 100)), sheet(0, 0, people(100, 101))}, 101, 2},
		"null behind the last":      {[]string{sheet(100, 1, people(0, 100)), `{"_embedded":null}`}, 100, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []url.Values
			list, err := start(t, giveToken, pages(&asked, c.pages...)).Negotiators(t.Context(), "RES")
			if err != nil || len(list) != c.people || len(asked) != c.asked {
				t.Fatalf("%d people in %d requests, want %d in %d: %v", len(list), len(asked), c.people, c.asked, err)
			}
			for i, n := range list {
				want := reapit.Negotiator{ID: fmt.Sprintf("%03d", i), Email: fmt.Sprintf("p%d@agency.example", i), Active: i%2 == 0}
				if n != want {
					t.Errorf("%+v, want %+v", n, want)
				}
			}
			for i, q := range asked {
				if want := (url.Values{"pageSize": {"100"}, "pageNumber": {strconv.Itoa(i + 1)}, "sortBy": {"name"}}); !reflect.DeepEqual(q, want) {
					t.Errorf("asked %v, want %v", q, want)
				}
			}
		})
	}
}

// counts is a page that tells how many people there are, with links as an older
// Reapit had them.
func counts(total int, list []map[string]any) string {
	b, _ := json.Marshal(map[string]any{
		"_embedded": list, "pageSize": 100, "totalPageCount": (total + 99) / 100, "totalCount": total,
		"_links": map[string]any{"next": map[string]any{"href": "/api/negotiators/?PageNumber=2&PageSize=100"}},
	})
	return string(b)
}

// Whoever moves to a page that was read already is not forgotten: a list that
// may have a hole is read again.
func TestNegotiatorsWhoMoveMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		readings [][]string
		people   int // from 0 on; -1: no list
	}{
		"nobody does":           {[][]string{{counts(130, people(0, 100)), counts(130, people(100, 130))}}, 130},
		"one leaves in between": {[][]string{{counts(131, people(0, 100)), counts(130, people(101, 131))}, {counts(130, people(0, 100)), counts(130, people(100, 130))}}, 130},
		"one comes in between":  {[][]string{{counts(129, people(0, 100)), counts(130, people(99, 129))}, {counts(130, people(0, 100)), counts(130, people(100, 130))}}, 130},
		"the second is empty":   {[][]string{{counts(130, people(0, 100)), counts(130, []map[string]any{})}, {counts(130, people(0, 100)), counts(130, people(100, 130))}}, 130},
		"the total is wrong":    {[][]string{{counts(140, people(0, 100)), counts(140, people(100, 130))}, {counts(140, people(0, 100)), counts(140, people(100, 130))}}, 130},
		"it is never the same": {[][]string{
			{counts(140, people(0, 100)), counts(140, people(100, 130))}, {counts(140, people(0, 100)), counts(140, people(100, 131))}, {counts(140, people(0, 100)), counts(140, people(100, 132))},
		}, -1},
		"nobody of many": {[][]string{{counts(140, []map[string]any{})}, {counts(140, []map[string]any{})}, {counts(140, []map[string]any{})}}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []url.Values
			reading := -1
			list, err := start(t, giveToken, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("pageNumber") == "1" {
					reading++
				}
				if r.URL.Path != "/negotiators/" || reading >= len(c.readings) {
					t.Errorf("asked for %s in reading %d", r.URL, reading)
					w.WriteHeader(http.StatusForbidden)
					return
				}
				pages(&asked, c.readings[reading]...)(w, r)
			}).Negotiators(t.Context(), "RES")
			if (err != nil) != (c.people < 0) || len(list) != max(c.people, 0) || reading != len(c.readings)-1 {
				t.Fatalf("%d people in %d readings: %v", len(list), reading+1, err)
			}
			for i, n := range list {
				if n.ID != fmt.Sprintf("%03d", i) {
					t.Errorf("%d is %s", i, n.ID)
				}
			}
		})
	}
}

func TestNegotiatorsFields(t *testing.T) {
	const body = `{"_EMBEDDED":[{"ID":"JAS","email":null,"active":null,"name":"x","metadata":{"a":[1]}},{"id":"","email":"a@b.example"},{"id":null},
		{"id":"TST","Email":" T@B.example","Active":false},{"id":"TST","Email":"later@b.example","Active":true}]}`
	var asked []url.Values
	got, err := start(t, giveToken, pages(&asked, body)).Negotiators(t.Context(), "RES")
	want := []reapit.Negotiator{{ID: "JAS", Active: true}, {ID: "TST", Email: "later@b.example", Active: true}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNegotiatorsThatNeverEnd(t *testing.T) {
	var n atomic.Int32
	_, err := start(t, giveToken, func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1))
		answer(200, asJSON, sheet(1, 9999, people(i, i+1)))(w, r)
	}).Negotiators(t.Context(), "RES")
	if !errors.Is(err, reapit.ErrMalformed) || n.Load() != 1000 {
		t.Errorf("%v after %d pages", err, n.Load())
	}
}

func TestNegotiatorsFailures(t *testing.T) {
	for name, c := range map[string]struct {
		api  http.HandlerFunc
		want string
	}{
		"scope":       {answer(403, asJSON, `{"description":"not granted the required scope"}`), "answered 403: not granted the required scope"},
		"not JSON":    {answer(200, asJSON, "<html>"), "malformed answer"},
		"no list":     {answer(200, asJSON, `{"totalCount":3}`), "no _embedded"},
		"wrong shape": {answer(200, asJSON, `{"_embedded":{"id":"JAS"}}`), "malformed answer"},
		"broken off":  {hijack(t, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"_emb"), "unexpected EOF"},
		"hung up":     {hijack(t, ""), "ask reapit"},
		"second page": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("pageNumber") == "2" {
				answer(500, asJSON, `{"description":"An unexpected error"}`)(w, r)
				return
			}
			answer(200, asJSON, sheet(100, 2, people(0, 100)))(w, r)
		}, "list negotiators of RES, page 2: /negotiators answered 500: An unexpected error"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := start(t, giveToken, c.api).Negotiators(t.Context(), "RES")
			if err == nil || !strings.Contains(err.Error(), c.want) || list != nil {
				t.Fatalf("%v, %v", list, err)
			}
			mute(t, err.Error())
		})
	}
}

// world is the simulator behind a client that means to be in order.
func world(t *testing.T) (*reapit.Client, func(method, path, body string)) {
	sim := reapitsim.New(reapitsim.Options{
		ClientID: "demo-client", ClientSecret: secret, Customers: []string{"RES", "SBOX"}, Negotiators: reapitsim.DefaultDirectory(),
	})
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.Close()
		server.Close()
	})
	control := func(method, path, body string) {
		t.Helper()
		r, err := http.NewRequest(method, server.URL+"/control/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(r)
		if err != nil || resp.StatusCode >= 300 {
			t.Fatalf("%s: %v %v", path, resp, err)
		}
		_ = resp.Body.Close()
	}
	return connect(t, config(server.URL), nil), control
}

func TestNegotiatorsOfTheSimulator(t *testing.T) {
	c, control := world(t)
	list, err := c.Negotiators(t.Context(), "RES")
	if err != nil || len(list) != len(reapitsim.DefaultDirectory()["*"]) {
		t.Fatalf("%d, %v", len(list), err)
	}
	control("DELETE", "tokens", "")
	if _, err := c.Negotiators(t.Context(), "RES"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a revoked token: %v", err)
	}
	if _, err := c.Negotiators(t.Context(), "RES"); err != nil {
		t.Errorf("the next one has a new token: %v", err)
	}
}

// Every body is what the strict reading of Reapit's contract accepts.
func TestTheSimulatorAcceptsEveryBody(t *testing.T) {
	c, control := world(t)
	control("POST", "knobs", `{"rate":0,"unknownTarget":"reject"}`)
	for _, table := range numbers {
		for _, number := range table {
			for _, sub := range []string{"incomingCall", "answeredCall", "endedCall", "missedCall"} {
				n := notification()
				n.SubType, n.AnsweredByID, n.Also = sub, "TST", []string{"TOM"}
				n.Call.Caller, n.Call.Called = number.raw, number.raw
				if r := c.Notify(t.Context(), n, traceparent); !r.OK() || r.RequestID == "" {
					t.Fatalf("%q as %s: %+v", number.raw, sub, r)
				}
			}
		}
	}
}

// With the authorizer of old, a token acts for the customer it was first used for.
func TestNoTenantGetsTheCallsOfAnother(t *testing.T) {
	c, control := world(t)
	control("POST", "knobs", `{"legacyAuthorizer":true,"tokenSeconds":[200,250]}`)
	for _, customer := range []string{"RES", "SBOX", "RES"} {
		n := notification()
		n.Customer = customer
		if customer == "SBOX" {
			n.NegotiatorID = "ADV" // refused for SBOX, and for nobody else
		}
		if r := c.Notify(t.Context(), n, ""); r.OK() == (customer == "SBOX") {
			t.Errorf("%s: %+v", customer, r)
		}
	}
}
