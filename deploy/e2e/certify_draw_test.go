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
	seedMakesTheSame(t, replicaBlows)
	seedMakesTheSame(t, nodeBlows)
	seedMakesTheSame(t, spotBlows)
	seedMakesTheSame(t, wayBlows)
}

func seedMakesTheSame[W any](t *testing.T, blows []blow[W]) {
	t.Helper()
	type drawn struct {
		name string
		strike
	}
	from := func(seed uint64) (all []drawn) {
		random := rand.New(rand.NewPCG(seed, 2))
		for range 600 {
			b, s := draw(random, blows, time.Second, time.Second)
			all = append(all, drawn{b.name, s})
		}
		return all
	}
	if !slices.Equal(from(7), from(7)) {
		t.Error("the same seed makes other faults")
	}
	if slices.Equal(from(7), from(8)) {
		t.Error("another seed makes the same faults")
	}
	for _, b := range blows {
		if !slices.ContainsFunc(from(7), func(d drawn) bool { return d.name == b.name }) {
			t.Errorf("%s never comes", b.name)
		}
	}
}
