package schemas_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ringstream/schemas"
	"ringstream/schemas/event"
)

// told replaces the zeros of a documented payload by a GUID of its own for each
// member, since zeros are read as none.
func told(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatal(err)
	}
	for name, value := range m {
		if value == zeros {
			m[name] = guidOf(name)
		}
	}
	return m
}

func guidOf(name string) string {
	h := sha256.Sum256([]byte(strings.ToLower(name)))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

func TestParseRawReadsBothCasingsAlike(t *testing.T) {
	read := 0
	for path, payloads := range documented(t) {
		for _, payload := range payloads {
			data := told(t, payload)
			if data["EventType"] == nil {
				continue
			}
			pascal, err := json.Marshal(map[string]any{"Subscription": map[string]any{"EntityId": guidOf("other")}, "Data": data})
			if err != nil {
				t.Fatal(err)
			}
			want, err := event.ParseRaw(pascal)
			if err != nil {
				t.Fatal(err)
			}
			got, err := event.ParseRaw(camelCased(t, pascal))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: PascalCase %+v\ncamelCase %+v, %v", path, want, got, err)
			}
			check(t, path, want, data)
			read++
		}
	}
	if read != 36 {
		t.Errorf("read %d events, RTE documents 36", read)
	}
}

// check compares what was read with the payload, member by member.
func check(t *testing.T, path string, r event.Raw, data map[string]any) {
	t.Helper()
	text := func(names ...string) string {
		for _, name := range names {
			if s, ok := data[name].(string); ok {
				return s
			}
		}
		return ""
	}
	var reason string
	if r.Reason != nil {
		reason = *r.Reason
	}
	for name, pair := range map[string][2]string{
		"Id": {r.ID, text("Id")}, "EventType": {r.EventType, text("EventType")}, "EntityType": {r.EntityType, text("EntityType")},
		"EntityId": {r.EntityID, text("EntityId")}, "OrganizationId": {r.OrganizationID, text("OrganizationId")},
		"CallId": {r.CallID, text("CallId")}, "UserId": {r.UserID, text("UserId")}, "UserName": {r.UserName, text("UserName", "Username")},
		"UserNumber": {r.UserNumber, text("UserNumber")}, "CallerNumber": {r.CallerNumber, text("CallerNumber")},
		"TargetNumber": {r.TargetNumber, text("TargetNumber")}, "TechQueueId": {r.TechQueueID, text("TechQueueId")}, "Reason": {reason, text("Reason")},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: read %s %q, sent %q", path, name, pair[0], pair[1])
		}
	}
	if got, want := r.Timestamp.Format("2006-01-02T15:04:05Z"), text("Timestamp"); got != want {
		t.Errorf("%s: read Timestamp %s, sent %s", path, got, want)
	}
	if got, want := r.TTL.Seconds(), max(data["MessageTTLSeconds"].(float64), 0); got != want {
		t.Errorf("%s: read a time limit of %v s, sent %v", path, got, want)
	}
}

// An example as it comes on the wire is read and is valid as part of a message.
func TestExamplesAsMessages(t *testing.T) {
	for path, payloads := range documented(t) {
		if !bytes.Contains(payloads[0], []byte(`"EventType"`)) {
			continue
		}
		data, err := schemas.Example(id(path))
		if err != nil {
			t.Fatal(err)
		}
		message := []byte(`{"data":` + string(data) + `}`)
		if err := schemas.Validate(id("rte/message-received.json"), message); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		r, err := event.ParseRaw(message)
		if err != nil || r.Timestamp.IsZero() || strings.HasPrefix(r.ID, "sha256-") || r.Key() == "" {
			t.Errorf("%s: %+v, %v", path, r, err)
		}
	}
}
