package fold

import "time"

// A CallId may come back after its call was forgotten: a recording is
// converted, a queue has kept the caller waiting. Its events go on counting for
// this long, so that readers never see two events of one id.
const numbersAge = 24 * time.Hour

// numbers remembers how many events forgotten calls have emitted, oldest first.
type numbers struct {
	last  map[string]number // by CallId
	queue []number          // in the order of being forgotten; stale where last differs
}

type number struct {
	Call string    `json:"id"`
	Seq  int       `json:"n"`
	At   time.Time `json:"at"` // when it was forgotten
}

// take returns the count of a call that comes back, and 0 for a new one.
func (n *numbers) take(callID string) int {
	seq := n.last[callID].Seq
	delete(n.last, callID)
	return seq
}

func (n *numbers) keep(callID string, seq int, now time.Time) {
	if seq == 0 {
		return
	}
	n.last[callID] = number{callID, seq, now}
	n.queue = append(n.queue, n.last[callID])
}

func (n *numbers) expire(now time.Time) {
	for len(n.queue) > 0 && now.Sub(n.queue[0].At) >= numbersAge {
		if q := n.queue[0]; n.last[q.Call] == q {
			delete(n.last, q.Call)
		}
		n.queue = n.queue[1:]
	}
}

// live is the queue without what has come back since.
func (n *numbers) live() (live []number) {
	for _, q := range n.queue {
		if n.last[q.Call] == q {
			live = append(live, q)
		}
	}
	return live
}

func restoredNumbers(queue []number) numbers {
	n := numbers{last: make(map[string]number, len(queue)), queue: queue}
	for _, q := range queue {
		n.last[q.Call] = q
	}
	return n
}
