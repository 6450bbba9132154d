package reapitsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const usualPage = 100

func isControl(path string) bool { return strings.HasPrefix(path, "/control/") }

func (s *Sim) controlRoutes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /control/requests", replying(s.getRequests))
	m.HandleFunc("GET /control/notifications", replying(s.getNotifications))
	m.HandleFunc("GET /control/stream", s.stream)
	m.HandleFunc("GET /control/faults", replying(s.getFaults))
	m.HandleFunc("POST /control/faults", replying(s.postFaults))
	m.HandleFunc("DELETE /control/faults", replying(s.deleteFaults))
	m.HandleFunc("DELETE /control/faults/{id}", replying(s.deleteFault))
	m.HandleFunc("GET /control/knobs", replying(s.getKnobs))
	m.HandleFunc("POST /control/knobs", replying(s.postKnobs))
	m.HandleFunc("DELETE /control/knobs", replying(s.deleteKnobs))
	m.HandleFunc("GET /control/latency", replying(s.getLatency))
	m.HandleFunc("POST /control/latency", replying(s.postLatency))
	m.HandleFunc("GET /control/stats", replying(func(*http.Request) (any, error) { return s.meter.read(), nil }))
	m.HandleFunc("PUT /control/negotiators/{customer}", replying(s.putNegotiators))
	m.HandleFunc("DELETE /control/tokens", replying(func(*http.Request) (any, error) { s.tokens.revoke(); return nil, nil }))
	m.HandleFunc("POST /control/reset", replying(func(*http.Request) (any, error) { s.reset(); return nil, nil }))
	return m
}

// replying writes what the operation gives: 200 with it, 204 without anything, 400 with an error.
func replying(operation func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		result, err := operation(r)
		if err == nil && result == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			result = map[string]string{"error": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(result) // the client may have left
	}
}

// readJSON refuses members that the target does not have, so that a misspelt knob is not lost.
func readJSON(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

func (s *Sim) getRequests(r *http.Request) (any, error) {
	q := r.URL.Query()
	found := s.journal.received(func(x Request) bool {
		return wants(q, "callId", x.CallID) && wants(q, "subType", x.SubType) && wants(q, "customer", x.Customer) &&
			wants(q, "path", strings.TrimSuffix(x.Path, "/")) && wants(q, "status", strconv.Itoa(x.Status)) &&
			(!q.Has("negotiatorId") || slices.Contains(x.NegotiatorIDs, q.Get("negotiatorId")))
	})
	part, err := window(found, q)
	return map[string]any{"total": len(found), "requests": part}, err
}

func (s *Sim) getNotifications(r *http.Request) (any, error) {
	q := r.URL.Query()
	all, _, _ := s.journal.since(0)
	found := []Notification{}
	for _, n := range all {
		if wants(q, "callId", n.callID) && wants(q, "subType", n.SubType) && wants(q, "customer", n.Customer) &&
			wants(q, "negotiatorId", n.NegotiatorID) {
			found = append(found, n)
		}
	}
	part, err := window(found, q)
	return map[string]any{"total": len(found), "notifications": part}, err
}

func wants(q url.Values, name, got string) bool {
	return !q.Has(name) || strings.TrimSuffix(q.Get(name), "/") == got
}

func window[T any](list []T, q url.Values) ([]T, error) {
	offset, err := natural(q, "offset", 0)
	limit, err2 := natural(q, "limit", usualPage)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	from := min(offset, len(list))
	return list[from : from+min(limit, len(list)-from)], nil
}

func natural(q url.Values, name string, usual int) (int, error) {
	if !q.Has(name) {
		return usual, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s must be a number from 0", name)
	}
	return n, nil
}

func (s *Sim) getFaults(*http.Request) (any, error) { return s.faults.list(), nil }

// postFaults takes one rule or an array of them.
func (s *Sim) postFaults(r *http.Request) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] != '[' {
		body = slices.Concat([]byte("["), trimmed, []byte("]"))
	}
	var rules []Fault
	if err := readJSON(bytes.NewReader(body), &rules); err != nil {
		return nil, err
	}
	for i, rule := range rules {
		if err := rule.check(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	return s.faults.add(rules), nil
}

func (s *Sim) deleteFaults(*http.Request) (any, error) {
	s.faults.clear()
	return nil, nil
}

func (s *Sim) deleteFault(r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, errors.New("the id of a rule is a number")
	}
	s.faults.remove(id)
	return nil, nil
}

func (s *Sim) getKnobs(*http.Request) (any, error) { return s.currentKnobs(), nil }

func (s *Sim) postKnobs(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.knobs.clone()
	if err := readJSON(r.Body, &k); err != nil {
		return nil, err
	}
	if err := k.check(); err != nil {
		return nil, err
	}
	s.knobs = k
	return k, nil
}

func (s *Sim) deleteKnobs(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knobs = DefaultKnobs()
	return s.knobs, nil
}

func (s *Sim) getLatency(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latency, nil
}

func (s *Sim) postLatency(r *http.Request) (any, error) {
	var l Latency
	if err := readJSON(r.Body, &l); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = l
	return l, nil
}

func (s *Sim) putNegotiators(r *http.Request) (any, error) {
	var list Negotiators
	if err := readJSON(r.Body, &list); err != nil {
		return nil, err
	}
	if err := list.check(); err != nil {
		return nil, err
	}
	list.date(s.now())
	s.replaceNegotiators(r.PathValue("customer"), list)
	return list, nil
}

// stream writes notifications as they are accepted, a line each, until the client leaves.
func (s *Sim) stream(w http.ResponseWriter, r *http.Request) {
	next, err := natural(r.URL.Query(), "from", s.journal.next())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, lines := http.NewResponseController(w), json.NewEncoder(w)
	for {
		fresh, upTo, grown := s.journal.since(next)
		for _, n := range fresh {
			if lines.Encode(n) != nil {
				return
			}
		}
		next = max(next, upTo)
		_ = out.Flush()
		select {
		case <-grown:
		case <-r.Context().Done():
			return
		case <-s.closed:
			return
		}
	}
}
