package fold

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// A CallId may come back after its call was forgotten: a recording is
// converted, a queue has kept the caller waiting. Its events go on counting for
// this long, so that readers never see two events of one id.
const numbersAge = 24 * time.Hour

// numbers remembers how many events forgotten calls have emitted, oldest first.
// A day of calls is in memory and in every snapshot, so each is kept small: of its
// CallId only a hash, wide enough that two calls never share one.
type numbers struct {
	places map[hash]uint32 // in the queue, those that have left it counted too
	queue  []number        // in the order of being forgotten; stale where another place is told
	left   uint32
}

type hash [16]byte

func hashOf(callID string) hash {
	sum := sha256.Sum256([]byte(callID))
	return hash(sum[:])
}

type number struct {
	call hash
	seq  int
	at   int64 // when it was forgotten, Unix nanoseconds
}

func newNumbers() numbers { return numbers{places: map[hash]uint32{}} }

// of is the count of a forgotten call, and 0 for another.
func (n *numbers) of(callID string) int {
	place, known := n.places[hashOf(callID)]
	if !known {
		return 0
	}
	return n.queue[place-n.left].seq
}

// take returns the count of a call that comes back, and 0 for a new one.
func (n *numbers) take(callID string) int {
	seq := n.of(callID)
	delete(n.places, hashOf(callID))
	return seq
}

func (n *numbers) keep(callID string, seq int, now time.Time) {
	if seq == 0 {
		return
	}
	n.add(number{hashOf(callID), seq, now.UnixNano()})
}

func (n *numbers) add(q number) {
	n.places[q.call] = n.left + uint32(len(n.queue)) //nolint:gosec // it goes round
	n.queue = append(n.queue, q)
}

// current reports whether the i-th of the queue is the newest of its call, which
// has not come back.
func (n *numbers) current(i int) bool {
	place, known := n.places[n.queue[i].call]
	return known && place == n.left+uint32(i) //nolint:gosec // it goes round
}

func (n *numbers) expire(now time.Time) {
	for len(n.queue) > 0 && now.UnixNano()-n.queue[0].at >= int64(numbersAge) {
		if n.current(0) {
			delete(n.places, n.queue[0].call)
		}
		n.queue = n.queue[1:]
		n.left++
	}
}

// encode writes what has not come back since: for each call its hash, the time
// since the one before and its count.
func (n *numbers) encode() (b []byte) {
	before := int64(0)
	for i, q := range n.queue {
		if !n.current(i) {
			continue
		}
		b = append(b, q.call[:]...)
		b = binary.AppendVarint(b, q.at-before)
		b = binary.AppendUvarint(b, uint64(q.seq)) //nolint:gosec // a count is never negative
		before = q.at
	}
	return b
}

var errNumbers = errors.New("numbers of forgotten calls are cut off")

func decodeNumbers(b []byte) (numbers, error) {
	n := newNumbers()
	var q number
	for len(b) > 0 {
		b = b[copy(q.call[:], b):]
		since, used := binary.Varint(b)
		if used <= 0 {
			return n, errNumbers
		}
		b = b[used:]
		count, used := binary.Uvarint(b)
		if used <= 0 {
			return n, errNumbers
		}
		b = b[used:]
		q.at, q.seq = q.at+since, int(count) //nolint:gosec // it was an int
		n.add(q)
	}
	return n, nil
}
