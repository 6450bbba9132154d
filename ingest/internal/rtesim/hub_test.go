package rtesim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/rtesim"
)

func TestSubscribeResults(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.Unauthorized = []string{strings.ToUpper(tom)} })
	c := dial(t, sim)
	f := c.invoke("subscribe", []rte.EntitySubscription{
		item(jane, "UserStatus"), item(tom, "UserStatus"), item("jane", "UserStatus"), item(jane, "UserMood"),
		item(strings.ToUpper(jane), "usercallincoming"),
	})
	want := `[{"subscribed":true,"message":null,"entityId":"` + jane + `","eventName":"userstatus"},` +
		`{"subscribed":false,"message":"Unauthorized","entityId":"` + tom + `","eventName":"userstatus"},` +
		`{"subscribed":false,"message":"Invalid EntityId","entityId":"jane","eventName":"userstatus"},` +
		`{"subscribed":false,"message":"Invalid event name","entityId":"` + jane + `","eventName":"usermood"},` +
		`{"subscribed":true,"message":null,"entityId":"` + strings.ToUpper(jane) + `","eventName":"usercallincoming"}]`
	if string(f.Result) != want {
		t.Errorf("got  %s\nwant %s", f.Result, want)
	}
	control[object](t, sim, http.MethodPost, "unauthorized", object{"entityIds": []string{jane}})
	if got := c.subscribe(item(jane, "UserStatus"), item(tom, "UserStatus")); got[0].Reason() != rte.RefusedUnauthorized || !got[1].Subscribed {
		t.Errorf("after the change: %+v", got)
	}
}

func TestRefusedInvocations(t *testing.T) {
	c := dial(t, start(t))
	for name, f := range map[string]struct {
		got  rte.Frame
		want string
	}{
		"an argument too many": {c.invoke("AvailableSubscriptions", []int{}), "Failed to invoke 'AvailableSubscriptions' due to an error on the server."},
		"an argument too few":  {c.invoke("Subscribe"), "Failed to invoke 'Subscribe' due to an error on the server."},
		"no array":             {c.invoke("Subscribe", "all"), "Failed to invoke 'Subscribe' due to an error on the server."},
		"an unknown method":    {c.invoke("Publish", 1), "Unknown hub method 'Publish'"},
	} {
		if f.got.Error != f.want || f.got.Result != nil {
			t.Errorf("%s: %+v", name, f.got)
		}
	}
	c.write([]byte(`{"type":4,"invocationId":"s","target":"Subscribe","arguments":[[]]}` + "\x1e"))
	if f, err := rte.ReadFrame(c.record()); err != nil || f.InvocationID != "s" || !strings.Contains(f.Error, "non-streaming") {
		t.Errorf("stream: %+v %v", f, err)
	}
}

func TestNothingIsAnsweredWithoutAnID(t *testing.T) {
	c := dial(t, start(t))
	c.write(rte.AppendInvocation(nil, "", "Publish"))
	c.write([]byte(`{"type":42}` + "\x1e" + `{"type":5,"invocationId":"9"}` + "\x1e"))
	c.write(rte.AppendInvocation(nil, "mine", "activesubscriptions"))
	if f, err := rte.ReadFrame(c.record()); err != nil || f.InvocationID != "mine" {
		t.Errorf("the next answer is %+v, %v", f, err)
	}
}

func TestOnlySubscribersHear(t *testing.T) {
	sim := start(t)
	one, two, none := dial(t, sim), dial(t, sim), dial(t, sim)
	one.subscribe(item(jane, "UserCallInComing"), item(jane, "UserCallInComing"))
	two.subscribe(item(jane, "USERCALLINCOMING"), item(tom, "UserStatus"))
	none.subscribe(item(tom, "UserCallInComing"), item(jane, "UserStatus"))

	got := control[rtesim.SendResult](t, sim, http.MethodPost, "send", object{"eventType": "UserCallInComing", "user": "jane"})
	if got.Events != 1 || got.Receivers != 2 {
		t.Errorf("%+v", got)
	}
	a, b := one.message(), two.message()
	if a.ID != got.FirstID || !bytes.Equal(a.Data, b.Data) {
		t.Errorf("data differ:\n%s\n%s", a.Data, b.Data)
	}
	if a.Subscription.ID == b.Subscription.ID || a.Subscription.EventType != "UserCallInComing" || a.Subscription.EntityID != jane {
		t.Errorf("subscriptions: %+v, %+v", a.Subscription, b.Subscription)
	}
	var active []rte.Subscription
	if err := json.Unmarshal(one.invoke(rte.MethodActiveSubscriptions).Result, &active); err != nil {
		t.Fatal(err)
	}
	if len(active) != 1 || active[0] != a.Subscription {
		t.Errorf("active: %+v, on the message: %+v", active, a.Subscription)
	}
	if n := len(none.fence().backlog) + len(one.fence().backlog); n > 0 {
		t.Errorf("%d messages too many", n)
	}
}

