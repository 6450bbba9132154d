package fold

import (
	"bytes"
	"math"
	"strconv"
	"testing"
	"time"
)

// A call that came back and was forgotten again is known by what was counted
// last, for as long from then on; places in the queue may go round.
func TestNumbersOfCallsThatCameBack(t *testing.T) {
	for _, left := range []uint32{0, math.MaxUint32 - 3} {
		n := newNumbers()
		n.left = left
		for i := range 10 {
			n.keep(strconv.Itoa(i), i+1, start.Add(time.Duration(i)*time.Second))
		}
		if got := n.take("3"); got != 4 || n.of("3") != 0 || n.take("3") != 0 {
			t.Fatalf("taken with %d, and left with %d", got, n.of("3"))
		}
		n.keep("3", 7, start.Add(time.Minute))
		n.keep("0", 0, start.Add(time.Minute)) // it has told nothing: as before
		n.expire(start.Add(numbersAge + 4*time.Second))
		for i, want := range []int{0, 0, 0, 7, 0, 6, 7, 8, 9, 10} {
			if got := n.of(strconv.Itoa(i)); got != want {
				t.Errorf("%d counted to %d, want %d", i, got, want)
			}
		}
		encoded := n.encode()
		back, err := decodeNumbers(encoded)
		if err != nil || back.of("3") != 7 || n.count != 6 || back.count != 6 || !bytes.Equal(back.encode(), encoded) {
			t.Errorf("restored as %v, %v", back.queue, err)
		}
		n.expire(start.Add(numbersAge + time.Minute))
		if n.count != 0 || len(n.index) != 0 || len(n.queue) != 0 {
			t.Errorf("%d of %d are left, and %d in the index", n.count, len(n.queue), len(n.index))
		}
	}
}

// The index has only the beginning of a hash, and two calls are two all the same.
func TestNumbersOfCallsWhoseHashesBeginAlike(t *testing.T) {
	one, other := alike()
	for name, first := range map[string]string{"the older one": one, "the newer one": other} {
		n := newNumbers()
		n.keep(one, 1, start)
		n.keep(other, 2, start.Add(time.Second))
		if n.of(one) != 1 || n.of(other) != 2 || len(n.index) != 1 {
			t.Fatalf("counted to %d and %d", n.of(one), n.of(other))
		}
		second := one
		if first == one {
			second = other
		}
		n.take(first)
		if n.of(first) != 0 || n.of(second) == 0 {
			t.Errorf("%s came back: %d and %d are kept", name, n.of(one), n.of(other))
		}
		n.keep(first, 3, start.Add(time.Minute))
		n.expire(start.Add(numbersAge + 2*time.Second))
		if n.of(first) != 3 || n.of(second) != 0 || n.count != 1 {
			t.Errorf("%s was forgotten again: %d and %d are kept", name, n.of(one), n.of(other))
		}
	}
}

// alike finds two ids with such hashes.
func alike() (one, other string) {
	known := map[uint32]string{}
	for i := 0; ; i++ {
		id := strconv.Itoa(i)
		begins := hashOf(id).beginning()
		if before, is := known[begins]; is {
			return before, id
		}
		known[begins] = id
	}
}
