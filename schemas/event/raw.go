package event

import (
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

var errNoObject = errors.New("read RTE message: it is no JSON object")

const zeroGUID = "00000000-0000-0000-0000-000000000000"

const fallbackPrefix = "sha256-"

// HasFallbackID tells whether an id was derived from bytes. Replicas may derive
// different ones.
func HasFallbackID(id string) bool { return strings.HasPrefix(id, fallbackPrefix) }

// FallbackID derives an id from bytes, for what has none.
func FallbackID(body []byte) string {
	sum := sha256.Sum256(body)
	return fallbackPrefix + hex.EncodeToString(sum[:])
}

// fallbackID goes by the data where there are some: the subscription around them
// is another for each connection, and the event the same.
func (r Raw) fallbackID(body, data []byte) string {
	if len(data) == 0 || data[0] != '{' {
		return FallbackID(body)
	}
	return FallbackID(slices.Concat(data, []byte(r.OrganizationID+" "+r.EventType+" "+r.EntityID)))
}

// text is a JSON scalar as a string; of anything else it is empty.
type text struct {
	value string
	set   bool
}

func (t text) trimmed() string { return strings.TrimSpace(t.value) }

func (t text) id() string {
	id := strings.ToLower(strings.TrimSpace(t.value))
	if id == zeroGUID {
		return ""
	}
	return id
}

// ParseRaw reads one MessageReceived argument. It fails only on bytes that are
// not a JSON object; then the returned Raw still has the fallback id.
func ParseRaw(body []byte) (Raw, error) {
	if !Valid(body) {
		return Raw{ID: FallbackID(body)}, fmt.Errorf("read RTE message: %w", json.Unmarshal(body, new(any)))
	}
	return ReadRaw(body)
}

// ReadRaw is [ParseRaw] for bytes that are known to be valid JSON.
func ReadRaw(body []byte) (Raw, error) {
	message := cursor{b: body}
	if !message.open() {
		return Raw{ID: FallbackID(body)}, errNoObject
	}
	var d fields
	var data, subscription []byte
	for name := message.next(); name != nil; name = message.next() {
		switch string(name) {
		case "subscription":
			subscription = message.value()
		case "data":
			message.token()
			from := message.at
			d = message.fields()
			data = body[from:message.at]
		default:
			message.value()
		}
	}
	r := Raw{
		ID:             d[id].id(),
		EventType:      d[eventType].trimmed(),
		EntityType:     d[entityType].trimmed(),
		EntityID:       d[entityID].id(),
		OrganizationID: d[organizationID].id(),
		CallID:         d[callID].id(),
		UserID:         d[userID].id(),
		UserName:       d[userName].trimmed(),
		UserNumber:     d[userNumber].trimmed(),
		CallerNumber:   d[callerNumber].trimmed(),
		TargetNumber:   d[targetNumber].trimmed(),
		TechQueueID:    d[techQueueID].id(),
	}
	if r.EventType == "" || r.EntityType == "" || r.EntityID == "" || r.OrganizationID == "" {
		r.complete(&d, subscription)
	}
	if r.ID == "" {
		r.ID = r.fallbackID(body, data)
	}
	r.Timestamp, _ = ParseTime(d[timestamp].trimmed())
	if seconds, err := strconv.ParseInt(d[messageTTLSeconds].trimmed(), 10, 32); err == nil && seconds > 0 {
		r.TTL = time.Duration(seconds) * time.Second
	}
	if d[reason].set {
		r.Reason = &d[reason].value
	}
	return r, nil
}

// complete takes what the data do not say from the subscription, which is not
// worth reading otherwise.
func (r *Raw) complete(d *fields, subscription []byte) {
	c := cursor{b: subscription}
	s := c.fields()
	r.EventType = first(r.EventType, s[eventType].trimmed())
	r.EntityType = first(r.EntityType, s[entityType].trimmed())
	r.EntityID = first(r.EntityID, s[entityID].id())
	r.OrganizationID = first(r.OrganizationID, s[organizationID].id(), d.organization(), s.organization())
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
// reports false for anything else, for DateTime.MinValue, which .NET writes for
// "not set", and for what is outside of the years that UTC can be written in.
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			if t = t.UTC(); t.Year() <= 1 || t.Year() > 9999 {
				return time.Time{}, false
			}
			return t, true
		}
	}
	return time.Time{}, false
}