func TestUnsubscribe(t *testing.T) {
	sim := start(t)
	c := dial(t, sim)
	c.subscribe(item(jane, "UserStatus"), item(jane, "UserSetting"), item(tom, "UserStatus"))
	send := func() (receivers int) {
		for _, s := range []rtesim.Send{{EventType: "UserStatus", User: "jane"}, {EventType: "UserSetting", User: "jane"}, {EventType: "UserStatus", User: "tom"}} {
			r, err := sim.Send(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			receivers += r.Receivers
		}
		return receivers
	}
	if n := send(); n != 3 {
		t.Errorf("%d of 3", n)
	}
	f := c.invoke(rte.MethodUnsubscribe, []rte.EntitySubscription{item(jane, "userstatus"), item("x", "UserStatus")})
	if want := `[{"subscribed":true,"message":null,"entityId":"` + jane + `","eventName":"userstatus"},` +
		`{"subscribed":false,"message":"Invalid EntityId","entityId":"x","eventName":"userstatus"}]`; string(f.Result) != want {
		t.Errorf("got %s", f.Result)
	}
	if n := send(); n != 2 {
		t.Errorf("%d of 2", n)
	}
	if f := c.invoke(rte.MethodUnsubscribeAll); string(f.Result) != "true" {
		t.Errorf("got %s", f.Result)
	}
	if n := send(); n != 0 {
		t.Errorf("%d of 0", n)
	}
}

const errorClose = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`

func TestBreachesOfTheProtocol(t *testing.T) {
	sim := start(t)
	for name, record := range map[string]string{
		"above 32 KiB":              `{"type":1,"invocationId":"1","target":"Subscribe","arguments":[[]],"pad":"` + strings.Repeat("x", rte.MaxRecord) + `"}`,
		"completion without id":     `{"type":3,"invocationId":"","error":"unknown method"}`,
		"invocation without target": `{"type":1,"arguments":[]}`,
		"no JSON":                   `MessageReceived`,
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, sim)
			c.write([]byte(record + "\x1e"))
			if got := c.record(); string(got) != errorClose {
				t.Errorf("got %s", got)
			}
			if _, err := c.read(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("ended with %v", err)
			}
		})
	}
	t.Run("above 32 KiB without an end", func(t *testing.T) {
		c := dial(t, sim)
		c.write(bytes.Repeat([]byte("x"), rte.MaxRecord))
		c.write([]byte("x"))
		if got := c.record(); string(got) != errorClose {
			t.Errorf("got %s", got)
		}
	})
	t.Run("just within 32 KiB, in parts", func(t *testing.T) {
		c := dial(t, sim)
		head, tail := `{"type":1,"invocationId":"1","target":"UnsubscribeAll","arguments":[],"pad":"`, `"}`
		record := head + strings.Repeat("x", rte.MaxRecord-len(head)-len(tail)) + tail + "\x1e"
		c.write([]byte(record[:1000]))
		c.write([]byte(record[1000:]))
		if got := c.record(); string(got) != `{"type":3,"invocationId":"1","result":true}` {
			t.Errorf("got %s", got)
		}
	})
}

func TestHandshakeRefusals(t *testing.T) {
	sim := start(t)
	for request, want := range map[string]string{
		`{"protocol":"messagepack","version":1}`: `{"error":"The protocol 'messagepack' is not supported."}`,
		`{"protocol":"json","version":9}`:        `{"error":"The server does not support version 9 of the 'json' protocol."}`,
		`hello`:                                  `{"error":"Handshake was canceled."}`,
	} {
		c := dialRaw(t, sim)
		c.write([]byte(request + "\x1e"))
		if got := c.record(); string(got) != want {
			t.Errorf("%s: got %s", request, got)
		}
	}
	c := dialRaw(t, sim) // what comes along with the handshake counts
	c.write(rte.AppendInvocation(rte.AppendHandshakeRequest(nil), "1", rte.MethodUnsubscribeAll))
	if first, second := c.record(), c.record(); string(first) != `{}` || !strings.Contains(string(second), `"result":true`) {
		t.Errorf("got %s, %s", first, second)
	}
}

func TestAClientWithoutHandshakeIsLetGo(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.HandshakeTimeout = 50 * time.Millisecond })
	if _, err := dialRaw(t, sim).read(); err == nil {
		t.Error("it stays")
	}
}

func TestPingsAndTheClientsTimeout(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.PingInterval, s.ClientTimeout = 30*time.Millisecond, 300*time.Millisecond })
	c := dial(t, sim)
	for range 12 { // which takes longer than the time-out: our pings count
		if got := c.record(); string(got) != `{"type":6}` {
			t.Fatalf("got %s", got)
		}
		c.write(rte.AppendPing(nil))
	}
	for {
		got, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) == `{"type":6}` {
			continue
		}
		if string(got) != `{"type":7,"allowReconnect":true}` {
			t.Errorf("got %s", got)
		}
		return
	}
}

func TestDrop(t *testing.T) {
	type outcome func(record []byte, err error) bool
	says := func(want string) outcome { return func(b []byte, _ error) bool { return string(b) == want } }
	fails := func(want error) outcome { return func(_ []byte, err error) bool { return errors.Is(err, want) } }
	for name, c := range map[string]struct {
		drop object
		want outcome
	}{
		"close":            {object{"mode": "close"}, says(`{"type":7}`)},
		"close, reason":    {object{"mode": "close", "error": "maintenance"}, says(`{"type":7,"error":"maintenance"}`)},
		"close, reconnect": {object{"mode": "close-reconnect"}, says(`{"type":7,"allowReconnect":true}`)},
		"eof":              {object{"mode": "eof"}, fails(io.EOF)},
		"reset":            {object{"mode": "reset"}, fails(syscall.ECONNRESET)},
	} {
		t.Run(name, func(t *testing.T) {
			sim := start(t)
			gone, stays := dial(t, sim), dial(t, sim)
			gone.subscribe(item(jane, "UserStatus"))
			c.drop["connection"] = sim.Connections()[0].ID
			if got := control[map[string]int](t, sim, http.MethodPost, "drop", c.drop); got["dropped"] != 1 {
				t.Errorf("%v", got)
			}
			if r, err := sim.Send(t.Context(), rtesim.Send{EventType: "UserStatus", User: "jane", Count: 1}); err != nil || r.Receivers != 0 {
				t.Errorf("what is dropped still listens: %+v, %v", r, err)
			}
			if b, err := gone.read(); !c.want(b, err) {
				t.Errorf("got %s, %v", b, err)
			}
			go func() { _, _ = gone.read() }() // answers the close handshake
			stays.fence()
			eventually(t, "one connection is left", func() bool { return len(sim.Connections()) == 1 })
		})
	}
	sim := start(t)
	if _, err := sim.Drop("gently", "", ""); err == nil {
		t.Error("an unknown mode was taken")
	}
}

func TestASilentConnection(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.PingInterval, s.ClientTimeout = 10*time.Millisecond, 50*time.Millisecond })
	c := dial(t, sim)
	c.subscribe(item(jane, "UserStatus"))
	if _, err := sim.Drop(rtesim.DropSilent, "", ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is silent", func() bool { return sim.Connections()[0].Silent })
	c.write(rte.AppendInvocation(nil, "1", rte.MethodUnsubscribeAll))
	if r, err := sim.Send(t.Context(), rtesim.Send{EventType: "UserStatus", User: "jane", Count: 1000}); err != nil || r.Events != 1000 {
		t.Errorf("a silent connection holds the sender up: %+v, %v", r, err)
	}
	if total := sim.Sent("", 0, 1).Total; total != 0 {
		t.Errorf("%d entries of what was never sent", total)
	}
	if len(sim.Connections()) != 1 {
		t.Error("it did not stay open")
	}
	_ = c.ws.CloseNow()
	eventually(t, "it ends with its client", func() bool { return len(sim.Connections()) == 0 })
}

func TestEndingASilentConnection(t *testing.T) {
	sim := start(t)
	c := dial(t, sim)
	for _, mode := range []string{rtesim.DropSilent, rtesim.DropReset} {
		if n, err := sim.Drop(mode, "", ""); n != 1 || err != nil {
			t.Fatalf("%s: %d, %v", mode, n, err)
		}
		eventually(t, mode, func() bool {
			all := sim.Connections()
			return len(all) == 0 || all[0].Silent
		})
	}
	if _, err := c.read(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v", err)
	}
}

func TestClientClose(t *testing.T) {
	sim := start(t)
	c := dial(t, sim)
	c.write(rte.AppendClose(nil, "", false))
	if _, err := c.read(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("ended with %v", err)
	}
	eventually(t, "it is gone", func() bool { return len(sim.Connections()) == 0 })
}

func TestAvailableSubscriptions(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.Events = []string{"UserMood"} })
	var names []string
	if err := json.Unmarshal(dial(t, sim).invoke(rte.MethodAvailableSubscriptions).Result, &names); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"UserCallInComing", "QueueStatus", "CallbackChanged", "UserMood", "UserWeather"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %v", want, names)
		}
	}
}
