package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"

	"ringstream/ingest/internal/rte"
	"ringstream/schemas/event"
	"ringstream/schemas/telemetry"
)

// One Subscribe must fit into one record of the hub.
const (
	chunkItems = 200
	chunkBytes = rte.MaxRecord - 1024
)

// What is said of items that the hub said nothing of.
const (
	notOffered = "the hub does not offer this event"
	noAnswer   = "the hub gave no answer"
	notWanted  = "no longer wanted"
)

// reconcile makes the subscriptions what the source wants now: it asks the hub
// what it offers, unsubscribes what is no longer wanted and subscribes what is
// not held, refused items included.
func (c *connection) reconcile(ctx context.Context) error {
	wanted := c.hub.wanted()
	offered, err := c.offered(ctx)
	if err != nil {
		return err
	}
	items, missing := wanted.Resolve(offered)
	c.wanted = len(items) + len(missing)
	if err := c.drop(ctx, slices.Concat(items, missing)); err != nil {
		return err
	}
	for part := range slices.Chunk(missing, chunkItems) {
		c.record(refusals(part, notOffered))
	}
	chunks := chunk(c.lacking(items), chunkItems, chunkBytes)
	for i, part := range chunks {
		answers, err := c.subscribe(ctx, part)
		if err != nil {
			return err
		}
		c.complete = c.complete || i == len(chunks)-1
		c.record(answers)
	}
	c.complete = true
	c.settle()
	return nil
}

// wanted is what the source says, or what it last said if it cannot be read.
func (h *Hub) wanted() Wanted {
	w, err := h.Source.Read()
	if err != nil {
		h.Log.Error("subscriptions file unusable, what it last said stands", telemetry.Error, err)
		return h.lastWanted
	}
	h.lastWanted = w
	return w
}

func (c *connection) offered(ctx context.Context) ([]string, error) {
	answer, err := c.invoke(ctx, rte.MethodAvailableSubscriptions)
	if err != nil {
		return nil, err
	}
	var names []string
	if err := json.Unmarshal(answer, &names); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", rte.MethodAvailableSubscriptions, ErrMalformed, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w: the hub offers no event at all", rte.MethodAvailableSubscriptions, ErrMalformed)
	}
	return names, nil
}

func (c *connection) subscribe(ctx context.Context, items []rte.EntitySubscription) ([]event.Subscription, error) {
	answer, err := c.invoke(ctx, rte.MethodSubscribe, items)
	if err != nil {
		return nil, err
	}
	var results []rte.SubscriptionResult
	if err := json.Unmarshal(answer, &results); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", rte.MethodSubscribe, ErrMalformed, err)
	}
	byKey := make(map[rte.EntitySubscription]rte.SubscriptionResult, len(results))
	for _, r := range results {
		byKey[r.Key()] = r
	}
	answers := refusals(items, noAnswer)
	for i, item := range items {
		if r, ok := byKey[item.Key()]; ok {
			answers[i].Subscribed, answers[i].Message = r.Subscribed, r.Reason()
		}
	}
	return answers, nil
}

func refusals(items []rte.EntitySubscription, reason string) []event.Subscription {
	answers := make([]event.Subscription, len(items))
	for i, item := range items {
		answers[i] = event.Subscription{EntityID: item.EntityID, EventName: item.EventName, Message: reason}
	}
	return answers
}

func keyOf(s event.Subscription) rte.EntitySubscription {
	return rte.EntitySubscription{EntityID: s.EntityID, EventName: s.EventName}.Key()
}

// drop unsubscribes what is held and not among the wanted.
func (c *connection) drop(ctx context.Context, wanted []rte.EntitySubscription) error {
	keep := make(map[rte.EntitySubscription]bool, len(wanted))
	for _, item := range wanted {
		keep[item.Key()] = true
	}
	var gone []rte.EntitySubscription
	for key, answer := range c.answers {
		switch {
		case keep[key]:
		case answer.Subscribed:
			gone = append(gone, rte.EntitySubscription{EntityID: answer.EntityID, EventName: answer.EventName})
		default:
			delete(c.answers, key)
		}
	}
	slices.SortFunc(gone, func(a, b rte.EntitySubscription) int {
		return strings.Compare(a.EntityID+a.EventName, b.EntityID+b.EventName)
	})
	for _, part := range chunk(gone, chunkItems, chunkBytes) {
		if _, err := c.invoke(ctx, rte.MethodUnsubscribe, part); err != nil {
			return err
		}
		c.record(refusals(part, notWanted))
		for _, item := range part {
			delete(c.answers, item.Key())
		}
	}
	return nil
}

// lacking are the items that are not held.
func (c *connection) lacking(items []rte.EntitySubscription) []rte.EntitySubscription {
	return slices.DeleteFunc(slices.Clone(items), func(item rte.EntitySubscription) bool {
		return c.answers[item.Key()].Subscribed
	})
}

// record takes answers and tells of them unless all are as they were.
func (c *connection) record(answers []event.Subscription) {
	changed := false
	for _, a := range answers {
		if c.answers[keyOf(a)] == a {
			continue
		}
		changed = true
		c.answers[keyOf(a)] = a
		switch attributes := []any{"entity", a.EntityID, telemetry.EventType, a.EventName, telemetry.Reason, a.Message}; {
		case a.Subscribed:
		case a.Message == notWanted:
			c.hub.Log.Info("unsubscribed", attributes...)
		default:
			c.hub.Log.Warn("not subscribed", attributes...)
		}
	}
	if changed {
		c.hub.Sink.Subscribed(answers, c.complete && c.held() > 0)
	}
}

func (c *connection) held() int {
	n := 0
	for _, a := range c.answers {
		if a.Subscribed {
			n++
		}
	}
	return n
}

// settle publishes the counts, and says so when they have changed.
func (c *connection) settle() {
	before := c.hub.Status()
	after := Status{Connected: true, Host: c.host, Wanted: c.wanted, Held: c.held(), Refusals: c.refused(), Token: before.Token}
	after.Refused = after.Wanted - after.Held
	c.hub.status.Store(&after)
	if reflect.DeepEqual(before, after) {
		return
	}
	level, message := slog.LevelInfo, "listening to the hub"
	if after.Held == 0 {
		level, message = slog.LevelWarn, "connected to the hub, which subscribed nothing"
	}
	c.hub.Log.Log(context.Background(), level, message, "hub", c.host, "epoch", c.epoch, "wanted", after.Wanted, "held", after.Held, "refused", after.Refused)
}

// namedMost bounds what is told by name of what was refused.
const namedMost = 100

// refused are the first refused items in order.
func (c *connection) refused() []event.Subscription {
	var all []event.Subscription
	for _, a := range c.answers {
		if !a.Subscribed {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, byName)
	return all[:min(len(all), namedMost)]
}

func byName(a, b event.Subscription) int {
	return cmp.Or(strings.Compare(a.EntityID, b.EntityID), strings.Compare(a.EventName, b.EventName))
}

// chunk cuts items into parts of at most n items and size bytes of JSON.
func chunk(items []rte.EntitySubscription, n, size int) (parts [][]rte.EntitySubscription) {
	const perItem = len(`{"EntityId":"","EventName":""},`)
	start, bytes := 0, 0
	for i, item := range items {
		length := perItem + len(item.EntityID) + len(item.EventName)
		if i > start && (i-start == n || bytes+length > size) {
			parts = append(parts, items[start:i])
			start, bytes = i, 0
		}
		bytes += length
	}
	if start < len(items) {
		parts = append(parts, items[start:])
	}
	return parts
}
