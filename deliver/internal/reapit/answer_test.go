package reapit_test

import (
	"compress/gzip"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

func zipped(s string) string {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// basic is the header with which a token is asked for.
func basic() string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("demo-client", url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

const concurrent = "Concurrent request limit exceeded. Please ensure that no more than 5 requests are actively being fulfilled"

func header(pairs ...string) http.Header {
	h := asJSON.Clone()
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = []string{pairs[i+1]}
	}
	return h
}

var answers = map[string]struct {
	status int
	header http.Header
	body   string
	want   reapit.Result
}{
	"accepted":            {202, header("x-amzn-RequestId", "r-1"), "", reapit.Result{RequestID: "r-1"}},
	"accepted with words": {200, asJSON, `{"description":"ignored"}`, reapit.Result{}},
	"validation": {
		422, header("x-amzn-requestid", "r-2"),
		`{"errors":[{"field":"payload.callerId","message":"must be digits"}],"statusCode":422,"dateTime":"2020-02-11T13:32:03.6759302Z","description":"One or more validation failures have occurred."}`,
		reapit.Result{
			RequestID: "r-2", Description: "One or more validation failures have occurred.",
			Errors: []event.FieldError{{Field: "payload.callerId", Message: "must be digits"}},
		},
	},
	"validation as 400, in Pascal case": {
		400, asJSON, `{"StatusCode":400,"Description":"bad","Errors":[{"Field":"type","Message":"no"},{"Field":"subType"}]}`,
		reapit.Result{Description: "bad", Errors: []event.FieldError{{Field: "type", Message: "no"}, {Field: "subType"}}},
	},
	"odd validation errors": {
		422, asJSON, `{"errors":["too short",{"field":7,"message":"seven"},{},null],"description":9,"title":"Odd"}`,
		reapit.Result{Description: "Odd", Errors: []event.FieldError{{Message: "too short"}, {Message: "seven"}}},
	},
	"validation errors by name": {
		400, asJSON, `{"title":"One or more","errors":{"type":["no"]}}`, reapit.Result{Description: "One or more"},
	},
	"concurrency": {
		429, asJSON, `{"StatusCode":429,"DateTime":"2021-06-21T08:06:02.5066668Z","Description":"` + concurrent + `"}`,
		reapit.Result{Description: concurrent},
	},
	"scope": {
		403, asJSON, `{"statusCode":403,"dateTime":"2022-08-11T05:22:37Z","description":"This application has not been granted the required scope"}`,
		reapit.Result{Description: "This application has not been granted the required scope"},
	},
	"no such path": {
		403, header("x-amzn-ErrorType", "MissingAuthenticationTokenException"), `{"message":"Missing Authentication Token"}`,
		reapit.Result{Description: reapit.MissingAuthenticationToken},
	},
	"gateway timeout":     {504, asJSON, `{"message": "Endpoint request timed out"}`, reapit.Result{Description: "Endpoint request timed out"}},
	"gateway, capital":    {413, asJSON, `{"Message":"Request Too Long"}`, reapit.Result{Description: "Request Too Long"}},
	"gateway, null":       {500, asJSON, `{"message": null}`, reapit.Result{}},
	"OAuth":               {401, asJSON, `{"error":"invalid_token","error_description":"expired"}`, reapit.Result{Description: "expired"}},
	"unauthorised, empty": {401, asJSON, "", reapit.Result{}},
	"HTML":                {502, http.Header{"Content-Type": {"text/html"}}, "<html><h1>Bad Gateway</h1></html>", reapit.Result{}},
	"HTML, said JSON":     {502, asJSON, "<html><h1>Bad Gateway</h1></html>", reapit.Result{}},
	"text":                {503, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, " back soon\n", reapit.Result{Description: "back soon"}},
	"text, said JSON":     {500, asJSON, "oops", reapit.Result{Description: "oops"}},
	"broken JSON":         {500, http.Header{"Content-Type": {"application/octet-stream"}}, `{"description":`, reapit.Result{}},
	"control characters": {
		500, asJSON, `{"description":"\u001b[2Jgone\u0000\u202e","errors":[{"field":"a\nb","message":"\u0007"}]}`,
		reapit.Result{Description: "[2Jgone", Errors: []event.FieldError{{Field: "a b"}}},
	},
	"zeros":     {500, asJSON, strings.Repeat("\x00", 3), reapit.Result{}},
	"bytes":     {500, asJSON, "\xff\xfe\x00", reapit.Result{}},
	"an array":  {500, asJSON, `[]`, reapit.Result{Description: "[]"}},
	"redirect":  {307, header("Location", "http://127.0.0.1:1/elsewhere"), "", reapit.Result{}},
	"very long": {500, asJSON, `{"description":"` + strings.Repeat("é", 400) + `"}`, reapit.Result{Description: strings.Repeat("é", 250) + "…"}},
	"endless":   {500, asJSON, `{"description":"` + strings.Repeat("a", 1<<20) + `"}`, reapit.Result{}},
	"echo of secrets": {
		400, asJSON, `{"description":"Bearer ` + issuedToken + ` of ` + secret + `","errors":[{"field":"x","message":"` + issuedToken + `"}]}`,
		reapit.Result{Description: "Bearer [redacted] of [redacted]", Errors: []event.FieldError{{Field: "x", Message: "[redacted]"}}},
	},
	"echo of the credentials": {
		400, header("x-amzn-RequestId", issuedToken), `{"description":"` + basic() + ` ` + url.QueryEscape(secret) + `","errors":[{"field":"` + secret + `","message":"` + strings.Repeat("x", 490) + issuedToken + `"}]}`,
		reapit.Result{
			RequestID: "[redacted]", Description: "Basic [redacted] [redacted]",
			Errors: []event.FieldError{{Field: "[redacted]", Message: strings.Repeat("x", 490) + "[redacted]"}},
		},
	},
	"a mark before the JSON": {400, asJSON, "\ufeff" + `{"description":"bad"}`, reapit.Result{Description: "bad"}},
	"a long request id":      {202, header("x-amzn-RequestId", strings.Repeat("r", 500)), "", reapit.Result{RequestID: strings.Repeat("r", 128)}},
	"zipped":                 {500, header("Content-Encoding", "gzip"), zipped(`{"description":"small"}`), reapit.Result{Description: "small"}},
	"zipped, broken":         {500, header("Content-Encoding", "gzip"), zipped(`{"description":"small"}`)[:20], reapit.Result{}},
	"a zip bomb":             {500, header("Content-Encoding", "gzip"), zipped(strings.Repeat(" ", 1<<20) + `{"description":"far behind"}`), reapit.Result{}},
	"a zip bomb of success":  {202, header("Content-Encoding", "gzip"), zipped(strings.Repeat(" ", 1<<20)), reapit.Result{}},

	"wait seconds":         {429, header("Retry-After", "7"), "", reapit.Result{RetryAfter: 7 * time.Second}},
	"wait half a second":   {429, header("Retry-After", " 0.5 "), "", reapit.Result{RetryAfter: 500 * time.Millisecond}},
	"wait nothing":         {429, header("Retry-After", "-3"), "", reapit.Result{}},
	"wait for ever":        {429, header("Retry-After", "99999999999999999999"), "", reapit.Result{RetryAfter: 24 * time.Hour}},
	"wait nonsense":        {429, header("Retry-After", "soon"), "", reapit.Result{}},
	"wait not a number":    {429, header("Retry-After", "NaN"), "", reapit.Result{}},
	"wait until":           {503, header("Retry-After", "Sun, 22 Nov 2020 10:01:30 GMT", "Date", "Sun, 22 Nov 2020 10:00:00 GMT"), "", reapit.Result{RetryAfter: 90 * time.Second}},
	"wait until the past":  {503, header("Retry-After", "Sun, 22 Nov 2020 09:00:00 GMT", "Date", "Sun, 22 Nov 2020 10:00:00 GMT"), "", reapit.Result{}},
	"wait though accepted": {202, header("Retry-After", "2"), "", reapit.Result{RetryAfter: 2 * time.Second}},
}

func TestAnswers(t *testing.T) {
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			got := notify(t, start(t, giveToken, answer(a.status, a.header, a.body)))
			if ago := time.Since(got.Begun); ago < got.Took || ago > time.Minute {
				t.Errorf("begun %s ago", ago)
			}
			if got.Took <= 0 || len(got.Body) == 0 {
				t.Errorf("took %s, body %q", got.Took, got.Body)
			}
			got.Begun, got.Took, got.Body = time.Time{}, 0, nil
			want := a.want
			want.Path, want.Status, want.Kind, want.Sent = "/notifications", a.status, reapit.Answered, true
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if accepted := a.status < 300; got.OK() != accepted || (got.Fault() == nil) != accepted {
				t.Errorf("ok %t, fault %v", got.OK(), got.Fault())
			}
		})
	}
}

