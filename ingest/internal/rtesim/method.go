package rtesim

import (
	"encoding/json"
	"fmt"
	"strings"

	"ringstream/ingest/internal/rte"
)

// method is one method of the hub.
type method struct {
	arguments int
	call      func(c *conn, arguments []json.RawMessage) (any, error)
}

// methods are found in any casing, as ASP.NET Core does.
var methods = map[string]method{
	strings.ToLower(rte.MethodSubscribe):              {1, (*conn).subscribe},
	strings.ToLower(rte.MethodUnsubscribe):            {1, (*conn).unsubscribe},
	strings.ToLower(rte.MethodUnsubscribeAll):         {0, (*conn).unsubscribeAll},
	strings.ToLower(rte.MethodAvailableSubscriptions): {0, (*conn).availableSubscriptions},
	strings.ToLower(rte.MethodActiveSubscriptions):    {0, (*conn).activeSubscriptions},
}

// invoke runs a method and returns the completion, in ASP.NET Core's words
// where it fails. Without an invocation id nothing is answered.
func (c *conn) invoke(f rte.Frame) []byte {
	answer := c.answer(f)
	if f.InvocationID == "" {
		return nil
	}
	return answer
}

func (c *conn) answer(f rte.Frame) []byte {
	m, known := methods[strings.ToLower(f.Target)]
	switch {
	case !known:
		return rte.AppendError(nil, f.InvocationID, fmt.Sprintf("Unknown hub method '%s'", f.Target))
	case f.Type == rte.StreamInvocation:
		return rte.AppendError(nil, f.InvocationID, fmt.Sprintf("The client attempted to invoke the non-streaming '%s' method with a streaming invocation.", f.Target))
	case len(f.Arguments) != m.arguments:
		return rte.AppendError(nil, f.InvocationID, unbound(f.Target))
	}
	result, err := m.call(c, f.Arguments)
	if err != nil {
		return rte.AppendError(nil, f.InvocationID, unbound(f.Target))
	}
	b, _ := json.Marshal(result) // plain values always encode
	return rte.AppendCompletion(nil, f.InvocationID, b)
}

// unbound is what a caller is told whose arguments fit no parameter.
func unbound(target string) string {
	return fmt.Sprintf("Failed to invoke '%s' due to an error on the server.", target)
}

func (c *conn) subscribe(arguments []json.RawMessage) (any, error) {
	return c.eachItem(arguments[0], func(sub rte.Subscription) { c.subs.add(sub) })
}

// unsubscribe answers success also for what was not subscribed: the hub's
// documentation calls the result "true on success", and that is what holds.
func (c *conn) unsubscribe(arguments []json.RawMessage) (any, error) {
	return c.eachItem(arguments[0], func(sub rte.Subscription) {
		c.subs.remove(rte.EntitySubscription{EntityID: sub.EntityID, EventName: sub.EventType}.Key())
	})
}

func (c *conn) eachItem(argument json.RawMessage, do func(rte.Subscription)) ([]rte.SubscriptionResult, error) {
	var items []rte.EntitySubscription
	if err := json.Unmarshal(argument, &items); err != nil {
		return nil, fmt.Errorf("read items: %w", err)
	}
	results := make([]rte.SubscriptionResult, 0, len(items))
	for _, item := range items {
		r := rte.SubscriptionResult{Subscribed: true, EntityID: item.EntityID, EventName: strings.ToLower(item.EventName)}
		sub, refusal := c.hub.rules.check(item)
		if refusal != "" {
			r.Subscribed, r.Message = false, &refusal
		} else {
			do(sub)
		}
		results = append(results, r)
	}
	c.hub.book.note(c.id, Subscribed, c.subs.count())
	c.hub.changed.signal()
	return results, nil
}

func (c *conn) unsubscribeAll([]json.RawMessage) (any, error) {
	c.subs.clear()
	c.hub.book.note(c.id, Subscribed, 0)
	c.hub.changed.signal()
	return true, nil
}

func (c *conn) availableSubscriptions([]json.RawMessage) (any, error) {
	return c.hub.rules.available(), nil
}

func (c *conn) activeSubscriptions([]json.RawMessage) (any, error) { return c.subs.list(), nil }
