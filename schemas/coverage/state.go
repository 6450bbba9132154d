package coverage

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ledgerState is the JSON of a ledger. Whatever several share stands once and is
// named by its place.
type ledgerState struct {
	First       moment         `json:"first,omitempty"`
	Newest      moment         `json:"newest,omitempty"`
	Began       moment         `json:"began,omitempty"`
	Floor       moment         `json:"floor,omitempty"`
	Replicas    []replicaState `json:"replicas,omitempty"`
	Connections []*connection  `json:"connections,omitempty"`
	Answers     []answerState  `json:"answers,omitempty"`
	Stories     [][]int        `json:"stories,omitempty"` // answers
	Events      [][]string     `json:"events,omitempty"`
	Entities    []entityState  `json:"entities,omitempty"`
}

type replicaState struct {
	Name    string `json:"name"`
	Said    moment `json:"said"`
	On      *int   `json:"on,omitempty"` // connection
	Ended   string `json:"ended,omitempty"`
	Stopped bool   `json:"stopped,omitempty"`
	Gone    bool   `json:"gone,omitempty"`
}

type answerState struct {
	Before  *int   `json:"before,omitempty"` // answer
	On      int    `json:"on"`               // connection
	At      moment `json:"at"`
	Kind    kind   `json:"kind,omitempty"`
	Message string `json:"message,omitempty"`
}

// entityState are entities that have the same parts.
type entityState struct {
	Parts [][2]int `json:"parts"`           // events, story
	IDs   []byte   `json:"ids,omitempty"`   // GUIDs, 16 bytes each
	Names []string `json:"names,omitempty"` // whatever else is an id
}

// MarshalJSON returns the state.
func (l *Ledger) MarshalJSON() ([]byte, error) {
	w := writer{
		connections: map[*connection]int{}, answers: map[answerKey]int{}, seen: map[*answer]int{},
		stories: map[string]int{}, told: map[*story]int{}, events: map[string]int{}, entities: map[string]int{},
	}
	w.state = ledgerState{First: l.first, Newest: l.newest, Began: l.began, Floor: l.floor}
	w.connect(l)
	for _, name := range slices.Sorted(maps.Keys(l.replicas)) {
		r := l.replicas[name]
		s := replicaState{Name: name, Said: r.said, Ended: r.ended, Stopped: r.stopped, Gone: r.gone}
		if r.on != nil {
			s.On = place(w.connections[r.on])
		}
		w.state.Replicas = append(w.state.Replicas, s)
	}
	for _, id := range slices.Sorted(maps.Keys(l.entities)) {
		w.entity(id, l.entities[id])
	}
	return json.Marshal(w.state)
}

func place(i int) *int { return &i }

// writer gives everything its place, in an order that depends on the state alone.
type writer struct {
	state       ledgerState
	connections map[*connection]int
	answers     map[answerKey]int
	seen        map[*answer]int
	stories     map[string]int
	told        map[*story]int
	events      map[string]int
	entities    map[string]int
}

type answerKey struct {
	before, on int
	at         moment
	kind       kind
	message    string
}

// connect lists the connections that something is known by.
func (w *writer) connect(l *Ledger) {
	for _, r := range l.replicas {
		if r.on != nil {
			w.connections[r.on] = 0
		}
	}
	passed := map[*answer]bool{}
	for _, all := range l.entities {
		for _, p := range all {
			for _, a := range p.story.newest {
				for ; a != nil && !passed[a]; a = a.before {
					passed[a] = true
					w.connections[a.on] = 0
				}
			}
		}
	}
	w.state.Connections = slices.SortedFunc(maps.Keys(w.connections), func(a, b *connection) int {
		return cmp.Or(cmp.Compare(a.Replica, b.Replica), cmp.Compare(a.Since, b.Since), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Said, b.Said))
	})
	for i, c := range w.state.Connections {
		w.connections[c] = i
	}
}

func (w *writer) answer(a *answer) int {
	if a == nil {
		return -1
	}
	if at, ok := w.seen[a]; ok {
		return at
	}
	key := answerKey{w.answer(a.before), w.connections[a.on], a.at, a.kind, a.message}
	at, ok := w.answers[key]
	if !ok {
		at = len(w.state.Answers)
		w.answers[key] = at
		s := answerState{On: key.on, At: a.at, Kind: a.kind, Message: a.message}
		if key.before >= 0 {
			s.Before = place(key.before)
		}
		w.state.Answers = append(w.state.Answers, s)
	}
	w.seen[a] = at
	return at
}

func (w *writer) story(s *story) int {
	if at, ok := w.told[s]; ok {
		return at
	}
	newest := make([]int, len(s.newest))
	for i, a := range s.newest {
		newest[i] = w.answer(a)
	}
	key := fmt.Sprint(newest)
	at, ok := w.stories[key]
	if !ok {
		at = len(w.state.Stories)
		w.stories[key] = at
		w.state.Stories = append(w.state.Stories, newest)
	}
	w.told[s] = at
	return at
}

func (w *writer) list(events []string) int {
	key := strings.Join(events, "\n")
	at, ok := w.events[key]
	if !ok {
		at = len(w.state.Events)
		w.events[key] = at
		w.state.Events = append(w.state.Events, events)
	}
	return at
}

