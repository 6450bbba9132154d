package rtesim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/rtesim"
)

func TestAFloodArrivesInOrderAndIsRecorded(t *testing.T) {
	const count = 3000
	for _, coalesce := range []int{1, 25} {
		sim := start(t, func(s *rtesim.Settings) { s.Coalesce = coalesce })
		clients := []*client{dial(t, sim), dial(t, sim)}
		for _, c := range clients {
			c.subscribe(item(jane, "UserCallInComing"))
		}
		result := make(chan rtesim.SendResult, 1)
		go func() {
			r, err := sim.Send(t.Context(), rtesim.Send{EventType: "UserCallInComing", User: "jane", Count: count, Calls: 7})
			if err != nil {
				t.Error(err)
			}
			result <- r
		}()
		heard := make(chan []string, len(clients))
		for _, c := range clients {
			go func() { heard <- c.digests(count) }()
		}
		digests := map[string]int{}
		for range clients {
			for i, d := range <-heard {
				digests[d] = i
			}
		}
		if r := <-result; r.Events != count || r.Receivers != 2*count || len(r.CallIDs) != 7 {
			t.Errorf("%+v", r)
		}
		if t.Failed() {
			return
		}
		for i, c := range control[[]rtesim.Connection](t, sim, http.MethodGet, "connections", nil) {
			page := control[rtesim.SentPage](t, sim, http.MethodGet, "sent?limit=100000&connection="+c.ID, nil)
			if page.Total != count || len(page.Entries) != count || page.Dropped != 0 {
				t.Fatalf("log of client %d: %d of %d", i, len(page.Entries), page.Total)
			}
			for n, e := range page.Entries {
				if at, heard := digests[hex.EncodeToString(e.SHA256[:])]; !heard || at != n || e.Uncertain {
					t.Fatalf("entry %d was heard as %d (%v): %+v", n, at, heard, e)
				}
			}
		}
	}
}

// digests reads a flood, checks its numbers and returns its digests in order.
func (c *client) digests(count int) (list []string) {
	for i := range count {
		b, err := c.nextArgument()
		if err != nil {
			c.t.Error(err)
			return nil
		}
		var m struct{ Data struct{ Seq int } }
		if err := json.Unmarshal(b, &m); err != nil || m.Data.Seq != i+1 {
			c.t.Errorf("message %d has number %d, %v", i+1, m.Data.Seq, err)
			return nil
		}
		sum := sha256.Sum256(b)
		list = append(list, hex.EncodeToString(sum[:]))
	}
	return list
}

func (c *client) nextArgument() ([]byte, error) {
	for {
		record, err := c.read()
		if err != nil {
			return nil, err
		}
		if b, ok := rte.MessageArgument(record); ok {
			return b, nil
		}
	}
}

func TestLaterEventsOfCallsThatWereSent(t *testing.T) {
	sim := start(t)
	c := dial(t, sim)
	c.subscribe(item(jane, "UserCallInUserAllocated"), item(jane, "UserCallInUserConnected"))
	rung := control[rtesim.SendResult](t, sim, http.MethodPost, "send", object{"eventType": "UserCallInUserAllocated", "user": "jane", "count": 2, "calls": 2})
	control[rtesim.SendResult](t, sim, http.MethodPost, "send", object{"eventType": "UserCallInUserConnected", "user": "jane", "count": 2, "callIds": rung.CallIDs})
	var heard [4]struct {
		Data struct{ CallID, LegID string }
	}
	for i := range heard {
		if err := json.Unmarshal(c.argument(), &heard[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range rung.CallIDs {
		if heard[i].Data.CallID != id || heard[i] != heard[i+2] {
			t.Errorf("call %s rang as %+v and was answered as %+v", id, heard[i].Data, heard[i+2].Data)
		}
	}
}

func TestCoalescing(t *testing.T) {
	sim := start(t)
	c := dial(t, sim)
	c.subscribe(item(jane, "UserStatus"))
	control[object](t, sim, http.MethodPost, "coalesce", object{"records": 20})
	sim.Stall(time.Minute) // so that all of it waits
	if _, err := sim.Send(t.Context(), rtesim.Send{EventType: "UserStatus", User: "jane", Count: 40}); err != nil {
		t.Fatal(err)
	}
	sim.Stall(0)
	_, b, err := c.ws.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\x1e"); n != 20 {
		t.Errorf("%d records in the first WebSocket message", n)
	}
}

func TestAStallHoldsEverythingBack(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.PingInterval = 5 * time.Millisecond })
	c := dial(t, sim)
	c.subscribe(item(jane, "UserStatus"))
	began := time.Now()
	control[object](t, sim, http.MethodPost, "stall", object{"duration": "200ms"})
	control[rtesim.SendResult](t, sim, http.MethodPost, "send", object{"eventType": "UserStatus", "user": "jane", "count": 50})
	for i := range 50 {
		if m := c.message(); m.Seq != i+1 {
			t.Fatalf("message %d has number %d", i+1, m.Seq)
		}
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("it was over after %s", took)
	}
}

