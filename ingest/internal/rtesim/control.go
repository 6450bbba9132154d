package rtesim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// controlLimit bounds a request's body.
const controlLimit = 16 << 20

// duration is a duration in Go's form in JSON.
type duration struct{ time.Duration }

func (d *duration) UnmarshalText(b []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(b))
	return err
}

func (s *Sim) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/connections", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Connections())
	})
	mux.HandleFunc("GET /control/directory", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, Agency())
	})
	mux.HandleFunc("GET /control/scenarios", s.getScenarios)
	mux.HandleFunc("GET /control/playing", s.getPlaying)
	mux.HandleFunc("GET /control/sent", s.getSent)
	mux.HandleFunc("GET /control/attendances", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Attendances())
	})
	for path, do := range map[string]func(*http.Request) (any, error){
		"send": s.postSend, "play": s.postPlay, "drop": s.postDrop, "fail": s.postFail, "stall": s.postStall,
		"coalesce": s.postCoalesce, "unauthorized": s.postUnauthorized, "reset": s.postReset,
	} {
		mux.HandleFunc("POST /control/"+path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := do(r)
			if err != nil {
				writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
				return
			}
			writeJSON(w, http.StatusOK, answer)
		})
	}
}

// read decodes a body strictly; an empty one leaves into as it is.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, controlLimit))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read request: %w", err)
	}
	return nil
}

type done struct {
	Done bool `json:"done"`
}

func (s *Sim) postSend(r *http.Request) (any, error) {
	var what Send
	if err := read(r, &what); err != nil {
		return nil, err
	}
	return s.Send(r.Context(), what)
}

func (s *Sim) postPlay(r *http.Request) (any, error) {
	var body struct {
		Scenario    string   `json:"scenario"`
		Text        string   `json:"text"`
		Speed       float64  `json:"speed"`
		Repeat      int      `json:"repeat"`
		Every       duration `json:"every"`
		Subscribers int      `json:"subscribers"`
		All         bool     `json:"all"`
		Patience    duration `json:"patience"`
		Wait        bool     `json:"wait"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	scenario, err := scenarioOf(body.Scenario, body.Text)
	if err != nil {
		return nil, err
	}
	state, finished, err := s.Play(r.Context(), Play{
		scenario, body.Speed, body.Repeat, body.Every.Duration, body.Subscribers, body.All, body.Patience.Duration,
	})
	if err != nil {
		return nil, err
	}
	if body.Wait {
		await(r, finished)
	}
	return state(), nil
}

// scenarioOf takes a name, or the scenario itself in either field.
func scenarioOf(name, text string) (Scenario, error) {
	if strings.Contains(name, "\n") {
		name, text = "", name
	}
	if text != "" {
		return ParseScenario(cmp.Or(name, "inline"), []byte(text))
	}
	return Named(name)
}

func await(r *http.Request, finished <-chan struct{}) {
	select {
	case <-finished:
	case <-r.Context().Done():
	}
}

func (s *Sim) getPlaying(w http.ResponseWriter, r *http.Request) {
	all := []Playing{}
	for _, p := range s.player.list(r.URL.Query().Get("id")) {
		if r.URL.Query().Get("wait") == "true" {
			await(r, p.done)
		}
		all = append(all, p.snapshot())
	}
	writeJSON(w, http.StatusOK, all)
}

func (s *Sim) postDrop(r *http.Request) (any, error) {
	var body struct{ Mode, Connection, Error string }
	if err := read(r, &body); err != nil {
		return nil, err
	}
	n, err := s.Drop(body.Mode, body.Connection, body.Error)
	return map[string]int{"dropped": n}, err
}

func (s *Sim) postFail(r *http.Request) (any, error) {
	body := struct {
		What  string
		Count int
		Delay duration
	}{Count: 1, Delay: duration{5 * time.Second}}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	return done{true}, s.Fail(Fault{body.What, body.Count, body.Delay.Duration})
}

func (s *Sim) postStall(r *http.Request) (any, error) {
	var body struct{ Duration duration }
	if err := read(r, &body); err != nil {
		return nil, err
	}
	s.Stall(body.Duration.Duration)
	return done{true}, nil
}

func (s *Sim) postCoalesce(r *http.Request) (any, error) {
	var body struct{ Records int }
	if err := read(r, &body); err != nil {
		return nil, err
	}
	s.Coalesce(body.Records)
	return done{true}, nil
}

func (s *Sim) postUnauthorized(r *http.Request) (any, error) {
	var body struct{ EntityIDs []string }
	if err := read(r, &body); err != nil {
		return nil, err
	}
	s.Unauthorized(body.EntityIDs...)
	return done{true}, nil
}

func (s *Sim) postReset(*http.Request) (any, error) {
	s.Reset()
	return done{true}, nil
}

func (s *Sim) getScenarios(w http.ResponseWriter, _ *http.Request) {
	type about struct {
		Name  string `json:"name"`
		About string `json:"about"`
	}
	var all []about
	for _, name := range ScenarioNames() {
		scenario, _ := Named(name) // read at the start
		all = append(all, about{name, scenario.About})
	}
	writeJSON(w, http.StatusOK, all)
}

// pageLimit is how many entries one answer has at most.
const pageLimit = 100_000

func (s *Sim) getSent(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	offset, err := count(q.Get("offset"), 0)
	limit, err2 := count(q.Get("limit"), 1000)
	if err := errors.Join(err, err2); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, s.Sent(q.Get("connection"), offset, min(limit, pageLimit)))
}

func count(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = errors.New("negative")
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no count: %w", text, err)
	}
	return n, nil
}
