package event_test

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

var (
	arrivalBody = []byte(`{"subscription":{"id":"0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1","eventType":"UserCallInComing","entityType":"User"},"data":{` +
		`"organizationId":"29f6e823-b484-e611-80c9-00505689257e","eventType":"UserCallInComing","callId":"0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1",` +
		`"id":"aa90c608-7fd4-4c59-af60-d8141470e85b","timestamp":"2023-10-19T14:21:19.7009158Z","userName":"jane@agency.example",` +
		`"callerNumber":"+447700900123","targetNumber":"+441632960001","messageTTLSeconds":60}}`)
	arrivedAt = time.Date(2023, 10, 19, 14, 21, 20, 1, time.UTC)
)

func arrivalHeader(t testing.TB) map[string][]string {
	t.Helper()
	r, err := event.ParseRaw(arrivalBody)
	if err != nil {
		t.Fatal(err)
	}
	h := event.EncodeRaw(r, "rte.example", r.CallID, arrivedAt, "00-0b4ad1f216f14a5e8b343cf3d4a0d0a1-aa90c6087fd44c59-01")
	event.RecordBy(h, "ingest-1")
	return h
}

// decodeByEvent is what DecodeRaw must come to.
func decodeByEvent(header map[string][]string, body []byte) (event.Raw, event.Arrival, error) {
	e, err := event.Decode(header, body)
	if err != nil {
		return event.Raw{}, event.Arrival{}, err
	}
	r, err := event.ParseRaw(e.Data())
	recorded, _ := e.Extensions()[event.ExtRecordedTime].(string)
	a := event.Arrival{}
	a.Recorded, _ = event.ParseTime(recorded)
	a.Trace, _ = e.Extensions()[event.ExtTraceParent].(string)
	return r, a, err
}

// Every header once without, and once with what others may write there: it is
// read, or refused, as by way of the event.
func TestDecodeRawIsDecodeAndParseRaw(t *testing.T) {
	check := func(name string, header map[string][]string, body []byte) {
		t.Helper()
		r, a, err := event.DecodeRaw(header, body)
		wantR, wantA, wantErr := decodeByEvent(header, body)
		if (err == nil) != (wantErr == nil) || err == nil && (!reflect.DeepEqual(r, wantR) || a != wantA) {
			t.Errorf("%s: got %+v %+v %v\nwant %+v %+v %v", name, r, a, err, wantR, wantA, wantErr)
		}
	}
	written := arrivalHeader(t)
	check("as written", written, arrivalBody)
	if _, a, err := event.DecodeRaw(written, arrivalBody); err != nil || !a.Recorded.Equal(arrivedAt) || a.Trace == "" {
		t.Errorf("as written: %+v %v", a, err)
	}
	check("no JSON", written, []byte("{"))
	check("no object", written, []byte("1"))
	check("structured", map[string][]string{"Content-Type": {"application/cloudevents+json"}}, []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"data":{"id":"x"}}}`))
	check("nothing", nil, arrivalBody)
	odd := []string{
		"", " ", "a", "%", "%41", "%zz", "0.3", "1.0", "2.0", "/", "//", "///", "//.", "//a:b/c", "//a:1/c", "::", "/a b", "http://[", "2023-10-19", "2023-10-19T14:21:19+01:00", "é", "a\"b",
		"text/plain", "application/cloudevents+json", "application/json; charset=utf-8", "https://ringstream.dev/schemas/other.json",
	}
	for name := range written {
		without := maps.Clone(written)
		delete(without, name)
		check("without "+name, without, arrivalBody)
		without[strings.ToUpper(name)] = written[name]
		check(name+" in upper case", without, arrivalBody)
		without[strings.ToUpper(name)] = nil
		check(name+" in upper case without a value", without, arrivalBody)
		for _, value := range odd {
			with := maps.Clone(written)
			with[name] = []string{value}
			check(name+" "+value, with, arrivalBody)
		}
	}
	for _, name := range []string{"ce-other", "ce-", "CE-Id", "ce-a_b", "ce-data", "Nats-Msg-Id", "c"} {
		for _, value := range odd {
			with := maps.Clone(written)
			with[name] = []string{value}
			if name == "CE-Id" {
				delete(with, "ce-id") // of two, either may count
			}
			check(name+" "+value, with, arrivalBody)
		}
	}
}

func TestEncodeCallIsEncodeOfNewCall(t *testing.T) {
	reason := "remote"
	whole := event.Call{
		CallID: "0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1", OrganizationID: "29f6e823-b484-e611-80c9-00505689257e", Direction: event.Inbound,
		OccurredAt: arrivedAt, RecordedAt: arrivedAt.Add(time.Millisecond), Caller: "+447700900123", Called: "sip:jane <\"é\">",
		HuntGroup: true, Audience: []event.User{{UserID: "u", UserName: "n"}}, AnsweredBy: &event.User{UserID: "u"}, Sequence: 12, Coverage: event.Gap,
		Cause: event.Cause{EventID: "aa90c608-7fd4-4c59-af60-d8141470e85b", EventType: "UserCallInDisconnected", Reason: &reason},
	}
	odd := event.Call{CallID: "a b%\"é", OrganizationID: "o/ö %", OccurredAt: arrivedAt.In(time.FixedZone("", 3600)), Cause: event.Cause{EventID: "%"}}
	for _, c := range []event.Call{whole, odd, {CallID: "c"}} {
		for _, c.Type = range event.CallTypes() {
			for _, trace := range []string{"", "00-0b4ad1f216f14a5e8b343cf3d4a0d0a1-aa90c6087fd44c59-01"} {
				e, err := event.NewCall(c, "key", trace)
				if err != nil {
					t.Fatal(err)
				}
				wantHeader, wantBody, err := event.Encode(e)
				if err != nil {
					t.Fatal(err)
				}
				header, body, err := event.EncodeCall(c, "key", trace)
				if err != nil || !reflect.DeepEqual(header, wantHeader) || string(body) != string(wantBody) {
					t.Errorf("%s: got %v %s %v\nwant %v %s", c.Type, header, body, err, wantHeader, wantBody)
				}
			}
		}
	}
	whole.OccurredAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, _, err := event.EncodeCall(whole, "key", ""); err == nil {
		t.Error("a year that JSON has not was taken")
	}
}

func BenchmarkDecodeRaw(b *testing.B) {
	header := arrivalHeader(b)
	for name, decode := range map[string]func(map[string][]string, []byte) (event.Raw, event.Arrival, error){"headers": event.DecodeRaw, "event": decodeByEvent} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := decode(header, arrivalBody); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