func TestASocketThatTakesNothingIsAborted(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.WriteTimeout, s.Queue = 2*time.Second, 16 })
	deaf, well := dial(t, sim), dial(t, sim)
	for _, c := range []*client{deaf, well} {
		c.subscribe(item(jane, "UserSetting"))
	}
	dead := sim.Connections()[0].ID
	big, err := json.Marshal(strings.Repeat("x", 100_000))
	if err != nil {
		t.Fatal(err)
	}
	const count = 150 // 15 MB: more than the sockets' buffers
	done := make(chan error, 1)
	go func() {
		_, err := sim.Send(t.Context(), rtesim.Send{
			EventType: "UserSetting", User: "jane", Count: count, Data: map[string]json.RawMessage{"value": big},
		})
		done <- err
	}()
	for i := range count {
		if b := well.record(); !bytes.Contains(b, fmt.Appendf(nil, `"seq":%d,`, i+1)) {
			t.Fatalf("message %d is %.300s", i+1, b)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	eventually(t, "the deaf one is gone", func() bool { return len(sim.Connections()) == 1 })
	page := sim.Sent(dead, 0, count)
	if last := page.Entries[len(page.Entries)-1]; !last.Uncertain || page.Total >= count {
		t.Errorf("%d sent, the last %+v", page.Total, last)
	}
}

func TestRawBytesAreVerbatim(t *testing.T) {
	sim := start(t)
	c, other := dial(t, sim), dial(t, sim)
	c.subscribe(item(jane, "UserStatus"))
	raw := `{"data":{ "n":1.0e0, "note":"\u002B44 <&> Ä", "eventType":"UserStatus","entityId":"` + jane + `","id":"e1"}, "data2":null}`
	for name, send := range map[string]object{
		"as text":   {"raw": raw},
		"as base64": {"rawBase64": base64.StdEncoding.EncodeToString([]byte(raw))},
	} {
		if got := control[rtesim.SendResult](t, sim, http.MethodPost, "send", send); got.Receivers != 1 || got.FirstID != "e1" {
			t.Errorf("%s: %+v", name, got)
		}
		if got := c.argument(); string(got) != raw {
			t.Errorf("%s: got %s", name, got)
		}
	}
	for name, send := range map[string]object{
		"to all":           {"raw": `[1]`, "to": "all"},
		"to one":           {"raw": `[1]`, "to": sim.Connections()[1].ID},
		"another callback": {"raw": `[1]`, "to": "all", "target": "SubscribeDetails"},
		"a whole record":   {"raw": `{"type":6 }`, "to": "all", "record": true},
	} {
		control[rtesim.SendResult](t, sim, http.MethodPost, "send", send)
		got := string(other.record())
		want := `{"type":1,"target":"MessageReceived","arguments":[[1]]}`
		switch name {
		case "another callback":
			want = `{"type":1,"target":"SubscribeDetails","arguments":[[1]]}`
		case "a whole record":
			want = `{"type":6 }`
		}
		if got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestSendRefuses(t *testing.T) {
	sim := start(t)
	for name, body := range map[string]object{
		"nothing":       {},
		"a stranger":    {"eventType": "UserStatus", "user": "bob"},
		"nobody":        {"eventType": "UserStatus"},
		"a wrong field": {"eventTyp": "UserStatus"},
		"bad base64":    {"rawBase64": "?"},
		"two kinds":     {"eventType": "UserStatus", "user": "jane", "calls": 1, "callIds": []string{"c1"}},
	} {
		if status, b := request(t, http.MethodPost, sim.URL()+"/control/send", body); status != http.StatusBadRequest || !strings.Contains(string(b), `"error"`) {
			t.Errorf("%s: %d %s", name, status, b)
		}
	}
}

func TestReset(t *testing.T) {
	sim := start(t)
	c := dial(t, sim).everything()
	control[rtesim.Playing](t, sim, http.MethodPost, "play", object{"scenario": "direct-answered", "speed": 0.001})
	if c.message().EventType != "UserCallInComing" {
		t.Error("another event came first")
	}
	if err := sim.Fail(rtesim.Fault{What: "token-401", Count: 1000}); err != nil {
		t.Fatal(err)
	}
	sim.Unauthorized(jane)
	control[object](t, sim, http.MethodPost, "reset", nil)
	if n := sim.Sent("", 0, 10).Total; n != 0 {
		t.Errorf("%d entries are left", n)
	}
	if all := control[[]rtesim.Playing](t, sim, http.MethodGet, "playing", nil); len(all) != 0 {
		t.Errorf("%d plays are left", len(all))
	}
	token(t, sim)
	if got := c.subscribe(item(jane, "UserStatus")); !got[0].Subscribed {
		t.Errorf("%+v", got)
	}
}
