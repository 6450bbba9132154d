package rte_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"ringstream/ingest/internal/rte"
)

const argument = `{"subscription":{"id":"s"},"data":{ "n":1.0e0,"c":"\u002B44 <&> Ä","x":null}}`

func TestMessageArgumentIsVerbatim(t *testing.T) {
	for name, record := range map[string]string{
		"as .NET writes it":  `{"type":1,"target":"MessageReceived","arguments":[` + argument + `]}`,
		"other order":        `{"arguments":[` + argument + `],"target":"messagereceived","type":1}`,
		"with headers":       `{"type":1,"headers":{"a":"b"},"target":"MessageReceived","arguments":[` + argument + `]}`,
		"with an id":         `{"type":1,"invocationId":"7","target":"MessageReceived","arguments":[` + argument + `]}`,
		"fields after":       `{"type":1,"target":"MessageReceived","arguments":[` + argument + `],"streamIds":[]}`,
		"space around":       `{"type":1,"target":"MessageReceived","arguments":[ ` + argument + ` ]}`,
		"space in the frame": `{ "type": 1, "target": "MessageReceived", "arguments": [` + argument + `] }`,
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := rte.MessageArgument([]byte(record))
			if !ok || string(got) != argument {
				t.Errorf("got %s, %v; want %s", got, ok, argument)
			}
		})
	}
}

func TestMessageArgumentRefuses(t *testing.T) {
	for name, record := range map[string]string{
		"two arguments":    `{"type":1,"target":"MessageReceived","arguments":[{},{}]}`,
		"no argument":      `{"type":1,"target":"MessageReceived","arguments":[]}`,
		"another callback": `{"type":1,"target":"SubscribeDetails","arguments":[{}]}`,
		"another frame":    `{"type":6}`,
		"cut short":        `{"type":1,"target":"MessageReceived","arguments":[{"a":`,
		"nothing":          ``,
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := rte.MessageArgument([]byte(record)); ok {
				t.Errorf("took %s", got)
			}
		})
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	var b []byte
	b = rte.AppendInvocation(b, "", rte.CallbackMessageReceived, []byte(argument))
	b = rte.AppendInvocation(b, "7", rte.MethodSubscribe, []byte(`[]`), []byte(`2`))
	b = rte.AppendCompletion(b, "7", []byte(`{"a":1}`))
	b = rte.AppendCompletion(b, "8", nil)
	b = rte.AppendError(b, "9", `no "such" thing`)
	b = rte.AppendPing(b)
	b = rte.AppendClose(b, "Connection closed with an error.", true)
	b = rte.AppendClose(b, "", false)
	b = append(b, `{"type":6`...)

	want := []rte.Frame{
		{Type: rte.Invocation, Target: "MessageReceived", Arguments: raws(argument)},
		{Type: rte.Invocation, InvocationID: "7", Target: "Subscribe", Arguments: raws(`[]`, `2`)},
		{Type: rte.Completion, InvocationID: "7", Result: json.RawMessage(`{"a":1}`)},
		{Type: rte.Completion, InvocationID: "8"},
		{Type: rte.Completion, InvocationID: "9", Error: `no "such" thing`},
		{Type: rte.Ping},
		{Type: rte.Close, Error: "Connection closed with an error.", AllowReconnect: true},
		{Type: rte.Close},
	}
	for i, w := range want {
		record, rest, found := rte.CutRecord(b)
		if !found {
			t.Fatalf("record %d is missing", i)
		}
		got, err := rte.ReadFrame(record)
		if err != nil {
			t.Fatal(err)
		}
		if !equal(got, w) {
			t.Errorf("record %d: got %+v, want %+v", i, got, w)
		}
		b = rest
	}
	if _, rest, found := rte.CutRecord(b); found || string(rest) != `{"type":6` {
		t.Errorf("an unfinished record was cut: %q", rest)
	}
}

func raws(values ...string) (out []json.RawMessage) {
	for _, v := range values {
		out = append(out, json.RawMessage(v))
	}
	return out
}

func equal(a, b rte.Frame) bool {
	same := func(x, y json.RawMessage) bool { return string(x) == string(y) }
	return a.Type == b.Type && a.InvocationID == b.InvocationID && a.Target == b.Target && a.Error == b.Error &&
		a.AllowReconnect == b.AllowReconnect && same(a.Result, b.Result) && slices.EqualFunc(a.Arguments, b.Arguments, same)
}

func TestReadFrameRefuses(t *testing.T) {
	for _, record := range []string{``, `{}`, `[]`, `"type"`, `{"type":"one"}`, `{"type":1`} {
		if f, err := rte.ReadFrame([]byte(record)); err == nil {
			t.Errorf("%q was read as %+v", record, f)
		}
	}
}

