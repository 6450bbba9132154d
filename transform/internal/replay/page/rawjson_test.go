package page

import (
	"encoding/json"
	"testing"

	"ringstream/transform/internal/replay/explain"
)

func TestPretty(t *testing.T) {
	for in, want := range map[string]string{
		`{"z":1,"a":[true,null,{}],"b":[],"s":"<&>"}`:                                                         "{\n  \"z\": 1,\n  \"a\": [\n    true,\n    null,\n    {}\n  ],\n  \"b\": [],\n  \"s\": \"<&>\"\n}",
		`{"CallerNumber":"+447911123456","callernumber":447911123456,"userNumber":"201","targetNumber":null}`: "{\n  \"CallerNumber\": \"…456\",\n  \"callernumber\": \"…456\",\n  \"userNumber\": \"…\",\n  \"targetNumber\": null\n}",
		`{"called":["+447911123456"],"caller":"anonymous"}`:                                                   "{\n  \"called\": [\n    \"…456\"\n  ],\n  \"caller\": \"withheld\"\n}",
		`{"detail":"callerId '07911 123456' is no number","at":"2026-11-22T13:09:18.0520000+00:00"}`:          "{\n  \"detail\": \"callerId '…456' is no number\",\n  \"at\": \"2026-11-22T13:09:18.0520000+00:00\"\n}",
		`{"callId":"0f6e4c1a-93d2-4b7e-8a61-000000000010","big":12345678901234567890,"called":""}`:            "{\n  \"callId\": \"0f6e4c1a-93d2-4b7e-8a61-000000000010\",\n  \"big\": 12345678901234567890,\n  \"called\": \"\"\n}",
		`{"phones":[447911123456,7],"telephoneNumbers":[201],"07911123456":"07911123456,07911-123-457"}`:      "{\n  \"phones\": [\n    \"…456\",\n    7\n  ],\n  \"telephoneNumbers\": [\n    \"…\"\n  ],\n  \"…456\": \"…456,…457\"\n}",
		`"+447911123456"`:           `"…456"`,
		`no JSON, of 07911 123456`:  `no JSON, of …456`,
		`{"a":1} {"b":2}`:           `{"a":1} {"b":2}`,
		`{"callerNumber":"+44`:      `{"callerNumber":"+44`,
		"\xff":                      "\uFFFD",
		``:                          ``,
		`{"callerNumber":["x","y"`:  `{"callerNumber":["x","y"`,
		`{"a":{"number":{"b":"c"}}`: `{"a":{"number":{"b":"c"}}`,
	} {
		if got := pretty([]byte(in), true); got != want {
			t.Errorf("%s became\n%s\nwant\n%s", in, got, want)
		}
	}
	if got, want := pretty([]byte(`{"callerNumber":"+447911123456","n":447911123456}`), false), "{\n  \"callerNumber\": \"+447911123456\",\n  \"n\": 447911123456\n}"; got != want {
		t.Errorf("with --numbers:\n%s", got)
	}
}

// What is JSON stays JSON, and no digits of a number that is masked get through.
func FuzzPretty(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"callerNumber":"+447911123456"}]}`))
	f.Add([]byte(`[[],{}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got := pretty(body, explain.Masking(true))
		if json.Valid(body) && !json.Valid([]byte(got)) {
			t.Errorf("%s became\n%s", body, got)
		}
	})
}
