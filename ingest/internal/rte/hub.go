package rte

import (
	"strings"
)

// Methods of the hub. ASP.NET Core matches them in any casing.
const (
	MethodSubscribe              = "Subscribe"
	MethodUnsubscribe            = "Unsubscribe"
	MethodUnsubscribeAll         = "UnsubscribeAll"
	MethodAvailableSubscriptions = "AvailableSubscriptions"
	MethodActiveSubscriptions    = "ActiveSubscriptions"
)

// CallbackMessageReceived is the one method the hub calls on its clients. Its
// one argument is {subscription, data}.
const CallbackMessageReceived = "MessageReceived"

// MaxRecord is the largest record a hub takes from a client, ASP.NET Core's
// default. A Subscribe of some 300 items comes close to it.
const MaxRecord = 32 << 10

// EntitySubscription is one item of Subscribe and Unsubscribe. The hub reads
// its names in any casing.
type EntitySubscription struct {
	EntityID  string `json:"EntityId"`
	EventName string `json:"EventName"`
}

// Key identifies what is subscribed, whatever the casing it was written in.
func (s EntitySubscription) Key() EntitySubscription {
	return EntitySubscription{strings.ToLower(s.EntityID), strings.ToLower(s.EventName)}
}

// Reasons for which the hub refuses an item.
const (
	RefusedEntityID     = "Invalid EntityId"
	RefusedEventName    = "Invalid event name"
	RefusedUnauthorized = "Unauthorized"
)

// SubscriptionResult answers one item of Subscribe or Unsubscribe. The hub
// gives EventName back in lower case, so results are matched by [SubscriptionResult.Key].
type SubscriptionResult struct {
	Subscribed bool    `json:"subscribed"`
	Message    *string `json:"message"` // null unless refused
	EntityID   string  `json:"entityId"`
	EventName  string  `json:"eventName"`
}

// Key is the key of the item that r answers.
func (r SubscriptionResult) Key() EntitySubscription {
	return EntitySubscription{r.EntityID, r.EventName}.Key()
}

// Reason says why the item was refused; empty when it was not or the hub does
// not tell.
func (r SubscriptionResult) Reason() string {
	if r.Message == nil {
		return ""
	}
	return *r.Message
}

// Subscription is an active subscription as ActiveSubscriptions lists it and
// every MessageReceived carries it.
type Subscription struct {
	ID              string `json:"id"`
	AllRootEntities bool   `json:"allRootEntities"`
	RootEntityID    string `json:"rootEntityId"`
	RootEntityType  string `json:"rootEntityType"`
	OrganizationID  string `json:"organizationId"`
	EventType       string `json:"eventType"`
	EntityType      string `json:"entityType"`
	EntityID        string `json:"entityId"`
	AllEntities     bool   `json:"allEntities"`
}
