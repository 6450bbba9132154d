package schemas_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"ringstream/schemas"
	"ringstream/schemas/event"
)

// absent removes a member; any other value replaces it.
type absent struct{}

// alter returns a schema's example with one member changed; the path is
// dotted.
func alter(t *testing.T, path, at string, to any) []byte {
	t.Helper()
	b, err := schemas.Example(id(path))
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(b, &whole); err != nil {
		t.Fatal(err)
	}
	object := whole
	names := strings.Split(at, ".")
	for _, name := range names[:len(names)-1] {
		object = object[name].(map[string]any)
	}
	last := names[len(names)-1]
	if _, gone := to.(absent); gone {
		if _, there := object[last]; !there {
			t.Fatalf("%s: example has no %s to remove", path, at)
		}
		delete(object, last)
	} else {
		object[last] = to
	}
	out, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type alteration struct {
	path, at string
	to       any
}

func TestBrokenPayloadsAreRefused(t *testing.T) {
	const allocated, disconnected = "rte/user-call-in-user-allocated.json", "rte/user-call-in-disconnected.json"
	for _, c := range []alteration{
		// RTE: a wrong type is an error, whatever the casing.
		{allocated, "callId", 7},
		{allocated, "callId", true},
		{allocated, "callId", nil},
		{allocated, "callId", "not a GUID"},
		{allocated, "CallId", 7},
		{allocated, "timestamp", map[string]any{}},
		{allocated, "timestamp", 1700000000},
		{allocated, "timestamp", "yesterday"},
		{allocated, "timestamp", "2026-11-02 09:12:31"},
		{allocated, "timestamp", "2026-13-02T09:12:31Z"},
		{allocated, "Timestamp", nil},
		{allocated, "userName", 3},
		{allocated, "Username", []any{}},
		{allocated, "username", map[string]any{}},
		{allocated, "callerNumber", 441632960001},
		{allocated, "publicity", true},
		{allocated, "publicity", nil},
		{allocated, "publicity", 0.5},
		{allocated, "messageTTLSeconds", "60"},
		{allocated, "MessageTTLSeconds", 1.5},
		{allocated, "eventType", "UserCallInArrived"},
		{allocated, "eventType", false},
		{disconnected, "techQueueId", false},
		{disconnected, "reason", map[string]any{"text": "remote"}},
		{"rte/user-call-in-transfer-started.json", "transferTarget", 7},
		{"rte/user-call-in-user-overflow.json", "target", []any{1}},
		{"rte/user-call-in-recording-converted.json", "userChannel", 256},
		{"rte/user-call-in-recording-converted.json", "userChannel", "left"},
		{"rte/user-real-time-transcript-phrase.json", "confidence", "high"},
		{"rte/user-real-time-transcript-phrase.json", "duration", -1},
		{"rte/user-real-time-transcript-phrase.json", "isIntermediate", "false"},
		{"rte/user-setting.json", "values", []any{}},
		{"rte/user-setting.json", "values", map[string]any{"a": 1}},
		{"rte/user-setting.json", "allowedValues", "a"},
		{"rte/user-status.json", "talking", "yes"},
		{"rte/user-status.json", "Talking", 1},
		{"rte/user-status.json", "wrapUpEnd", false},
		{"rte/user-wrap-up-started.json", "wrapUpId", nil},
		{"rte/user-wrap-up-started.json", "queueId", 5},
		{"rte/queue-status.json", "nbrOfProviders", "six"},
		{"rte/queue-status.json", "maxWaitTime", nil},
		{"rte/queue-attached-user.json", "active", 1},
		{"rte/queue-group.json", "id", 1},
		{"rte/callback-changed.json", "callbackAttempts", map[string]any{}},
		{"rte/callback-changed.json", "callbackAttempts", []any{map[string]any{"id": 1}}},
		{"rte/callback-changed.json", "callBackExtras", []any{"x"}},
		{"rte/callback-changed.json", "callbackRelatedItems", []any{map[string]any{"isClosed": "no"}}},
		{"rte/callback-attempt.json", "callbackAttemptTypeId", "two"},
		{"rte/callback-extra.json", "id", "1"},
		{"rte/callback-related-item.json", "statusId", true},
		{"rte/entity-subscription.json", "entityId", "jane"},
		{"rte/entity-subscription.json", "eventName", 12},
		{"rte/subscription-result.json", "subscribed", "true"},
		{"rte/subscription.json", "allEntities", nil},
		{"rte/subscription.json", "entityId", 1},
		{"rte/message-received.json", "subscription", "none"},
		{"rte/message-received.json", "subscription.id", 4},
		{"rte/message-received.json", "data.callId", 7},
		{"rte/message-received.json", "data.Timestamp", []any{}},
		{"rte/message-received.json", "Data", map[string]any{"EventType": "QueueStatus", "QueueId": true}},

		// Our own: every member, with its type.
		{"call/incoming.v1.json", "callId", ""},
		{"call/incoming.v1.json", "callId", absent{}},
		{"call/incoming.v1.json", "type", "missed"},
		{"call/incoming.v1.json", "direction", "outbound"},
		{"call/incoming.v1.json", "occurredAt", "2026-11-02T09:12:31"},
		{"call/incoming.v1.json", "occurredAt", "2026-11-02T10:12:31+01:00"},
		{"call/incoming.v1.json", "occurredAt", "2026-11-31T10:12:31Z"},
		{"call/incoming.v1.json", "callerWithheld", true}, // and yet a caller
		{"call/incoming.v1.json", "audience", nil},
		{"call/incoming.v1.json", "audience", []any{}},
		{"call/incoming.v1.json", "audience", []any{map[string]any{"userId": "u"}}},
		{"call/incoming.v1.json", "sequence", 0},
		{"call/incoming.v1.json", "coverage", "partial"},
		{"call/incoming.v1.json", "cause.reason", absent{}},
		{"call/incoming.v1.json", "cause.eventId", ""},
		{"call/answered.v1.json", "answeredBy", nil},
		{"call/answered.v1.json", "answeredBy", map[string]any{"userId": "", "userName": ""}},
		{"call/missed.v1.json", "answeredBy", map[string]any{"userId": "u", "userName": ""}},
		{"call/outgoing.v1.json", "direction", "inbound"},
		{"feed/heartbeat.v1.json", "received", -1},
		{"feed/heartbeat.v1.json", "live", absent{}},
		{"feed/opened.v1.json", "epoch", ""},
		{"feed/subscribed.v1.json", "subscriptions", []any{map[string]any{"entityId": "e", "eventName": "n"}}},
		{"feed/closed.v1.json", "type", "opened"},
		{"heard/v1.json", "epoch", ""},
		{"heard/v1.json", "after", absent{}},
		{"heard/v1.json", "items", nil},
		{"heard/v1.json", "items", []any{map[string]any{"entityId": "e", "eventType": "E", "ids": []any{}}}},
		{"heard/v1.json", "items", []any{map[string]any{"entityId": "e", "ids": []any{"x"}}}},
		{"delivery/delivered.v1.json", "status", 429},
		{"delivery/delivered.v1.json", "status", absent{}},
		{"delivery/delivered.v1.json", "firstTriedAt", nil},
		{"delivery/delivered.v1.json", "negotiatorId", ""},
		{"delivery/delivered.v1.json", "users", nil},
		{"delivery/delivered.v1.json", "type", "held"},
		{"delivery/expired.v1.json", "reason", absent{}},
		{"delivery/unmapped.v1.json", "negotiatorId", "JAS"},
		{"delivery/shadowed.v1.json", "attempts", 1},
		{"delivery/dead.v1.json", "outcome", "rejected"},
		{"deadletter/v1.json", "service", "transform"},
		{"deadletter/v1.json", "reason", "Not One Word"},
		{"deadletter/v1.json", "at", absent{}},
		{"deadletter/v1.json", "errors", []any{map[string]any{"field": "callerId"}}},
		{"deadletter/v1.json", "body", "not base64!"},

		// Reapit: nothing but what is named.
		{"reapit/notification.json", "type", "telephone"},
		{"reapit/notification.json", "subType", "outgoingCall"},
		{"reapit/notification.json", "subType", "incomingCall"}, // whose payload has no answeredById
		{"reapit/notification.json", "products", []any{"PropertyWeb"}},
		{"reapit/notification.json", "products", []any{}},
		{"reapit/notification.json", "targets.negotiatorId", []any{}},
		{"reapit/notification.json", "targets.negotiatorId", "JAS"},
		{"reapit/notification.json", "targets.negotiatorId", []any{"JAS", "JAS"}},
		{"reapit/notification.json", "targets.negotiatorId", []any{"TOOLONG"}},
		{"reapit/notification.json", "targets.officeId", []any{"OXF"}},
		{"reapit/notification.json", "payload", map[string]any{}},
		{"reapit/notification.json", "productId", "AgencyCloud"},
		{"reapit/incoming-call.json", "answeredById", "JAS"},
		{"reapit/missed-call.json", "answeredById", "JAS"},
		{"reapit/answered-call.json", "answeredById", ""},
		{"reapit/ended-call.json", "huntGroup", absent{}},
		{"reapit/incoming-call.json", "created", "2026-11-02T09:12:31.4Z"},
		{"reapit/incoming-call.json", "created", "2026-11-02T09:12:31"},
		{"reapit/incoming-call.json", "callerId", "07700 900123"},
		{"reapit/incoming-call.json", "callerId", ""},
		{"reapit/incoming-call.json", "callerId", "Withheld"},
		{"reapit/incoming-call.json", "destinationId", "withheld"},
		{"reapit/incoming-call.json", "id", ""},
		{"reapit/incoming-call.json", "note", "hello"},
	} {
		b := alter(t, c.path, c.at, c.to)
		if err := schemas.Validate(id(c.path), b); err == nil {
			t.Errorf("%s with %s = %v passed", c.path, c.at, c.to)
		}
	}
}

func TestEverySchemaRefusesWhatIsNoObject(t *testing.T) {
	for _, id := range schemas.IDs() {
		for _, data := range []string{`null`, `[]`, `"x"`, `1`, `true`} {
			if schemas.Validate(id, []byte(data)) == nil {
				t.Errorf("%s passed %s", id, data)
			}
		}
	}
}

func TestEveryRTESchemaRefusesAnObjectWhereAScalarBelongs(t *testing.T) {
	for path, payloads := range documented(t) {
		if path == "rte/message-received.json" {
			continue // its members are objects
		}
		for _, name := range keys(t, payloads[0]) {
			if name == "Values" || name == "AllowedValues" {
				continue
			}
			for _, key := range []string{name, camelCase(name)} {
				b, err := json.Marshal(map[string]any{key: map[string]any{"a": 1}})
				if err != nil {
					t.Fatal(err)
				}
				if schemas.Validate(id(path), b) == nil {
					t.Errorf("%s passed %s", path, b)
				}
			}
		}
	}
}

const zeros = "00000000-0000-0000-0000-000000000000"

func TestWhatRTEMaySendPasses(t *testing.T) {
	const allocated, disconnected = "rte/user-call-in-user-allocated.json", "rte/user-call-in-disconnected.json"
	for _, c := range []alteration{
		{allocated, "callId", zeros},
		{allocated, "callId", strings.ToUpper("0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30")},
		{allocated, "callId", absent{}},
		{allocated, "eventType", absent{}},
		{allocated, "eventType", 10},
		{allocated, "Username", "jane@agency.example"},
		{allocated, "username", nil},
		{allocated, "callerNumber", nil},
		{allocated, "callerNumber", ""},
		{allocated, "publicity", "Public"},
		{allocated, "publicity", 3},
		{allocated, "entityType", 1},
		{allocated, "messageTTLSeconds", 120},
		{allocated, "somethingNew", map[string]any{"a": []any{1}}},
		{allocated, "timestamp", "2023-10-19T14:21:19.7009158Z"},
		{allocated, "timestamp", "2023-10-19T14:21:19"},
		{allocated, "timestamp", "2023-10-19T14:21:19.7"},
		{allocated, "timestamp", "2023-10-19T14:21:19+00:00"},
		{allocated, "timestamp", "0001-01-01T00:00:00"},
		{allocated, "timestamp", "9999-12-31T23:59:59.9999999"},
		{disconnected, "techQueueId", zeros},
		{disconnected, "TechQueueId", nil},
		{"rte/user-call-in-overflow.json", "techQueueId", nil},
		{"rte/user-call-in-transfer-started.json", "transferTarget", []any{"+441632960102", zeros}},
		{"rte/user-call-in-transfer-started.json", "transferTarget", zeros},
		{"rte/user-call-in-user-overflow.json", "Target", []any{}},
		{"rte/user-call-in-user-overflow.json", "target", nil},
		{"rte/user-setting.json", "values", nil},
		{"rte/user-setting.json", "AllowedValues", map[string]any{"Always": "1", "never": nil}},
		{"rte/user-terminal-status-event.json", "eventType", "UserTerminalStatusEvent"},
		{"rte/user-wrap-up-request-initiate.json", "allowWithoutCall", "No"},
		{"rte/callback-changed.json", "callBackAttempts", nil},
		{"rte/callback-changed.json", "callbackId", zeros},
		{"rte/queue-group.json", "id", nil},
		{"rte/subscription.json", "entityId", nil},
		{"rte/message-received.json", "data", nil},
		{"rte/message-received.json", "data", "text"},
		{"rte/message-received.json", "data", absent{}},
		{"rte/message-received.json", "subscription", nil},
		{"rte/message-received.json", "subscription", absent{}},
		{"rte/message-received.json", "data.eventType", "QueueCallInComing"},
		{"rte/message-received.json", "data", map[string]any{"EventType": "ContactCard", "CallId": 7}},
	} {
		b := alter(t, c.path, c.at, c.to)
		if err := schemas.Validate(id(c.path), b); err != nil {
			t.Errorf("%s with %s = %v: %v", c.path, c.at, c.to, err)
		}
	}
}

// A reader of version 1 must live with members that version 1 gains.
func TestOurOwnEventsMayGainMembers(t *testing.T) {
	for _, id := range schemas.IDs() {
		path := strings.TrimPrefix(id, event.SchemaBase)
		err := schemas.Validate(id, alter(t, path, "gainedLater", map[string]any{}))
		if closed := strings.HasPrefix(path, "reapit/"); (err != nil) != closed {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Every event that has a schema is dispatched to it, in both casings.
func TestMessageReceivedChecksDataByItsEventType(t *testing.T) {
	for path, payloads := range documented(t) {
		var data map[string]any
		if err := json.Unmarshal(payloads[0], &data); err != nil {
			t.Fatal(err)
		}
		if data["EventType"] == nil {
			continue
		}
		for _, rename := range []func(string) string{func(s string) string { return s }, camelCase} {
			good, bad := map[string]any{}, map[string]any{}
			for name, value := range data {
				good[rename(name)] = value
			}
			maps.Copy(bad, good)
			bad[rename("OrganizationId")] = false
			for want, m := range map[bool]map[string]any{true: good, false: bad} {
				b, err := json.Marshal(map[string]any{rename("Data"): m})
				if err != nil {
					t.Fatal(err)
				}
				if err := schemas.Validate(id("rte/message-received.json"), b); (err == nil) != want {
					t.Errorf("%s: valid %t, want %t: %s", path, err == nil, want, b)
				}
			}
		}
	}
}

func TestExamplesUseNumbersForDrama(t *testing.T) {
	for _, id := range schemas.IDs() {
		b, err := schemas.Example(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range digits(string(b)) {
			if !slices.ContainsFunc([]string{"+441632960", "01632960", "+447700900", "07700900"}, func(p string) bool { return strings.HasPrefix(number, p) }) {
				t.Errorf("%s: %s", id, number)
			}
		}
	}
}

// digits returns the quoted strings that are phone numbers.
func digits(s string) []string {
	var out []string
	for _, part := range strings.Split(s, `"`) {
		if len(part) > 7 && strings.Trim(part, "+0123456789") == "" {
			out = append(out, part)
		}
	}
	return out
}
