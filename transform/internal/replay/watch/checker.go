package watch

import (
	"container/heap"
	"maps"
	"slices"
	"time"

	"ringstream/schemas/topology"
)

// Checker is what is known of the streams so far. All its methods return what
// they find.
type Checker struct {
	rules     Rules
	logs      []expected // by partition
	calls     map[string]*record
	due       agenda
	open      int // deliveries without an outcome
	swept     time.Time
	forgotten int
}

// New makes one that has seen nothing.
func New(r Rules) *Checker {
	return &Checker{rules: r, logs: make([]expected, r.Partitions), calls: map[string]*record{}}
}

// Reading is up to when all is known of each stream, by the server's clock.
type Reading struct {
	Calls, Deliveries time.Time
	Began             time.Time // when DELIVERIES stored its oldest message; zero: it has none
}

// Current judges what is absent.
func (c *Checker) Current(r Reading) []Violation {
	found := c.late(r.Calls)
	found = append(found, c.overdue(r)...)
	if r.Deliveries.Sub(c.swept) >= sweepEvery {
		c.swept = r.Deliveries
		c.sweep(r.Deliveries)
	}
	return found
}

// Calls is how many calls are remembered.
func (c *Checker) Calls() int { return len(c.calls) }

// Forgotten counts what was dropped before its time, and is not judged any more.
func (c *Checker) Forgotten() int { return c.forgotten }

// Awaited counts the deliveries without an outcome, those past their time left out.
func (c *Checker) Awaited() int { return c.open }

// Untold counts the events that CALLS lacks.
func (c *Checker) Untold() (n int) {
	for _, l := range c.logs {
		n += len(l.queue)
	}
	return n
}

// Oldest is when the oldest message of RTE was stored of which CALLS lacks an
// event; zero: it lacks none.
func (c *Checker) Oldest() (oldest time.Time) {
	for _, l := range c.logs {
		if len(l.queue) > 0 && (oldest.IsZero() || l.queue[0].Stored.Before(oldest)) {
			oldest = l.queue[0].Stored
		}
	}
	return oldest
}

// record is what is remembered of a call.
type record struct {
	touched time.Time
	last    int        // number of the newest event in CALLS; 0: none is known
	lost    []int      // numbers that were found missing
	events  []*notice  // of which Reapit is told, as CALLS has them
	lanes   []position // by negotiator
	open    int        // deliveries without an outcome
}

const sweepEvery = 10 * time.Second

func (c *Checker) record(callID string, at time.Time) *record {
	key := topology.KeyToken(callID)
	r := c.calls[key]
	if r == nil {
		r = &record{}
		c.calls[key] = r
	}
	if at.After(r.touched) {
		r.touched = at
	}
	return r
}

// sweep forgets calls in which nothing happens any more, and the oldest if there
// are too many.
func (c *Checker) sweep(now time.Time) {
	for key, r := range c.calls {
		if r.open == 0 && now.Sub(r.touched) > c.rules.Memory {
			c.forget(key)
		}
	}
	defer c.due.clear()
	if len(c.calls) <= c.rules.Most {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(c.calls), func(a, b string) int { return c.calls[a].touched.Compare(c.calls[b].touched) })
	for _, key := range oldest[:len(oldest)-c.rules.Most] {
		c.forget(key)
		c.forgotten++
	}
}

func (c *Checker) forget(key string) {
	for _, n := range c.calls[key].events {
		n.open = nil
	}
	c.open -= c.calls[key].open
	delete(c.calls, key)
}

// agenda is when which delivery must have ended, soonest first.
type agenda []duty

type duty struct {
	at   time.Time
	call string // key
	of   *notice
}

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(duty)) }

func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = duty{}
	*a = (*a)[:last]
	return x
}

// clear drops what has ended long before it is due.
func (a *agenda) clear() {
	*a = slices.DeleteFunc(*a, func(d duty) bool { return len(d.of.open) == 0 })
	heap.Init(a)
}

// next takes what is due by now.
func (a *agenda) next(now time.Time) (duty, bool) {
	if len(*a) == 0 || !(*a)[0].at.Before(now) {
		return duty{}, false
	}
	return heap.Pop(a).(duty), true
}
