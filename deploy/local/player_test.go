package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// simulator answers every play alike and remembers what was asked.
type simulator struct {
	status int
	answer string

	mu    sync.Mutex
	asked []map[string]any
}

func (s *simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body) // what is missing is found missing
	s.mu.Lock()
	s.asked = append(s.asked, body)
	s.mu.Unlock()
	w.WriteHeader(s.status)
	fmt.Fprint(w, s.answer)
}

func rig(t *testing.T, sim *simulator, once bool) (*player, *[]string) {
	t.Helper()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	notes := &[]string{}
	c := config{once: once, speed: 2}
	c.options.Ingest = 2
	return &player{
		config: c, rteSim: server.URL, tally: &tally{},
		say: func(format string, args ...any) { *notes = append(*notes, fmt.Sprintf(format, args...)) },
	}, notes
}

func TestPlayAsksForEveryReplicaToListen(t *testing.T) {
	sim := &simulator{status: http.StatusOK, answer: `{"callIds":["a","b"]}`}
	p, _ := rig(t, sim, true)
	callIDs, err := p.play(t.Context(), "withheld")
	if err != nil || !slices.Equal(callIDs, []string{"a", "b"}) {
		t.Errorf("%v, %v", callIDs, err)
	}
	asked := sim.asked[0]
	if asked["scenario"] != "withheld" || asked["subscribers"] != 2.0 || asked["all"] != true || asked["speed"] != 2.0 || asked["wait"] != true {
		t.Errorf("asked %v", asked)
	}
}

func TestWhatCannotBePlayed(t *testing.T) {
	for name, sim := range map[string]*simulator{
		"refused":    {status: http.StatusBadRequest, answer: `{"error":"wait for 2 subscribers, there are 1"}`},
		"broken off": {status: http.StatusOK, answer: `{"callIds":["a"],"error":"wait for 2 subscribers, there are 1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := rig(t, sim, true)
			if err := p.one(t.Context(), samples[0]); err == nil || !strings.Contains(err.Error(), "there are 1") {
				t.Errorf("a run that checks went on: %v", err)
			}
			p, notes := rig(t, sim, false)
			if err := p.one(t.Context(), samples[0]); err != nil {
				t.Errorf("a run to watch ended: %v", err)
			}
			if len(*notes) != 1 || !strings.Contains((*notes)[0], "there are 1") {
				t.Errorf("told %q", *notes)
			}
		})
	}
}