// Without a Date in the answer, a date is held against our clock.
func TestRetryAfterWithoutDate(t *testing.T) {
	until := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	h := header("Retry-After", until)
	h["Date"] = nil // keeps the server from adding its own
	got := notify(t, start(t, giveToken, answer(503, h, ""))).RetryAfter
	if got < 59*time.Minute || got > time.Hour {
		t.Error(got)
	}
}

func TestFaultNamesTheRequest(t *testing.T) {
	h := header("x-amzn-RequestId", "r-9")
	got := notify(t, start(t, giveToken, answer(400, h, `{"description":"bad"}`))).Fault()
	if want := "/notifications answered 400: bad (request r-9)"; got == nil || got.Error() != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// The token endpoint had just given a token: it is none of the suspects.
func TestARefusalOfTheTokenNamesTheEndpointAndTheCauses(t *testing.T) {
	said := notify(t, start(t, giveToken, answer(401, asJSON, `{"description":"Please generate a new access token"}`))).Fault().Error()
	for _, words := range []string{"/notifications answered 401: Please generate", "installed", "scopes", "status.reapit.com"} {
		if !strings.Contains(said, words) {
			t.Errorf("no %q in %s", words, said)
		}
	}
	if strings.Contains(said, reapit.SettingTokenURL) {
		t.Error(said)
	}
}
