package event

import "time"

// Heard is the data of what a replica of ingest tells the others: the events
// that one of its connections brought. Each of them compares that with what it
// heard itself.
type Heard struct {
	Instance string      `json:"instance"` // RTE_INSTANCE of the replica
	Epoch    string      `json:"epoch"`    // id of the connection
	After    time.Time   `json:"after"`    // UTC, the replica's clock; the hub wrote all of them to this connection later than that
	Items    []HeardItem `json:"items"`
}

// HeardItem is what was heard of one user, queue or call list and event type.
type HeardItem struct {
	EntityID  string   `json:"entityId"`
	EventType string   `json:"eventType"`
	IDs       []string `json:"ids"` // of RTE events
}
