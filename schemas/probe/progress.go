package probe

import (
	"fmt"
	"sync"
	"time"
)

// Progress is the rule that work waiting and none done for a while is unready.
// Connected and consuming nothing looks healthy from everywhere else.
type Progress struct {
	limit time.Duration

	mu      sync.Mutex
	waiting int
	since   time.Time // none done since; zero while nothing waits
}

// NewProgress allows work to wait for limit without any being done.
func NewProgress(limit time.Duration) *Progress { return &Progress{limit: limit} }

// Waiting states how much work waits now.
func (p *Progress) Waiting(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = n
	switch {
	case n <= 0:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = time.Now()
	}
}

// Done states that some work was done.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting > 0 {
		p.since = time.Now()
	}
}

// Result is the condition, for [Board.Func].
func (p *Progress) Result() Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return Result{OK: true, Detail: "nothing waits"}
	}
	idle := time.Since(p.since)
	return Result{
		OK:     idle < p.limit,
		Detail: fmt.Sprintf("%d waiting, none done for %s (limit %s)", p.waiting, idle.Round(time.Millisecond), p.limit),
	}
}
