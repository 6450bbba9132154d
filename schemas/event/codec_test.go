package event_test

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"ringstream/schemas"
	"ringstream/schemas/event"
)

// sample is an event with every attribute; subject may be anything.
func sample(subject string) cloudevents.Event {
	e := cloudevents.New()
	e.SetType("dev.ringstream.call.incoming.v1")
	e.SetSource("/organizations/o/calls")
	e.SetID("c/1")
	e.SetSubject(subject)
	e.SetDataSchema(event.SchemaBase + "call/incoming.v1.json")
	e.SetTime(time.Date(2026, 11, 2, 9, 12, 31, 123456700, time.UTC))
	e.SetDataContentType("application/json")
	e.SetExtension(event.ExtPartitionKey, subject)
	e.SetExtension(event.ExtSequence, "3")
	e.DataEncoded = []byte("{ \"a\" : 1.0e0 }\n")
	return e
}

func encode(t *testing.T, e cloudevents.Event) (map[string][]string, []byte) {
	t.Helper()
	header, body, err := event.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return header, body
}

// same compares everything that is carried.
func same(a, b cloudevents.Event) bool {
	return a.SpecVersion() == b.SpecVersion() && a.Type() == b.Type() && a.Source() == b.Source() && a.ID() == b.ID() &&
		a.Subject() == b.Subject() && a.DataSchema() == b.DataSchema() && a.Time().Equal(b.Time()) &&
		a.DataContentType() == b.DataContentType() && reflect.DeepEqual(text(a.Extensions()), text(b.Extensions())) && bytes.Equal(a.Data(), b.Data())
}

