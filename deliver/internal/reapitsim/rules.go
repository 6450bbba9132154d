package reapitsim

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// faults are the rules, oldest first.
type faults struct {
	mu    sync.Mutex
	last  int
	rules []Fault
	asked map[uint64]int // how often the same was asked for while a rule had a chance
}

func (f *faults) add(rules []Fault) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range rules {
		f.last++
		rules[i].ID, rules[i].Used = f.last, 0
	}
	f.rules = append(f.rules, rules...)
	return rules
}

func (f *faults) list() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Fault{}, f.rules...)
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.asked = nil, nil
}

func (f *faults) remove(id int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = slices.DeleteFunc(f.rules, func(r Fault) bool { return r.ID == id })
}

// take uses the first rule that matches. Its zero value does nothing.
func (f *faults) take(x *exchange) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	draw := f.drawing(x)
	for i := range f.rules {
		rule := &f.rules[i]
		if rule.Times > 0 && rule.Used >= rule.Times || !rule.Match.matches(x) || rule.Chance > 0 && draw(rule.ID) >= rule.Chance {
			continue
		}
		if rule.Skip > 0 {
			rule.Skip--
			continue
		}
		rule.Used++
		return *rule
	}
	return Fault{}
}

// drawing gives each rule its number from 0 up to 1 for one request. It follows from what is asked for, not from when.
func (f *faults) drawing(x *exchange) func(rule int) float64 {
	if !slices.ContainsFunc(f.rules, func(r Fault) bool { return r.Chance > 0 }) {
		return func(int) float64 { return 0 }
	}
	key := x.asked()
	if f.asked == nil {
		f.asked = map[uint64]int{}
	}
	f.asked[key]++
	again := f.asked[key]
	return func(rule int) float64 {
		h := fnv.New64a()
		for _, n := range []uint64{x.knobs.FaultSeed, uint64(rule), uint64(again), key} {
			_, _ = h.Write(binary.BigEndian.AppendUint64(nil, n)) // never fails
		}
		return rand.New(rand.NewPCG(h.Sum64(), key)).Float64()
	}
}

// asked is what the request is about: the same for a repetition of it.
func (x *exchange) asked() uint64 {
	h := fnv.New64a()
	about := append([]string{x.r.Method, x.r.URL.Path, x.r.URL.RawQuery, x.customer, x.peek.SubType, x.peek.Payload.ID}, x.peek.negotiators()...)
	_, _ = h.Write([]byte(strings.Join(about, "\x00"))) // never fails
	return h.Sum64()
}
