package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limit says which lines count as repeats and how many of them are written.
type Limit struct {
	First int           // lines written per interval
	Per   time.Duration // the interval, from the first line on
	Keys  []string      // attributes that tell lines of one level and message apart
	From  slog.Level    // lower levels are never limited
}

// DefaultLimit keeps warnings and errors of a long fault readable. Lines of the
// level info are the record of work done and are never held back.
func DefaultLimit() Limit {
	return Limit{First: 5, Per: time.Minute, Keys: []string{Stream, Partition, Customer, Outcome, Reason}, From: slog.LevelWarn}
}

// Repeats is a handler that writes the first lines of a kind in an interval
// and, at the interval's end, the last one again with the number suppressed.
type Repeats struct {
	next  slog.Handler
	limit Limit
	bound string // values of the limit's keys given by With
	group bool   // attributes are in a group from here on
	seen  *seen  // shared by all handlers derived from one
}

type seen struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

// maxKinds bounds the memory; kinds beyond it are not limited.
const maxKinds = 1000

// kind is one kind of line within its interval.
type kind struct {
	timer      *time.Timer
	written    int
	suppressed int
	last       slog.Record
	next       slog.Handler // of the last line
}

// NewRepeats limits what next is given.
func NewRepeats(next slog.Handler, limit Limit) *Repeats {
	return &Repeats{next: next, limit: limit, seen: &seen{kinds: map[string]*kind{}}}
}

// Enabled implements [slog.Handler].
func (h *Repeats) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// WithAttrs implements [slog.Handler].
func (h *Repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		derived.bound += h.part(a)
	}
	return &derived
}

// WithGroup implements [slog.Handler].
func (h *Repeats) WithGroup(name string) slog.Handler {
	derived := *h
	derived.next = h.next.WithGroup(name)
	derived.group = h.group || name != ""
	return &derived
}

// Handle implements [slog.Handler].
func (h *Repeats) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < h.limit.From || h.admit(h.kindOf(r), r) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// Flush writes the summaries that are due later, before the process ends.
func (h *Repeats) Flush() {
	h.seen.mu.Lock()
	names := make([]string, 0, len(h.seen.kinds))
	for name := range h.seen.kinds {
		names = append(names, name)
	}
	h.seen.mu.Unlock()
	slices.Sort(names)
	for _, name := range names {
		h.seen.summarize(name)
	}
}

func (h *Repeats) admit(name string, r slog.Record) bool {
	s := h.seen
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[name]
	if k == nil {
		if len(s.kinds) >= maxKinds {
			return true
		}
		k = &kind{timer: time.AfterFunc(h.limit.Per, func() { s.summarize(name) })}
		s.kinds[name] = k
	}
	if k.written < h.limit.First {
		k.written++
		return true
	}
	k.suppressed++
	k.last, k.next = r.Clone(), h.next
	return false
}

// summarize ends the interval of a kind.
func (s *seen) summarize(name string) {
	s.mu.Lock()
	k := s.kinds[name]
	delete(s.kinds, name)
	s.mu.Unlock()
	if k == nil {
		return
	}
	k.timer.Stop()
	if k.suppressed == 0 {
		return
	}
	k.last.Time = time.Now()
	k.last.AddAttrs(slog.Int(Suppressed, k.suppressed))
	// Nobody is there to take the error: the line's own caller has long gone on.
	_ = k.next.Handle(context.Background(), k.last)
}

func (h *Repeats) kindOf(r slog.Record) string {
	var name strings.Builder
	name.WriteString(r.Level.String() + "\x00" + r.Message + h.bound)
	r.Attrs(func(a slog.Attr) bool {
		name.WriteString(h.part(a))
		return true
	})
	return name.String()
}

func (h *Repeats) part(a slog.Attr) string {
	if h.group || !slices.Contains(h.limit.Keys, a.Key) {
		return ""
	}
	return "\x00" + a.Key + "=" + a.Value.Resolve().String()
}