// text is what extensions are on the wire, where they have no type.
func text(extensions map[string]any) map[string]string {
	out := map[string]string{}
	for name, value := range extensions {
		if s, err := types.Format(value); err == nil && s != "" {
			out[name] = s
		}
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	bare := cloudevents.New()
	bare.SetType("t")
	bare.SetSource("s")
	bare.SetID("i")
	typed := sample("x")
	typed.SetExtension("number", 7)
	typed.SetExtension("flag", true)
	binary := sample("x")
	binary.DataEncoded = []byte{0, 1, 0xff, '\r', '\n', '\r', '\n'}
	for name, e := range map[string]cloudevents.Event{"full": sample("c"), "bare": bare, "typed extensions": typed, "binary data": binary} {
		t.Run(name, func(t *testing.T) {
			header, body := encode(t, e)
			got, err := event.Decode(header, body)
			if err != nil || !same(e, got) {
				t.Errorf("sent\n%v\ngot %v\n%v", e, err, got)
			}
		})
	}
}

func TestEveryExampleSurvivesTheWire(t *testing.T) {
	for _, id := range schemas.IDs() {
		data, err := schemas.Example(id)
		if err != nil {
			t.Fatal(err)
		}
		e := sample("x")
		e.SetDataSchema(id)
		e.DataEncoded = data
		header, body := encode(t, e)
		if got, err := event.Decode(header, body); err != nil || !same(e, got) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestEncodeWritesTheHeadersOfTheBinding(t *testing.T) {
	header, body := encode(t, sample("c"))
	want := map[string][]string{
		"ce-specversion": {"1.0"}, "ce-type": {"dev.ringstream.call.incoming.v1"}, "ce-source": {"/organizations/o/calls"}, "ce-id": {"c/1"},
		"ce-subject": {"c"}, "ce-dataschema": {event.SchemaBase + "call/incoming.v1.json"}, "ce-time": {"2026-11-02T09:12:31.1234567Z"},
		"ce-datacontenttype": {"application/json"}, "Content-Type": {"application/json"}, "ce-partitionkey": {"c"}, "ce-sequence": {"3"},
	}
	if !reflect.DeepEqual(header, want) {
		t.Errorf("got  %v\nwant %v", header, want)
	}
	if string(body) != "{ \"a\" : 1.0e0 }\n" {
		t.Errorf("body %q", body)
	}
}

func TestPercentEncoding(t *testing.T) {
	for _, c := range []struct{ plain, wire string }{
		{"plain/with:every;other=sign~!#$&'()*+,-.<>?@[]^_`{|}\\", "plain/with:every;other=sign~!#$&'()*+,-.<>?@[]^_`{|}\\"},
		{"a b", "a%20b"},
		{`say "hi"`, "say%20%22hi%22"},
		{"100%", "100%25"},
		{"%41", "%2541"}, // decoded once, not twice
		{"%2541", "%252541"},
		{"Zoë", "Zo%C3%AB"},
		{"€", "%E2%82%AC"},
		{"😀", "%F0%9F%98%80"},
		{"tab\tline\r\nend\x00\x1f\x7f", "tab%09line%0D%0Aend%00%1F%7F"},
	} {
		header, body := encode(t, sample(c.plain))
		if got := header["ce-subject"][0]; got != c.wire {
			t.Errorf("%q is %q on the wire, want %q", c.plain, got, c.wire)
		}
		got, err := event.Decode(header, body)
		if err != nil || got.Subject() != c.plain || got.Extensions()[event.ExtPartitionKey] != c.plain {
			t.Errorf("%q came back as %q, %v", c.plain, got.Subject(), err)
		}
	}
}

func TestDecodeOfHeaderValuesThatOthersEncode(t *testing.T) {
	for wire, want := range map[string]string{
		"Zo%c3%ab": "Zoë", // lower-case digits
		"%41%62c":  "Abc", // needlessly encoded
		"Zoë":      "Zoë", // not encoded at all
		"100%":     "100%", "%zz": "%zz", "%4": "%4", "%": "%", "a%%20b": "a% b", "a+b": "a+b",
	} {
		header, body := encode(t, sample("x"))
		header["ce-subject"] = []string{wire}
		if got, err := event.Decode(header, body); err != nil || got.Subject() != want {
			t.Errorf("%q was read as %q, %v, want %q", wire, got.Subject(), err, want)
		}
	}
}

func TestHeaderNamesMatchInAnyCasing(t *testing.T) {
	e := sample("c")
	header, body := encode(t, e)
	for _, spelling := range []func(string) string{strings.ToUpper, strings.ToLower} {
		respelt := map[string][]string{}
		for name, values := range header {
			respelt[spelling(name)] = values
		}
		if got, err := event.Decode(respelt, body); err != nil || !same(e, got) {
			t.Errorf("%v: %v", slices.Sorted(maps.Keys(respelt)), err)
		}
	}
}

func TestContentTypeIsTheDataContentType(t *testing.T) {
	for _, name := range []string{"Content-Type", "content-type", "CONTENT-TYPE"} {
		header, body := encode(t, sample("c"))
		delete(header, "Content-Type")
		delete(header, "ce-datacontenttype")
		header[name] = []string{"text/plain"}
		if got, err := event.Decode(header, body); err != nil || got.DataContentType() != "text/plain" {
			t.Errorf("%s: %q, %v", name, got.DataContentType(), err)
		}
	}
}

func TestStructuredMode(t *testing.T) {
	e := sample("Zoë %41")
	e.DataEncoded = []byte(`{"a":1}`)
	body, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]map[string][]string{
		"no header at all":            nil,
		"Content-Type":                {"Content-Type": {"application/cloudevents+json"}},
		"content-type with a charset": {"content-type": {"application/cloudevents+json; charset=UTF-8"}},
		"beside headers of NATS":      {"Nats-Msg-Id": {"1"}},
		"Content-Type wins over ce-":  {"Content-Type": {"application/cloudevents+json"}, "ce-specversion": {"1.0"}, "ce-id": {"other"}},
	} {
		if got, err := event.Decode(header, body); err != nil || !same(e, got) {
			t.Errorf("%s: %v\n%v", name, err, got)
		}
	}
}

func TestWhatIsNoCloudEventIsRefused(t *testing.T) {
	full, _ := encode(t, sample("c"))
	change := func(name, value string) map[string][]string {
		h := maps.Clone(full)
		delete(h, name)
		if value != "" {
			h[name] = []string{value}
		}
		return h
	}
	for name, c := range map[string]struct {
		header map[string][]string
		body   string
	}{
		"nothing":                {nil, ""},
		"text":                   {nil, "hello"},
		"JSON that is no event":  {nil, `{"a":1}`},
		"null":                   {nil, `null`},
		"a list":                 {map[string][]string{"Content-Type": {"application/cloudevents-batch+json"}}, `[]`},
		"structured without id":  {nil, `{"specversion":"1.0","type":"t","source":"s"}`},
		"structured, version 9":  {nil, `{"specversion":"9","type":"t","source":"s","id":"i"}`},
		"structured, but binary": {map[string][]string{"Content-Type": {"application/cloudevents+json"}, "ce-specversion": {"1.0"}}, `{}`},
		"only a version":         {map[string][]string{"ce-specversion": {"1.0"}}, ""},
		"an unknown version":     {change("ce-specversion", "2.0"), "{}"},
		"no type":                {change("ce-type", ""), "{}"},
		"no source":              {change("ce-source", ""), "{}"},
		"no id":                  {change("ce-id", ""), "{}"},
		"an id of spaces":        {change("ce-id", "%20%20"), "{}"},
		"a time that is none":    {change("ce-time", "yesterday"), "{}"},
		"a bad attribute name":   {change("ce-not_a_name", "x"), "{}"},
		"a bad source":           {change("ce-source", "http://[::1"), "{}"},
		"a header without value": {map[string][]string{"ce-specversion": {}}, "{}"},
	} {
		if e, err := event.Decode(c.header, []byte(c.body)); !errors.Is(err, event.ErrNotCloudEvent) {
			t.Errorf("%s: %v\n%v", name, err, e)
		}
	}
}

func TestEncodeRefusesAnInvalidEvent(t *testing.T) {
	if _, _, err := event.Encode(cloudevents.New()); err == nil {
		t.Error("an event without id, source and type was written")
	}
}

// What Decode accepts, Encode writes and Decode reads again as the same.
func FuzzDecode(f *testing.F) {
	structured := sample("Zoë")
	structured.DataEncoded = []byte(`{"a":1}`)
	body, err := structured.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", "", "", "", body)
	f.Add("1.0", "application/json", "sequence", "3", []byte(`{}`))
	f.Add("0.3", "text/plain", "time", "2026-11-02T09:12:31.1234567Z", []byte{})
	f.Add("2.0", "application/cloudevents+json", "dataschema", "%", []byte(`{"specversion":"1.0"}`))
	f.Add("1.0", "a/b; c=d", "subject", "%F0%9F%98%80 \x00", []byte{0xff})
	f.Fuzz(func(t *testing.T, version, contentType, name, value string, body []byte) {
		header := map[string][]string{"ce-type": {"t"}, "ce-source": {"s"}, "ce-id": {"i"}, "Content-Type": {contentType}, "ce-" + name: {value}}
		if version != "" {
			header["ce-specversion"] = []string{version}
		}
		e, err := event.Decode(header, body)
		if err != nil {
			if !errors.Is(err, event.ErrNotCloudEvent) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, data, err := event.Encode(e)
		if err != nil {
			t.Fatalf("read but not written: %v\n%v", err, e)
		}
		got, err := event.Decode(again, data)
		if err != nil || !same(e, got) {
			t.Fatalf("%v\nfirst %v\nagain %v", err, e, got)
		}
	})
}
