package reapitsim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Bodies that are in order but for one thing. field is the first one named; none means accepted.
func TestNotificationRules(t *testing.T) {
	swap := strings.NewReplacer
	answered := notification("JAS", "answeredCall", strings.Replace(payload, `}`, `,"answeredById":"TOM"}`, 1))
	for name, c := range map[string]struct {
		body  string
		knob  string
		field string
	}{
		"in order":             {body: incoming},
		"answered":             {body: answered},
		"caller plus":          {body: swap("07123456789", "+447123456789").Replace(incoming)},
		"caller withheld":      {body: swap("07123456789", "Withheld").Replace(incoming)},
		"no id":                {body: swap(`"id":"c1",`, ``).Replace(incoming)},
		"no group flag":        {body: swap(`,"huntGroup":false`, ``).Replace(incoming)},
		"no destination":       {body: swap(`"destinationId":"01234567890",`, ``).Replace(incoming)},
		"two targets":          {body: swap(`["JAS"]`, `["JAS","TOM"]`).Replace(incoming)},
		"fraction of a second": {body: swap("10:28:00Z", "10:28:00.123Z").Replace(incoming)},
		"unknown target":       {body: swap(`["JAS"]`, `["NONE"]`).Replace(incoming)},

		"not an object":         {body: `[]`, field: ""},
		"no type":               {body: swap(`"type":"telephony",`, ``).Replace(incoming), field: "type"},
		"other type":            {body: swap(`"telephony"`, `"email"`).Replace(incoming), field: "type"},
		"type a number":         {body: swap(`"telephony"`, `1`).Replace(incoming), field: "type"},
		"other sub type":        {body: swap(`"incomingCall"`, `"outgoingCall"`).Replace(incoming), field: "subType"},
		"sub type in lower":     {body: swap(`"incomingCall"`, `"incomingcall"`).Replace(incoming), field: "subType"},
		"no products":           {body: swap(`["AgencyCloud"]`, `[]`).Replace(incoming), field: "products"},
		"other product":         {body: swap(`"AgencyCloud"`, `"Console"`).Replace(incoming), field: "products"},
		"no targets":            {body: swap(`"targets":{"negotiatorId":["JAS"]},`, ``).Replace(incoming), field: "targets"},
		"nobody":                {body: swap(`["JAS"]`, `[]`).Replace(incoming), field: "targets.negotiatorId"},
		"one name, no array":    {body: swap(`["JAS"]`, `"JAS"`).Replace(incoming), field: "targets.negotiatorId"},
		"twice":                 {body: swap(`["JAS"]`, `["JAS","JAS"]`).Replace(incoming), field: "targets.negotiatorId"},
		"a number for a target": {body: swap(`["JAS"]`, `[7]`).Replace(incoming), field: "targets.negotiatorId"},
		"long negotiator":       {body: swap(`["JAS"]`, `["JASON"]`).Replace(incoming), field: "targets.negotiatorId"},
		"sandbox user":          {body: swap(`["JAS"]`, `["ADV"]`).Replace(incoming), field: "targets.negotiatorId"},
		"extra at the top":      {body: swap(`"type":`, `"productId":1,"type":`).Replace(incoming), field: "productId"},
		"extra target":          {body: swap(`"negotiatorId":`, `"officeId":["OXF"],"negotiatorId":`).Replace(incoming), field: "targets.officeId"},
		"extra in the payload":  {body: swap(`"huntGroup":`, `"queue":"Q","huntGroup":`).Replace(incoming), field: "payload.queue"},
		"answered by, incoming": {body: swap(`"answeredCall"`, `"incomingCall"`).Replace(answered), field: "payload.answeredById"},
		"answered by nobody":    {body: swap(`"TOM"`, `""`).Replace(answered), field: "payload.answeredById"},
		"payload an array":      {body: notification("JAS", "incomingCall", `[]`), field: "payload"},
		"empty id":              {body: swap(`"c1"`, `""`).Replace(incoming), field: "payload.id"},
		"null id":               {body: swap(`"c1"`, `null`).Replace(incoming), field: "payload.id"},
		"no created":            {body: swap(`"created":"2026-11-01T10:28:00Z",`, ``).Replace(incoming), field: "payload.created"},
		"offset":                {body: swap(`00Z`, `00+01:00`).Replace(incoming), field: "payload.created"},
		"offset of zero":        {body: swap(`00Z`, `00+00:00`).Replace(incoming), field: "payload.created"},
		"date only":             {body: swap(`2026-11-01T10:28:00Z`, `2026-11-01`).Replace(incoming), field: "payload.created"},
		"no zone":               {body: swap(`00Z`, `00`).Replace(incoming), field: "payload.created"},
		"no caller":             {body: swap(`"callerId":"07123456789",`, ``).Replace(incoming), field: "payload.callerId"},
		"spaces":                {body: swap(`07123456789`, `07123 456789`).Replace(incoming), field: "payload.callerId"},
		"restricted":            {body: swap(`07123456789`, `restricted`).Replace(incoming), field: "payload.callerId"},
		"lone plus":             {body: swap(`07123456789`, `+`).Replace(incoming), field: "payload.callerId"},
		"21 digits":             {body: swap(`07123456789`, `123456789012345678901`).Replace(incoming), field: "payload.callerId"},
		"withheld destination":  {body: swap(`01234567890`, `withheld`).Replace(incoming), field: "payload.destinationId"},
		"group flag a string":   {body: swap(`false`, `"false"`).Replace(incoming), field: "payload.huntGroup"},

		"knob: no zone":            {body: swap(`00Z`, `00`).Replace(incoming), knob: `{"zonelessCreated":"accept"}`},
		"knob: still no date only": {body: swap(`2026-11-01T10:28:00Z`, `2026-11-01`).Replace(incoming), knob: `{"zonelessCreated":"accept"}`, field: "payload.created"},
		"knob: spaces":             {body: swap(`07123456789`, `07123 456789`).Replace(incoming), knob: `{"callerIdSpaces":"accept"}`},
		"knob: extra":              {body: swap(`"huntGroup":`, `"queue":"Q","huntGroup":`).Replace(incoming), knob: `{"extraProperties":"accept"}`},
		"knob: unknown target":     {body: swap(`["JAS"]`, `["NONE"]`).Replace(incoming), knob: `{"unknownTarget":"reject"}`, field: "targets.negotiatorId"},
		"knob: known target":       {body: answered, knob: `{"unknownTarget":"reject"}`},
		"knob: unknown answerer":   {body: swap(`"TOM"`, `"NONE"`).Replace(answered), knob: `{"unknownTarget":"reject"}`, field: "payload.answeredById"},
		"knob: no destination":     {body: swap(`"destinationId":"01234567890",`, ``).Replace(incoming), knob: `{"missingDestination":"reject"}`, field: "payload.destinationId"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.knob != "" {
				w.knobs(c.knob)
			}
			got := w.notify(c.body)
			if c.field == "" && c.body != `[]` {
				w.want(got, http.StatusAccepted)
				return
			}
			var body struct {
				Errors []struct{ Field, Message string }
			}
			w.decode(got, http.StatusUnprocessableEntity, &body)
			if len(body.Errors) == 0 || body.Errors[0].Field != c.field || body.Errors[0].Message == "" {
				t.Errorf("errors %+v, want one of %q", body.Errors, c.field)
			}
		})
	}
}

