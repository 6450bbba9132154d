package reapitsim

import (
	"maps"
	"strconv"
	"sync"
	"time"
)

// Stats are counted since the start or the last reset. In flight and per second count every platform request that came in, refused
// or not.
type Stats struct {
	InFlight              int            `json:"inFlight"`
	MaxInFlight           int            `json:"maxInFlight"`
	MaxInFlightByCustomer map[string]int `json:"maxInFlightByCustomer"`
	MaxPerSecond          int            `json:"maxPerSecond"` // in any second, not only those of the clock
	Requests              int            `json:"requests"`
	Statuses              map[string]int `json:"statuses"` // of tokens too; "none" is no answer
	Refused               map[string]int `json:"refused"`  // by limit: rate, concurrency, daily
}

type meter struct {
	mu       sync.Mutex
	stats    Stats
	inFlight map[string]int
	recent   []time.Time
}

func newMeter() *meter {
	m := &meter{inFlight: map[string]int{}}
	m.reset()
	return m
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent = nil
	m.stats = Stats{
		InFlight: m.stats.InFlight, MaxInFlight: m.stats.InFlight, MaxInFlightByCustomer: maps.Clone(m.inFlight),
		Statuses: map[string]int{}, Refused: map[string]int{},
	}
}

func (m *meter) begin(now time.Time, customer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := &m.stats
	st.Requests++
	st.InFlight++
	m.inFlight[customer]++
	m.recent = append(after(m.recent, now.Add(-time.Second)), now)
	st.MaxInFlight = max(st.MaxInFlight, st.InFlight)
	st.MaxInFlightByCustomer[customer] = max(st.MaxInFlightByCustomer[customer], m.inFlight[customer])
	st.MaxPerSecond = max(st.MaxPerSecond, len(m.recent))
}

func (m *meter) end(customer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.InFlight--
	if m.inFlight[customer]--; m.inFlight[customer] == 0 {
		delete(m.inFlight, customer)
	}
}

func (m *meter) answered(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := "none"
	if status != 0 {
		name = strconv.Itoa(status)
	}
	m.stats.Statuses[name]++
}

func (m *meter) refused(why refusal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Refused[string(why)]++
}

func (m *meter) read() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.stats
	st.MaxInFlightByCustomer = maps.Clone(st.MaxInFlightByCustomer)
	st.Statuses, st.Refused = maps.Clone(st.Statuses), maps.Clone(st.Refused)
	return st
}
