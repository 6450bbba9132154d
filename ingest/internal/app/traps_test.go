package app

import (
	"path"
	"slices"
	"strings"
	"testing"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

// What RTE is known to send although its documentation says otherwise, or says
// nothing. Every message is kept byte for byte, and described by these headers;
// one that is not named is absent, "*" is any.
func TestMessagesThatStrayFromTheDocumentation(t *testing.T) {
	const (
		call  = "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30"
		user  = "aa90c608-7fd4-4c59-af60-d8141470e85b"
		zeros = "00000000-0000-0000-0000-000000000000"
	)
	messages := []struct {
		name, raw string
		headers   map[string]string
	}{
		{
			"PascalCase", `{"Data":{"Id":"E01","EventType":"UserCallInComing","CallId":"` + call + `","MessageTTLSeconds":60,"Timestamp":"2023-10-19T14:21:19.7009158Z"}}`,
			map[string]string{"id": "e01", "type": "UserCallInComing", "subject": call, "time": "2023-10-19T14:21:19.7009158Z", "expirytime": "2023-10-19T14:22:19.7009158Z"},
		},
		{
			"eventType in lower case", `{"data":{"id":"e02","eventType":"usercallincoming","callId":"` + call + `"}}`,
			map[string]string{"id": "e02", "type": "usercallincoming", "subject": call},
		},
		{
			"a type that nobody documents", `{"data":{"id":"e03","eventType":"UserTerminalStatusEvent","entityId":"` + user + `"}}`,
			map[string]string{"id": "e03", "type": "UserTerminalStatusEvent", "subject": user},
		},
		{
			"eventType as a number", `{"data":{"id":"e04","eventType":10,"callId":"` + call + `"}}`,
			map[string]string{"id": "e04", "type": "10", "subject": call},
		},
		{
			"time without a zone or a fraction", `{"data":{"id":"e05","timestamp":"2023-10-19T14:21:19"}}`,
			map[string]string{"id": "e05", "type": "Unknown", "time": "2023-10-19T14:21:19Z"},
		},
		{
			"time with an offset", `{"data":{"id":"e06","timestamp":"2023-10-19T15:21:19.5+01:00"}}`,
			map[string]string{"id": "e06", "type": "Unknown", "time": "2023-10-19T14:21:19.5Z"},
		},
		{"no time, as .NET writes it", `{"data":{"id":"e07","timestamp":"0001-01-01T00:00:00"}}`, map[string]string{"id": "e07", "type": "Unknown"}},
		{"a time that is none", `{"data":{"id":"e08","timestamp":"yesterday","messageTTLSeconds":-1}}`, map[string]string{"id": "e08", "type": "Unknown"}},
		{
			"the end of time", `{"data":{"id":"e09","timestamp":"9999-12-31T23:59:59.9999999"}}`,
			map[string]string{"id": "e09", "type": "Unknown", "time": "9999-12-31T23:59:59.9999999Z"},
		},
		{
			"zeros for none", `{"data":{"id":"e10","callId":"` + zeros + `","entityId":"` + user + `","techQueueId":"` + zeros + `"}}`,
			map[string]string{"id": "e10", "type": "Unknown", "subject": user},
		},
		{
			"an id of zeros", `{"data":{"id":"` + zeros + `","callId":"` + call + `"}}`,
			map[string]string{"id": "sha256-*", "type": "Unknown", "subject": call},
		},
		{"no id", `{"data":{"callId":"` + call + `"}}`, map[string]string{"id": "sha256-*", "type": "Unknown", "subject": call}},
		{
			"another entity than was subscribed", `{"subscription":{"allEntities":true,"entityId":"` + call + `","eventType":"UserStatus"},"data":{"id":"e13","entityId":"` + user + `"}}`,
			map[string]string{"id": "e13", "type": "UserStatus", "subject": user},
		},
		{
			"only the subscription says which", `{"subscription":{"entityId":"` + user + `","eventType":"UserStatus"},"data":{"id":"e14"}}`,
			map[string]string{"id": "e14", "type": "UserStatus", "subject": user},
		},
		{
			"a list of targets", `{"data":{"id":"e15","eventType":"UserCallInOverflow","callId":"` + call + `","target":["a",{"b":1}],"values":null}}`,
			map[string]string{"id": "e15", "type": "UserCallInOverflow", "subject": call},
		},
		{
			"escapes and what is not ASCII", `{"data":{"id":"e16","eventType":"User\u0053tatus","userName":"\u00C4\ud83d\ude00<>&'","callerNumber":"\u002B358401234567"}}`,
			map[string]string{"id": "e16", "type": "UserStatus"},
		},
		{"data is null", `{"data":null}`, map[string]string{"id": "sha256-*", "type": "Unknown"}},
		{"data is a text", `{"data":"text"}`, map[string]string{"id": "sha256-*", "type": "Unknown"}},
		{"no object", `[1,2.50,"three"]`, map[string]string{"id": "sha256-*", "type": "Unknown"}},
		{"null", `null`, map[string]string{"id": "sha256-*", "type": "Unknown"}},
	}
	r := newRig(t)
	r.start(r.settings("a"), fast()).waitReady()
	for _, m := range messages {
		if _, err := r.sim.Send(t.Context(), rtesim.Send{Raw: m.raw, To: "all"}); err != nil {
			t.Fatal(err)
		}
	}
	r.waitStored(len(messages))
	all := r.stored()
	for _, m := range messages {
		i := slices.IndexFunc(all, func(s bus.Message) bool { return string(s.Data) == m.raw })
		if i < 0 {
			t.Fatalf("%s: not stored", m.name)
		}
		stored := all[i]
		e, err := event.Decode(stored.Header, stored.Data)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		got := map[string]string{
			"id": e.ID(), "type": strings.TrimPrefix(e.Type(), event.RawTypePrefix), "subject": e.Subject(),
			"time": event.Attribute(stored.Header, "time"), "expirytime": event.Attribute(stored.Header, "expirytime"),
		}
		if m.headers["time"] == "" && got["time"] == event.Attribute(stored.Header, event.ExtRecordedTime) {
			got["time"] = "" // when it arrived
		}
		for name, value := range got {
			if matched, err := path.Match(m.headers[name], value); err != nil || !matched {
				t.Errorf("%s: %s is %q, want %q", m.name, name, value, m.headers[name])
			}
		}
	}
}
