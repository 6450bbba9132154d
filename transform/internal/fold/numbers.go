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
// CallId only a hash, wide enough that two calls never share one, and of that only
// the beginning in the index.
type numbers struct {
	queue []number          // in the order of being forgotten
	left  uint32            // how many have left the queue: the place of its first
	index map[uint32]uint32 // beginning of a hash → place of the newest that begins so
	count int               // of those that have not come back
}

type hash [16]byte

func hashOf(callID string) hash {
	sum := sha256.Sum256([]byte(callID))
	return hash(sum[:])
}

func (h hash) beginning() uint32 { return binary.BigEndian.Uint32(h[:]) }

type number struct {
	call  hash
	at    int64  // when it was forgotten, Unix nanoseconds
	seq   uint32 // 0: it came back
	older uint32 // place of one before it that begins alike, perhaps gone; its own: there was none
}

// mostCounted is far more than a call can emit in its life.
const mostCounted = 1<<32 - 1

func newNumbers() numbers { return numbers{index: map[uint32]uint32{}} }

// find returns what is kept of a call, nil if nothing is.
func (n *numbers) find(call hash) *number {
	place, known := n.index[call.beginning()]
	for known && n.holds(place) {
		q := &n.queue[place-n.left]
		if q.call == call && q.seq > 0 {
			return q
		}
		known, place = q.older != place, q.older
	}
	return nil
}

// holds reports whether a place is in the queue. Places go round.
func (n *numbers) holds(place uint32) bool { return int64(place-n.left) < int64(len(n.queue)) }

// of is the count of a forgotten call, and 0 for another.
func (n *numbers) of(callID string) int {
	if q := n.find(hashOf(callID)); q != nil {
		return int(q.seq)
	}
	return 0
}

// take returns the count of a call that comes back, and 0 for a new one.
func (n *numbers) take(callID string) int {
	q := n.find(hashOf(callID))
	if q == nil {
		return 0
	}
	seq := q.seq
	q.seq = 0
	n.count--
	return int(seq)
}

func (n *numbers) keep(callID string, seq int, now time.Time) {
	if seq <= 0 {
		return
	}
	n.take(callID)
	n.add(number{call: hashOf(callID), at: now.UnixNano(), seq: uint32(min(seq, mostCounted))})
}

// add takes in what is not known of its call.
func (n *numbers) add(q number) {
	place := n.left + uint32(len(n.queue)) //nolint:gosec // places go round
	q.older = place
	if newest, known := n.index[q.call.beginning()]; known {
		q.older = newest
	}
	n.index[q.call.beginning()] = place
	n.queue = append(n.queue, q)
	n.count++
}

func (n *numbers) expire(now time.Time) {
	for len(n.queue) > 0 && now.UnixNano()-n.queue[0].at >= int64(numbersAge) {
		q := n.queue[0]
		if q.seq > 0 {
			n.count--
		}
		if begins := q.call.beginning(); n.index[begins] == n.left {
			delete(n.index, begins)
		}
		n.queue = n.queue[1:]
		n.left++
	}
}

// encode writes what has not come back since: for each call its hash, the time
// since the one before and its count.
func (n *numbers) encode() (b []byte) {
	before := int64(0)
	for _, q := range n.queue {
		if q.seq == 0 {
			continue
		}
		b = append(b, q.call[:]...)
		b = binary.AppendVarint(b, q.at-before)
		b = binary.AppendUvarint(b, uint64(q.seq))
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
		q.at, q.seq = q.at+since, uint32(min(count, mostCounted))
		n.add(q)
	}
	return n, nil
}
