package rtesim_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"ringstream/ingest/internal/rtesim"
)

func TestPlay(t *testing.T) {
	sim := start(t)
	c := dial(t, sim).everything()
	got := control[rtesim.Playing](t, sim, http.MethodPost, "play",
		object{"scenario": "hunt-group", "speed": 1000, "repeat": 3, "wait": true})
	if len(got.CallIDs) != 3 || got.Events != 21 || got.Receivers != 21 || got.Finished == nil || got.Error != "" {
		t.Errorf("%+v", got)
	}
	want := []string{
		"UserCallInUserAllocated", "UserCallInUserAllocated", "UserCallInUserAllocated", "UserCallInUserConnected",
		"UserCallInUserCancelled", "UserCallInUserCancelled", "UserCallInDisconnected",
	}
	ids := map[string]bool{}
	for _, call := range got.CallIDs {
		for i, event := range want {
			m := c.message()
			if m.CallID != call || m.EventType != event || ids[m.ID] {
				t.Fatalf("event %d of call %s: %+v", i, call, m)
			}
			ids[m.ID] = true
		}
	}
	if slices.Sort(got.CallIDs); len(slices.Compact(got.CallIDs)) != 3 {
		t.Errorf("call ids are not new: %v", got.CallIDs)
	}
	all := control[[]rtesim.Playing](t, sim, http.MethodGet, "playing?wait=true&id="+got.ID, nil)
	if len(all) != 1 || all[0].ID != got.ID {
		t.Errorf("%+v", all)
	}
}

func TestOverlappingRepetitions(t *testing.T) {
	sim := start(t)
	c := dial(t, sim).everything()
	got := control[rtesim.Playing](t, sim, http.MethodPost, "play", object{
		"text":  "-- call --\n+0s UserCallInComing user=jane\n+10s UserCallInDisconnected user=jane\n",
		"speed": 100, "repeat": 2, "every": "40ms", "wait": true,
	})
	var order []string
	for range 4 {
		m := c.message()
		order = append(order, strings.TrimPrefix(m.EventType, "UserCallIn")+string(rune('1'+slices.Index(got.CallIDs, m.CallID))))
	}
	if want := "[Coming1 Coming2 Disconnected1 Disconnected2]"; "["+strings.Join(order, " ")+"]" != want {
		t.Errorf("got %v, want %s", order, want)
	}
}

func TestTimesSendsTheSameEvent(t *testing.T) {
	sim := start(t)
	c := dial(t, sim)
	c.subscribe(item(jane, "UserCallInComing"))
	control[rtesim.Playing](t, sim, http.MethodPost, "play", object{"scenario": "-- call --\n+0s UserCallInComing user=jane times=2\n"})
	if a, b := c.argument(), c.argument(); string(a) != string(b) {
		t.Errorf("they differ:\n%s\n%s", a, b)
	}
}

func TestPlayWaitsForSubscribers(t *testing.T) {
	sim := start(t)
	first := dial(t, sim).everything()
	played := make(chan rtesim.Playing, 1)
	go func() {
		s, err := rtesim.Named("direct-missed")
		if err != nil {
			t.Error(err)
		}
		state, finished, err := sim.Play(t.Context(), rtesim.Play{Scenario: s, Speed: 1000, Subscribers: 2, All: true})
		if err != nil {
			t.Error(err)
			played <- rtesim.Playing{}
			return
		}
		<-finished
		played <- state()
	}()
	second := dial(t, sim)
	second.subscribe(item(tom, "UserCallInComing")) // not all of it yet
	second.everything()
	if p := <-played; p.Events != 5 || p.Receivers != 10 {
		t.Errorf("%+v", p)
	}
	for _, c := range []*client{first, second} {
		if m := c.message(); m.EventType != "UserCallInComing" {
			t.Errorf("first came %+v", m)
		}
	}
}

func TestPlayRefuses(t *testing.T) {
	sim := start(t)
	for name, body := range map[string]object{
		"an unknown scenario": {"scenario": "x"},
		"a stranger":          {"text": "-- call --\n+0s UserStatus user=bob\n"},
		"bad speed":           {"scenario": "transfer", "speed": -1},
		"too many":            {"scenario": "transfer", "repeat": 1_000_000},
		"no subscriber":       {"scenario": "transfer", "subscribers": 1, "patience": "10ms"},
	} {
		if status, b := request(t, http.MethodPost, sim.URL()+"/control/play", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, b)
		}
	}
}

func TestEscapedEvents(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.Escape = true })
	c := dial(t, sim)
	c.subscribe(item(jane, "UserCallInComing"))
	control[rtesim.SendResult](t, sim, http.MethodPost, "send",
		object{"eventType": "UserCallInComing", "user": "jane", "data": object{"callerNumber": "+44"}})
	if b := c.argument(); !strings.Contains(string(b), `"callerNumber":"\u002B44"`) {
		t.Errorf("got %s", b)
	}
}

func TestScenarioList(t *testing.T) {
	sim := start(t)
	list := control[[]struct{ Name, About string }](t, sim, http.MethodGet, "scenarios", nil)
	if len(list) != len(rtesim.ScenarioNames()) || list[0].About == "" {
		t.Errorf("%+v", list)
	}
	if d := control[rtesim.Directory](t, sim, http.MethodGet, "directory", nil); len(d.Users) != 4 || d.Users[0].ID != jane {
		t.Errorf("%+v", d)
	}
}
