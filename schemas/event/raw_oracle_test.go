package event

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// spelt reads a part with encoding/json, which is what fields come to as well.
type spelt struct {
	ID, EventType, EntityType, EntityID, RootEntityType, RootEntityID, OrganizationID, Timestamp, MessageTTLSeconds,
	CallID, UserID, UserName, UserNumber, CallerNumber, TargetNumber, TechQueueID, Reason scalar
}

type scalar text

func (t *scalar) UnmarshalJSON(b []byte) error {
	switch {
	case b[0] == '{' || b[0] == '[' || bytes.Equal(b, []byte("null")):
		return nil
	case b[0] == '"':
		t.set = true
		return json.Unmarshal(b, &t.value)
	default:
		*t = scalar{value: string(b), set: true}
		return nil
	}
}

func (p spelt) fields() (all fields) {
	for i := range int(fieldCount) {
		all[i] = text(reflect.ValueOf(p).Field(i).Interface().(scalar))
	}
	return all
}

func FuzzFieldsAreThoseOfEncodingJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `[{"id":1}]`, ` { "ID" : "\u002B1" , "i\u0064":"again","callId":null,"reason":{"id":"x","a":["]}\"\\"]} } `,
		`{"id":1e9,"timestamp":"x","ID":[]}`, "{\"id\":\"\xff\"}", `{"":"","userName":true,"username":"\"\\"}`, `"id"`, `-1.5`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, part []byte) {
		low := bytes.ToLower(part)
		if !json.Valid(part) || bytes.ContainsAny(part, "\u017f\u212a") || bytes.Contains(low, []byte("17f")) || bytes.Contains(low, []byte("212a")) {
			return // encoding/json takes a long s and a Kelvin sign for letters of ASCII
		}
		var want spelt
		_ = json.Unmarshal(part, &want) // what is no object leaves all empty
		in := cursor{b: part}
		if got := in.fields(); got != want.fields() {
			t.Errorf("%s\ngot  %+v\nwant %+v", part, got, want.fields())
		}
	})
}

func BenchmarkParseRaw(b *testing.B) {
	body := []byte(`{"subscription":{"id":"0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1","allRootEntities":false,"eventType":"UserCallInComing","entityType":"User"},"data":{"organizationId":"29f6e823-b484-e611-80c9-00505689257e","eventType":"UserCallInComing","callId":"0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1","id":"aa90c608-7fd4-4c59-af60-d8141470e85b","timestamp":"2023-10-19T14:21:19.7009158Z","userName":"jane@agency.example","callerNumber":"+447700900123","targetNumber":"+441632960001","messageTTLSeconds":60}}`)
	for b.Loop() {
		if _, err := ParseRaw(body); err != nil {
			b.Fatal(err)
		}
	}
}
