package probe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Duties is the rule that what a program is there to do may be left undone for
// a while and no longer. [Progress] sees work that waits within the program;
// Duties sees that it has not even begun. All methods may be called concurrently.
type Duties struct {
	limit time.Duration

	mu     sync.Mutex
	undone map[string]neglect
}

type neglect struct {
	since time.Time
	why   string
}

// NewDuties allows a duty to be left undone for limit.
func NewDuties(limit time.Duration) *Duties {
	return &Duties{limit: limit, undone: map[string]neglect{}}
}

// Undone states that a duty is not done, and why. The time counts from the
// first such statement since it was last done.
func (d *Duties) Undone(duty, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, known := d.undone[duty]
	if !known {
		n.since = time.Now()
	}
	n.why = why
	d.undone[duty] = n
}

// Done states that a duty is being done, or is no longer this program's.
func (d *Duties) Done(duty string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.undone, duty)
}

// Result is the condition, for [Board.Func].
func (d *Duties) Result() Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.undone) == 0 {
		return Result{OK: true, Detail: "all done"}
	}
	r := Result{OK: true}
	words := make([]string, 0, len(d.undone))
	for _, duty := range slices.Sorted(maps.Keys(d.undone)) {
		n := d.undone[duty]
		idle := time.Since(n.since)
		r.OK = r.OK && idle < d.limit
		words = append(words, fmt.Sprintf("%s: %s for %s (limit %s)", duty, n.why, idle.Round(time.Second), d.limit))
	}
	r.Detail = strings.Join(words, "; ")
	return r
}
