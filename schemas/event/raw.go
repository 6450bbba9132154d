package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Raw is what the pipeline needs to know of one RTE message, read tolerantly:
// names match in any casing, numbers and booleans read as strings, and a field
// that is missing, null or of another shape is empty. Ids are lower-case; an
// all-zero GUID, which .NET writes for "none", is empty.
//
// The bytes of the message are not kept: the stream holds them.
type Raw struct {
	ID             string // the event's own id; of an event without one, [FallbackID]
	EventType      string // such as UserCallInComing; empty when the message names none
	EntityType     string // User, Queue or CallList
	EntityID       string // of data, else of the subscription
	OrganizationID string
	Timestamp      time.Time // UTC; zero when missing, unreadable or DateTime.MinValue
	TTL            time.Duration

	CallID       string
	UserID       string
	UserName     string
	UserNumber   string
	CallerNumber string // trimmed
	TargetNumber string // trimmed
	TechQueueID  string
	Reason       *string // nil when null or absent
}

// Key is what the event is partitioned by: its CallId, or its EntityId where
// it belongs to no call. It may be empty.
func (r Raw) Key() string {
	if r.CallID != "" {
		return r.CallID
	}
	return r.EntityID
}

var errNull = errors.New("read RTE message: it is null")

const zeroGUID = "00000000-0000-0000-0000-000000000000"

// FallbackID derives an id from bytes, for what has none.
func FallbackID(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256-" + hex.EncodeToString(sum[:])
}

// fallbackID goes by the data where there are some: the subscription around them
// is another for each connection, and the event the same.
func (r Raw) fallbackID(body, data []byte) string {
	if len(data) == 0 || data[0] != '{' {
		return FallbackID(body)
	}
	return FallbackID(slices.Concat(data, []byte(r.OrganizationID+" "+r.EventType+" "+r.EntityID)))
}

// text reads any JSON scalar as a string, and everything else as "".
type text struct {
	value string
	set   bool
}

func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) == 0 || b[0] == '{' || b[0] == '[' || bytes.Equal(b, []byte("null")):
		return nil
	case b[0] == '"':
		t.set = true
		return json.Unmarshal(b, &t.value)
	default:
		*t = text{value: string(b), set: true}
		return nil
	}
}

func (t text) trimmed() string { return strings.TrimSpace(t.value) }

func (t text) id() string {
	id := strings.ToLower(strings.TrimSpace(t.value))
	if id == zeroGUID {
		return ""
	}
	return id
}

// Field names are matched by encoding/json in any casing, which also covers
// UserName and Username.
type rawSubscription struct {
	OrganizationID, RootEntityType, RootEntityID text
	EventType, EntityType, EntityID              text
}

type rawData struct {
	ID, EventType, EntityType, EntityID, RootEntityType, RootEntityID text
	OrganizationID, Timestamp, MessageTTLSeconds                      text
	CallID, UserID, UserName, UserNumber                              text
	CallerNumber, TargetNumber, TechQueueID, Reason                   text
}

// ParseRaw reads one MessageReceived argument. It fails only on bytes that are
// not a JSON object; then the returned Raw still has the fallback id.
func ParseRaw(body []byte) (Raw, error) {
	var m *struct{ Subscription, Data json.RawMessage }
	if err := json.Unmarshal(body, &m); err != nil {
		return Raw{ID: FallbackID(body)}, fmt.Errorf("read RTE message: %w", err)
	}
	if m == nil {
		return Raw{ID: FallbackID(body)}, errNull
	}
	var s rawSubscription
	var d rawData
	// A part that is no object leaves its fields empty.
	_ = json.Unmarshal(orNull(m.Subscription), &s)
	_ = json.Unmarshal(orNull(m.Data), &d)

	r := Raw{
		ID:             d.ID.id(),
		EventType:      first(d.EventType.trimmed(), s.EventType.trimmed()),
		EntityType:     first(d.EntityType.trimmed(), s.EntityType.trimmed()),
		EntityID:       first(d.EntityID.id(), s.EntityID.id()),
		OrganizationID: first(d.OrganizationID.id(), s.OrganizationID.id(), organization(d.RootEntityType, d.RootEntityID), organization(s.RootEntityType, s.RootEntityID)),
		CallID:         d.CallID.id(),
		UserID:         d.UserID.id(),
		UserName:       d.UserName.trimmed(),
		UserNumber:     d.UserNumber.trimmed(),
		CallerNumber:   d.CallerNumber.trimmed(),
		TargetNumber:   d.TargetNumber.trimmed(),
		TechQueueID:    d.TechQueueID.id(),
	}
	if r.ID == "" {
		r.ID = r.fallbackID(body, m.Data)
	}
	r.Timestamp, _ = ParseTime(d.Timestamp.trimmed())
	if seconds, err := strconv.ParseInt(d.MessageTTLSeconds.trimmed(), 10, 32); err == nil && seconds > 0 {
		r.TTL = time.Duration(seconds) * time.Second
	}
	if d.Reason.set {
		r.Reason = &d.Reason.value
	}
	return r, nil
}

func orNull(b json.RawMessage) []byte {
	if len(b) == 0 {
		return []byte("null")
	}
	return b
}

func organization(kind, id text) string {
	if strings.EqualFold(kind.trimmed(), "Organization") {
		return id.id()
	}
	return ""
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// ParseTime reads a time as .NET writes it: with or without a fraction of up
// to nine digits, with Z, an offset, or no zone at all, which means UTC. It
// reports false for anything else and for DateTime.MinValue, which .NET writes
// for "not set".
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), t.Year() > 1
		}
	}
	return time.Time{}, false
}
