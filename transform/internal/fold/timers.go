package fold

import "time"

// timer says when a call is to be looked at. A call may have several in the heap;
// only the earliest counts.
type timer struct {
	at   time.Time
	call string
}

// timers is a heap by time; calls due at one time go by their ids, so that the
// order never depends on a map.
type timers []timer

func (t timers) Len() int      { return len(t) }
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(timer)) }

func (t timers) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].call < t[j].call
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}
