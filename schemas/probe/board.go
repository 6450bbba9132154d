// Package probe answers the questions that an orchestrator and a dashboard ask
// a program over HTTP: /healthz, /readyz, /metrics and /version.
//
// It owns a board of named conditions and the rule that readiness is their
// conjunction. It refuses to call a program ready that has stated no condition
// at all. The caller owes conditions that tell of work done, not of sockets
// open (see [Progress]), and condition functions that return at once: they run
// within the request.
package probe

import (
	"cmp"
	"slices"
	"sync"
)

// Result is one condition, or the outcome of one check.
type Result struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Board is a set of named conditions. All methods may be called concurrently.
type Board struct {
	mu    sync.Mutex
	ready map[string]func() Result
	alive map[string]func() Result
}

// New returns an empty board: alive and not ready.
func New() *Board {
	return &Board{ready: map[string]func() Result{}, alive: map[string]func() Result{}}
}

// Set states a condition of readiness.
func (b *Board) Set(name string, ok bool, detail string) {
	b.Func(name, func() Result { return Result{OK: ok, Detail: detail} })
}

// Func states a condition of readiness that is asked anew by each request. The
// name of what f returns is ignored.
func (b *Board) Func(name string, f func() Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready[name] = f
}

// Alive states a condition without which the process had better be restarted.
// A dependency that is away is none: a restart does not bring it back.
func (b *Board) Alive(name string, f func() Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alive[name] = f
}

// Ready returns all conditions of readiness by name, and whether every one holds.
func (b *Board) Ready() ([]Result, bool) {
	results, ok := b.ask(b.ready)
	return results, ok && len(results) > 0
}

// Living returns all conditions of life by name, and whether every one holds.
func (b *Board) Living() ([]Result, bool) { return b.ask(b.alive) }

// ask calls the functions outside the lock: one of them may use the board.
func (b *Board) ask(conditions map[string]func() Result) ([]Result, bool) {
	type named struct {
		name string
		f    func() Result
	}
	b.mu.Lock()
	list := make([]named, 0, len(conditions))
	for name, f := range conditions {
		list = append(list, named{name, f})
	}
	b.mu.Unlock()

	slices.SortFunc(list, func(x, y named) int { return cmp.Compare(x.name, y.name) })
	results, all := make([]Result, len(list)), true
	for i, c := range list {
		results[i] = c.f()
		results[i].Name = c.name
		all = all && results[i].OK
	}
	return results, all
}