func TestHandshake(t *testing.T) {
	request, _, _ := rte.CutRecord(rte.AppendHandshakeRequest(nil))
	if got, err := rte.ReadHandshakeRequest(request); err != nil || got != (rte.HandshakeRequest{Protocol: "json", Version: 1}) {
		t.Errorf("request: %+v, %v", got, err)
	}
	for _, message := range []string{"", "The protocol 'x' is not supported."} {
		response, _, _ := rte.CutRecord(rte.AppendHandshakeResponse(nil, message))
		if got, err := rte.ReadHandshakeResponse(response); err != nil || got.Error != message {
			t.Errorf("response: %+v, %v", got, err)
		}
	}
}

func TestEntityTypeOf(t *testing.T) {
	for name, want := range map[string]rte.EntityType{
		"UserCallInComing": rte.User, "usercallincoming": rte.User, "UserOfTomorrow": rte.User,
		"QueueStatus": rte.Queue, "QUEUECALLINHOLDSTART": rte.Queue,
		"CallbackChanged": rte.CallList, "CallListChanged": rte.CallList,
		"Weather": "",
	} {
		if got, ok := rte.EntityTypeOf(name); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
}

func TestCatalogueIsSortedAndNamedAfterItsEntity(t *testing.T) {
	for _, e := range rte.EntityTypes() {
		names := rte.EventNames(e)
		if len(names) == 0 || !slices.IsSorted(names) {
			t.Errorf("%s: empty or unsorted: %v", e, names)
		}
		for _, n := range names {
			if got, _ := rte.EntityTypeOf(n); got != e {
				t.Errorf("%s belongs to %s, found under %s", n, got, e)
			}
			if !strings.HasPrefix(n, string(e)) && e != rte.CallList {
				t.Errorf("%s does not begin with %s", n, e)
			}
		}
	}
}

func TestSubscriptionResultKey(t *testing.T) {
	asked := rte.EntitySubscription{EntityID: "C9EEB030-FF4B-EA11-AC9C-00155D4FDCF3", EventName: "QueueStatus"}
	var got rte.SubscriptionResult
	answer := `{"subscribed":false,"message":"Unauthorized","entityId":"c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3","eventName":"queuestatus"}`
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	if got.Key() != asked.Key() || got.Reason() != rte.RefusedUnauthorized {
		t.Errorf("%+v does not answer %+v", got, asked)
	}
}

func FuzzMessageArgument(f *testing.F) {
	f.Add([]byte(`{"type":1,"target":"MessageReceived","arguments":[` + argument + `]}`))
	f.Add([]byte(`{"type":1,"target":"MessageReceived","arguments":[{}],"streamIds":[]}`))
	f.Add([]byte(`{"type":6}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		got, ok := rte.MessageArgument(record)
		if !ok {
			return
		}
		if !json.Valid(got) || !strings.Contains(string(record), string(got)) {
			t.Fatalf("%q is no argument of %q", got, record)
		}
		written := rte.AppendInvocation(nil, "", rte.CallbackMessageReceived, got)
		if again, ok := rte.MessageArgument(written[:len(written)-1]); !ok || string(again) != string(got) {
			t.Fatalf("%q was read back as %q, %v", got, again, ok)
		}
	})
}

// However bytes are taken for frames, none is lost between the records, and a
// frame has a type and valid arguments.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte(`{"type":1,"target":"MessageReceived","arguments":[` + argument + "]}\x1e" + `{"type":6}` + "\x1e"))
	f.Add([]byte(`{"type":3,"invocationId":"7","result":[]}` + "\x1e\x1e" + `{"type":7,"error":"x","allowReconnect":true}`))
	f.Add([]byte("\x93\x01\x1e{\"TYPE\":1e0,\"arguments\":null}\x1e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		rest := b
		for {
			record, left, found := rte.CutRecord(rest)
			if !found {
				break
			}
			again = append(append(again, record...), rte.Separator)
			rest = left
			frame, err := rte.ReadFrame(record)
			if err != nil {
				continue
			}
			if frame.Type == 0 {
				t.Fatalf("%q has no type", record)
			}
			for _, a := range append(frame.Arguments, frame.Result) {
				if a != nil && !json.Valid(a) {
					t.Fatalf("%q of %q is no JSON", a, record)
				}
			}
		}
		if again = append(again, rest...); string(again) != string(b) {
			t.Fatalf("%q became %q", b, again)
		}
	})
}
