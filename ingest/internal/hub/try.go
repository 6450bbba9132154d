package hub

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"ringstream/ingest/internal/rte"
	"ringstream/ingest/internal/session"
	"ringstream/schemas/event"
)

// Try connects once, subscribes what is wanted, disconnects and returns the
// answers in the order of entities and events. What arrives meanwhile is dropped.
func (h *Hub) Try(ctx context.Context, grant rte.Grant) ([]event.Subscription, error) {
	h.Grant = func(context.Context) (rte.Grant, error) { return grant, nil }
	h.Sink, h.Observe = nobody{}, nobody{}
	s := h.supervisor()
	s.machine, _ = s.machine.Next(s.happened(session.Begin))
	for s.machine.State != session.Subscribe {
		e := s.step(ctx)
		if e.Kind == session.Ended || e.Kind == session.Stop {
			return nil, cmp.Or(s.err, ctx.Err())
		}
		s.machine, _ = s.machine.Next(e)
	}
	defer s.end(session.Stopped, nil)
	if err := s.c.begin(ctx); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(s.c.answers), byName), nil
}

// nobody wants to know.
type nobody struct{}

func (nobody) Opened(string, string, func() (time.Time, time.Time)) {}
func (nobody) Message([]byte)                                       {}
func (nobody) Subscribed([]event.Subscription, bool)                {}
func (nobody) Closed(string)                                        {}
func (nobody) Ended(session.Cause)                                  {}
func (nobody) Swallowed(string)                                     {}
func (nobody) Renewed(error)                                        {}
func (nobody) Stray([]byte, string)                                 {}