func TestSandboxUserIsOnlyOfTheSandbox(t *testing.T) {
	w := newWorld(t)
	body := strings.Replace(incoming, "JAS", "ADV", 1)
	w.want(w.notify(body), http.StatusUnprocessableEntity)
	w.want(w.notify(body, header("reapit-customer", "RES")), http.StatusAccepted)
}

func TestAcceptedIsEmpty(t *testing.T) {
	for _, path := range []string{"/notifications", "/notifications/"} {
		for _, kind := range []string{"application/json; charset=utf-8", "application/json-patch+json", "application/any+json"} {
			w := newWorld(t)
			got := w.platform(http.MethodPost, path, incoming, header("Content-Type", kind), header("api-version", "latest"))
			w.want(got, http.StatusAccepted)
			if got.body != "" {
				t.Errorf("%s %s: body %q", path, kind, got.body)
			}
		}
	}
}

func TestAcceptedAreFlattened(t *testing.T) {
	w := newWorld(t)
	w.want(w.notify(strings.Replace(incoming, `["JAS"]`, `["JAS","TOM"]`, 1)), http.StatusAccepted)
	w.want(w.notify(notification("SAR", "missedCall", strings.Replace(payload, "c1", "c2", 1))), http.StatusAccepted)
	w.want(w.notify(notification("ADV", "missedCall", payload)), http.StatusUnprocessableEntity)
	type list struct {
		Total         int
		Notifications []struct {
			Seq, Request                    int
			NegotiatorID, SubType, Customer string
			Payload                         json.RawMessage
		}
	}
	for query, want := range map[string][]string{
		"":                        {"JAS", "TOM", "SAR"},
		"?callId=c1":              {"JAS", "TOM"},
		"?negotiatorId=SAR":       {"SAR"},
		"?subType=missedCall":     {"SAR"},
		"?customer=RES":           {},
		"?offset=1&limit=1":       {"TOM"},
		"?offset=9":               {},
		"?callId=c1&limit=0":      {},
		"?subType=incomingCall":   {"JAS", "TOM"},
		"?callId=c2&offset=0":     {"SAR"},
		"?limit=99999999&offset=": nil,
	} {
		if want == nil {
			w.want(w.do(http.MethodGet, "/control/notifications"+query, ""), http.StatusBadRequest)
			continue
		}
		var got list
		w.control(http.MethodGet, "notifications"+query, "", &got)
		var ids []string
		for _, n := range got.Notifications {
			ids = append(ids, n.NegotiatorID)
		}
		if strings.Join(ids, " ") != strings.Join(want, " ") {
			t.Errorf("%q: %v, want %v", query, ids, want)
		}
	}
	var all list
	w.control(http.MethodGet, "notifications", "", &all)
	first := all.Notifications[0]
	if all.Total != 3 || first.Seq != 1 || first.Request != 2 || string(first.Payload) != payload || first.Customer != "SBOX" {
		t.Errorf("%+v", all)
	}
}
