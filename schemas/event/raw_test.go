package event_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringstream/schemas"
	"ringstream/schemas/event"
)

const zeros = "00000000-0000-0000-0000-000000000000"

func ptr(s string) *string { return &s }

func TestParseRaw(t *testing.T) {
	const call = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30"
	for _, c := range []struct {
		name, body string
		want       event.Raw
	}{
		{
			"camelCase", `{"data":{"id":"E1","eventType":"UserCallInUserAllocated","entityType":"User","entityId":"U1","organizationId":"O1",
			"timestamp":"2023-10-19T14:21:19.7009158Z","messageTTLSeconds":60,"callId":"` + call + `","userId":"U1","userName":" jane@agency.example ",
			"userNumber":"+441632960101","callerNumber":" +447700900123 ","targetNumber":"+441632960001","techQueueId":"Q1","reason":"remote"}}`,
			event.Raw{
				ID: "e1", EventType: "UserCallInUserAllocated", EntityType: "User", EntityID: "u1", OrganizationID: "o1",
				Timestamp: time.Date(2023, 10, 19, 14, 21, 19, 700915800, time.UTC), TTL: time.Minute, CallID: call, UserID: "u1",
				UserName: "jane@agency.example", UserNumber: "+441632960101", CallerNumber: "+447700900123", TargetNumber: "+441632960001",
				TechQueueID: "q1", Reason: ptr("remote"),
			},
		},
		{
			"PascalCase and Username", `{"Subscription":{"Id":"s"},"Data":{"Id":"E1","EventType":"X","Username":"jane","CallId":"` + strings.ToUpper(call) + `"}}`,
			event.Raw{ID: "e1", EventType: "X", UserName: "jane", CallID: call},
		},
		{"username", `{"data":{"id":"e","username":"jane"}}`, event.Raw{ID: "e", UserName: "jane"}},
		{"zeros are none", `{"data":{"id":"e","callId":"` + zeros + `","techQueueId":"` + zeros + `","entityId":"` + zeros + `"}}`, event.Raw{ID: "e"}},
		{"null is none", `{"data":{"id":"e","callId":null,"userName":null,"reason":null,"timestamp":null,"messageTTLSeconds":null}}`, event.Raw{ID: "e"}},
		{"an empty reason is a reason", `{"data":{"id":"e","reason":""}}`, event.Raw{ID: "e", Reason: ptr("")}},
		{"enumerations by number", `{"data":{"id":"e","eventType":10,"entityType":1}}`, event.Raw{ID: "e", EventType: "10", EntityType: "1"}},
		{"escaped as .NET does", `{"data":{"id":"e","callerNumber":"\u002B447700900123"}}`, event.Raw{ID: "e", CallerNumber: "+447700900123"}},
		{"wrong shapes are empty", `{"data":{"id":"e","callId":{"a":1},"userName":["x"],"reason":{},"timestamp":[]}}`, event.Raw{ID: "e"}},
		{
			"data before subscription", `{"subscription":{"eventType":"S","entityType":"Queue","entityId":"SE","organizationId":"SO"},"data":{"id":"e","eventType":"D","entityType":"User","entityId":"DE","organizationId":"DO"}}`,
			event.Raw{ID: "e", EventType: "D", EntityType: "User", EntityID: "de", OrganizationID: "do"},
		},
		{
			"subscription where data is silent", `{"subscription":{"eventType":"S","entityType":"Queue","entityId":"SE","organizationId":"SO"},"data":{"id":"e","entityId":"` + zeros + `"}}`,
			event.Raw{ID: "e", EventType: "S", EntityType: "Queue", EntityID: "se", OrganizationID: "so"},
		},
		{"the root is the organization", `{"data":{"id":"e","rootEntityType":"organization","rootEntityId":"RO"}}`, event.Raw{ID: "e", OrganizationID: "ro"}},
		{"another root is not", `{"data":{"id":"e","rootEntityType":"Partner","rootEntityId":"RO"}}`, event.Raw{ID: "e"}},
		{"time without a zone is UTC", `{"data":{"id":"e","timestamp":"2023-10-19T14:21:19"}}`, event.Raw{ID: "e", Timestamp: time.Date(2023, 10, 19, 14, 21, 19, 0, time.UTC)}},
		{"no time limit", `{"data":{"id":"e","messageTTLSeconds":-1}}`, event.Raw{ID: "e"}},
		{"time limit as a string", `{"data":{"id":"e","messageTTLSeconds":"120"}}`, event.Raw{ID: "e", TTL: 2 * time.Minute}},
		{"no number of seconds", `{"data":{"id":"e","messageTTLSeconds":"0x10"}}`, event.Raw{ID: "e"}},
		{"too many seconds", `{"data":{"id":"e","messageTTLSeconds":99999999999}}`, event.Raw{ID: "e"}},
		{"unknown members", `{"more":1,"data":{"id":"e","x":{"id":"y"}}}`, event.Raw{ID: "e"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := event.ParseRaw([]byte(c.body))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestAnEventWithoutAnIDGetsOneFromItsBytes(t *testing.T) {
	for _, body := range []string{`{}`, `{"data":null}`, `{"data":[]}`, `{"data":"text"}`} {
		r, err := event.ParseRaw([]byte(body))
		if want := event.FallbackID([]byte(body)); err != nil || r.ID != want {
			t.Errorf("%s: id %s, %v, want %s", body, r.ID, err, want)
		}
	}
	const empty = "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if got := event.FallbackID(nil); got != empty {
		t.Errorf("FallbackID(nil) = %s", got)
	}
}

// Two connections hear the same data, each with a subscription of its own.
func TestAnEventWithoutAnIDHasOneIDOnEveryConnection(t *testing.T) {
	ids := map[string]bool{}
	for _, data := range []string{`{}`, `{"id":"` + zeros + `"}`, `{"id":" "}`, `{"x":1}`} {
		for _, entity := range []string{"u1", "u2"} {
			var seen []string
			for _, subscription := range []string{"s1", "s2"} {
				r, err := event.ParseRaw([]byte(`{"subscription":{"id":"` + subscription + `","entityId":"` + entity + `"},"data":` + data + `}`))
				if err != nil || !strings.HasPrefix(r.ID, "sha256-") {
					t.Fatalf("%s: %s, %v", data, r.ID, err)
				}
				seen = append(seen, r.ID)
				ids[r.ID] = true
			}
			if seen[0] != seen[1] {
				t.Errorf("%s of %s has two ids", data, entity)
			}
		}
	}
	if len(ids) != 8 {
		t.Errorf("%d ids for 8 events", len(ids))
	}
}

func TestWhatIsNoObjectIsRefusedAndStillHasAnID(t *testing.T) {
	for _, body := range []string{``, `{`, `null`, `[]`, `"x"`, `1`, `{}{}`, "\xff"} {
		r, err := event.ParseRaw([]byte(body))
		if err == nil || r.ID != event.FallbackID([]byte(body)) {
			t.Errorf("%q: %+v, %v", body, r, err)
		}
	}
	var syntax *json.SyntaxError
	if _, err := event.ParseRaw([]byte(`{`)); !errors.As(err, &syntax) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestKey(t *testing.T) {
	for want, r := range map[string]event.Raw{"c": {CallID: "c", EntityID: "e"}, "e": {EntityID: "e"}, "": {}} {
		if got := r.Key(); got != want {
			t.Errorf("key %q, want %q", got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	base := time.Date(2023, 10, 19, 14, 21, 19, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2023-10-19T14:21:19Z":          base,
		"2023-10-19T14:21:19":           base,
		"2023-10-19T14:21:19.7":         base.Add(700 * time.Millisecond),
		"2023-10-19T14:21:19.7009158Z":  base.Add(700915800),
		"2023-10-19T14:21:19.700915801": base.Add(700915801),
		"2023-10-19T14:21:19+00:00":     base,
		"2023-10-19T16:21:19.5+02:00":   base.Add(500 * time.Millisecond),
		"9999-12-31T23:59:59.9999999":   time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC),
	} {
		got, ok := event.ParseTime(in)
		if !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %t, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{
		"", "yesterday", "2023-10-19", "2023-10-19 14:21:19", "2023-13-01T00:00:00Z", "1697725279", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z",
		"0000-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "0002-01-01T00:00:00+01:00",
	} {
		if got, ok := event.ParseTime(in); ok {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}

// What the schema of raw events lets pass, ParseRaw can read; and whatever it
// reads has what the pipeline relies on.
func FuzzParseRaw(f *testing.F) {
	for _, id := range schemas.IDs() {
		if b, err := schemas.Example(id); err == nil && strings.Contains(id, "/rte/") {
			f.Add(b)
			f.Add([]byte(`{"subscription":{},"data":` + string(b) + `}`))
		}
	}
	for _, s := range []string{``, `null`, `{"data":{"timestamp":"0000-00-00T00:00:00"}}`, `{"DATA":{"ID":1e9,"MESSAGEttlSECONDS":"-0"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := event.ParseRaw(body)
		if schemas.Validate(event.SchemaBase+"rte/message-received.json", body) == nil && err != nil {
			t.Fatalf("valid but not read: %v", err)
		}
		if r.ID == "" || r.TTL < 0 || r.CallID == zeros || r.EntityID == zeros || r.CallerNumber != strings.TrimSpace(r.CallerNumber) {
			t.Fatalf("%+v", r)
		}
		if !r.Timestamp.IsZero() && r.Timestamp.Year() <= 1 {
			t.Fatalf("timestamp %v", r.Timestamp)
		}
		again, _ := event.ParseRaw(body)
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("read twice: %+v, %+v", r, again)
		}
	})
}

// An organization that is no GUID, not even fit for a URI, still gets its
// events encoded: nothing that arrived may be lost.
func TestOddOrganizationsAreEncoded(t *testing.T) {
	for _, id := range []string{"%zz", "a\nb", "a b", "??", "é", ""} {
		body, err := json.Marshal(map[string]any{"data": map[string]any{"organizationId": id, "eventType": "UserStatus"}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := event.ParseRaw(body)
		if err != nil {
			t.Fatal(err)
		}
		raw := event.NewRaw(r, body, "hub", "none", time.Now(), "")
		if _, _, err := event.Encode(raw); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		call, err := event.NewCall(event.Call{CallID: "c", OrganizationID: r.OrganizationID, Type: event.Incoming, OccurredAt: time.Now(), Sequence: 1}, "c", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := event.Encode(call); err != nil {
			t.Errorf("call of %q: %v", id, err)
		}
	}
}

func TestWhoRecordedARawEvent(t *testing.T) {
	for _, instance := range []string{"ingest-1", "ingest a%ö", ""} {
		header := event.EncodeRaw(event.Raw{ID: "e"}, "hub.example", "key", time.Now(), "")
		event.RecordBy(header, instance)
		e, err := event.Decode(header, []byte(`{}`))
		if got, _ := e.Extensions()[event.ExtRecordedBy].(string); err != nil || got != instance || event.Attribute(header, event.ExtRecordedBy) != instance {
			t.Errorf("%q: %q, %v", instance, got, err)
		}
	}
}

func TestRawIsEncodedAsItsEvent(t *testing.T) {
	recorded := time.Date(2026, 11, 22, 7, 0, 0, 5, time.UTC)
	for name, r := range map[string]event.Raw{
		"nothing known": {ID: "e"},
		"everything":    {ID: "e", EventType: "UserCallInComing", OrganizationID: "o", CallID: "c", Timestamp: recorded.Add(-time.Second), TTL: time.Minute},
		"odd letters":   {ID: "é 1%", EventType: "Ünknown\"", OrganizationID: "a/b c", EntityID: "☎"},
	} {
		for _, trace := range []string{"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
			want, _, err := event.Encode(event.NewRaw(r, []byte(`{}`), "hub.example:443", "key", recorded, trace))
			if err != nil {
				t.Fatal(err)
			}
			if got := event.EncodeRaw(r, "hub.example:443", "key", recorded, trace); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got\n%q, want\n%q", name, got, want)
			}
		}
	}
}