// entity writes an entity; its parts that have equal stories become one.
func (w *writer) entity(id string, all parts) {
	by := map[int][]string{}
	for _, p := range all {
		at := w.story(p.story)
		by[at] = append(by[at], p.events...)
	}
	var s entityState
	for at, events := range by {
		slices.Sort(events)
		by[at] = events
	}
	for _, at := range slices.SortedFunc(maps.Keys(by), func(a, b int) int { return strings.Compare(by[a][0], by[b][0]) }) {
		s.Parts = append(s.Parts, [2]int{w.list(by[at]), at})
	}
	key := fmt.Sprint(s.Parts)
	at, ok := w.entities[key]
	if !ok {
		at = len(w.state.Entities)
		w.entities[key] = at
		w.state.Entities = append(w.state.Entities, s)
	}
	to := &w.state.Entities[at]
	if short, ok := pack(id); ok {
		to.IDs = append(to.IDs, short...)
	} else {
		to.Names = append(to.Names, id)
	}
}

// pack makes 16 bytes of a GUID as it is written everywhere here.
func pack(id string) ([]byte, bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 || unpack(b) != id {
		return nil, false
	}
	return b, true
}

func unpack(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// errState is what UnmarshalJSON says of what no ledger has written.
var errState = errors.New("no state of a coverage ledger")

// UnmarshalJSON makes the ledger what was written.
func (l *Ledger) UnmarshalJSON(b []byte) error {
	var s ledgerState
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read coverage ledger: %w", err)
	}
	r := reader{state: s, into: Ledger{
		first: s.First, newest: s.Newest, began: s.Began, floor: s.Floor,
		replicas: map[string]*replica{}, entities: map[string]parts{}, lists: map[string][]string{},
	}}
	for _, step := range []func() bool{r.connections, r.replicas, r.answers, r.stories, r.events, r.entities} {
		if !step() {
			return fmt.Errorf("read coverage ledger: %w", errState)
		}
	}
	*l = r.into
	return nil
}

// reader believes nothing. Its steps report whether what they read makes sense.
type reader struct {
	state ledgerState
	into  Ledger
	told  []*answer
	known []*story
}

func (r *reader) connections() bool { return !slices.Contains(r.state.Connections, nil) }

func (r *reader) replicas() bool {
	for _, s := range r.state.Replicas {
		one := r.into.replica(s.Name)
		*one = replica{name: s.Name, said: s.Said, ended: s.Ended, stopped: s.Stopped, gone: s.Gone}
		if s.On == nil {
			continue
		}
		if !within(*s.On, r.state.Connections) || r.state.Connections[*s.On].Replica != s.Name {
			return false
		}
		one.on = r.state.Connections[*s.On]
	}
	return len(r.into.replicas) == len(r.state.Replicas)
}

func within[T any](i int, all []T) bool { return i >= 0 && i < len(all) }

func (r *reader) answers() bool {
	for _, s := range r.state.Answers {
		if !within(s.On, r.state.Connections) || s.Kind >= kinds {
			return false
		}
		a := &answer{on: r.state.Connections[s.On], at: s.At, kind: s.Kind, message: s.Message}
		if s.Before != nil {
			if !within(*s.Before, r.told) || r.told[*s.Before].on.Replica != a.on.Replica {
				return false
			}
			a.before = r.told[*s.Before]
		}
		r.told = append(r.told, a)
	}
	return true
}

func (r *reader) stories() bool {
	for _, newest := range r.state.Stories {
		s := &story{}
		for _, i := range newest {
			if !within(i, r.told) {
				return false
			}
			a := r.told[i]
			if n := len(s.newest); n > 0 && s.newest[n-1].on.Replica >= a.on.Replica {
				return false
			}
			s.newest = append(s.newest, a)
		}
		if len(s.newest) == 0 {
			return false
		}
		r.known = append(r.known, s)
	}
	return true
}

func (r *reader) events() bool {
	for _, names := range r.state.Events {
		if len(names) == 0 || slices.Contains(names, "") {
			return false
		}
		r.into.keep(names)
	}
	return true
}

func (r *reader) entities() bool {
	for _, s := range r.state.Entities {
		items, ok := r.items(s.Parts)
		if !ok || len(s.IDs)%16 != 0 {
			return false
		}
		ids := slices.Clone(s.Names)
		for b := range slices.Chunk(s.IDs, 16) {
			ids = append(ids, unpack(b))
		}
		for _, id := range ids {
			if _, twice := r.into.entities[id]; twice {
				return false
			}
			r.into.entities[id] = partsOf(items, r.into.keep)
		}
	}
	return true
}

func (r *reader) items(all [][2]int) (map[string]*story, bool) {
	items := map[string]*story{}
	n := 0
	for _, p := range all {
		if !within(p[0], r.state.Events) || !within(p[1], r.known) {
			return nil, false
		}
		for _, name := range r.state.Events[p[0]] {
			items[name] = r.known[p[1]]
			n++
		}
	}
	return items, n > 0 && n == len(items)
}
