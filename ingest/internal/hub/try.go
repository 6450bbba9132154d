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
	c, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close(session.Stopped)
	if err := c.reconcile(ctx); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(c.answers), func(a, b event.Subscription) int {
		return cmp.Or(cmp.Compare(a.EntityID, b.EntityID), cmp.Compare(a.EventName, b.EventName))
	}), nil
}

// nobody wants to know.
type nobody struct{}

func (nobody) Opened(string, string, func() time.Time) {}
func (nobody) Message([]byte)                          {}
func (nobody) Subscribed([]event.Subscription, bool)   {}
func (nobody) Closed(string)                           {}
func (nobody) Ended(session.Cause)                     {}
func (nobody) Swallowed()                              {}
