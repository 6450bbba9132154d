package event

import "time"

// FeedType says what an ingest replica tells about its own listening.
type FeedType string

// What a replica tells: four coverage events, and what it has missed.
const (
	Opened     FeedType = "opened"     // a connection to the hub stands
	Subscribed FeedType = "subscribed" // the hub answered a Subscribe
	Heartbeat  FeedType = "heartbeat"  // once a second, connected or not
	Closed     FeedType = "closed"     // the connection ended
	Audit      FeedType = "audit"      // the hub sent others what it did not send this replica; tells nothing of coverage
)

// FeedTypes lists every feed event type.
func FeedTypes() []FeedType { return []FeedType{Opened, Subscribed, Heartbeat, Closed, Audit} }

// CloudEvent returns the CloudEvents type, such as dev.ringstream.feed.opened.v1.
func (t FeedType) CloudEvent() string { return FeedTypePrefix + string(t) + versionSuffix }

// Feed is the data of a coverage event. From these events alone the spans in
// which no replica listened can be computed.
type Feed struct {
	Instance      string         `json:"instance"` // RTE_INSTANCE of the replica
	Type          FeedType       `json:"type"`
	Epoch         string         `json:"epoch"`                      // id of the connection; empty while there is none
	Live          bool           `json:"live"`                       // connected and subscribed when this was said, and the hub heard of lately
	At            time.Time      `json:"at"`                         // UTC, the replica's clock; of a closed event: when the hub was last heard
	HeardAt       time.Time      `json:"heardAt,omitempty,omitzero"` // UTC; when this epoch's hub was last heard, which is how far it is known to reach
	Answers       bool           `json:"answers,omitempty"`          // the hub answers WebSocket pings on this connection: while it stands, heardAt is a second old or so
	Hub           string         `json:"hub,omitempty"`              // host of the hub
	Received      uint64         `json:"received"`                   // messages of this epoch so far
	LastEventID   string         `json:"lastEventId,omitempty"`      // newest RTE event of this epoch
	Subscriptions []Subscription `json:"subscriptions,omitempty"`    // of a subscribed event: the hub's answers
	Reason        string         `json:"reason,omitempty"`           // of a closed event: why
	Unheard       int            `json:"unheard,omitempty"`          // of an audit event: events that another replica heard and this one should have
	UnheardIDs    []string       `json:"unheardIds,omitempty"`       // of an audit event: the first few of them
}

// Subscription is the hub's answer to one subscription item.
type Subscription struct {
	EntityID   string `json:"entityId"`
	EventName  string `json:"eventName"`
	Subscribed bool   `json:"subscribed"`
	Message    string `json:"message,omitempty"` // the hub's reason for a refusal
}
