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
		if err != nil || back.of("3") != 7 || len(back.queue) != 6 || !bytes.Equal(back.encode(), encoded) {
			t.Errorf("restored as %v, %v", back.queue, err)
		}
		n.expire(start.Add(numbersAge + time.Minute))
		if len(n.places) != 0 || len(n.queue) != 0 {
			t.Errorf("%d and %d are left", len(n.places), len(n.queue))
		}
	}
}
