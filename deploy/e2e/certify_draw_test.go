//go:build linux

package e2e

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A seed makes the same faults again, in the same order, for the same times; and
// every fault comes.
func TestSeedMakesTheSameFaults(t *testing.T) {
	for _, blows := range [][]blow{replicaBlows, nodeBlows} {
		drawn := func(seed uint64) (all []strike) {
			random := rand.New(rand.NewPCG(seed, 2))
			for range 300 {
				all = append(all, draw(random, blows, time.Second))
			}
			return all
		}
		same := func(a, b strike) bool {
			return a.blow.name == b.blow.name && a.victim == b.victim && a.stream == b.stream && a.lasts == b.lasts && a.rest == b.rest
		}
		if !slices.EqualFunc(drawn(7), drawn(7), same) {
			t.Error("the same seed makes other faults")
		}
		if slices.EqualFunc(drawn(7), drawn(8), same) {
			t.Error("another seed makes the same faults")
		}
		for _, b := range blows {
			if !slices.ContainsFunc(drawn(7), func(s strike) bool { return s.blow.name == b.name }) {
				t.Errorf("%s never comes", b.name)
			}
		}
	}
}
