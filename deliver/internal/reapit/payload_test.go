package reapit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

func TestSubType(t *testing.T) {
	want := map[event.CallType]string{
		event.Incoming: "incomingCall", event.Answered: "answeredCall", event.Ended: "endedCall", event.Missed: "missedCall",
	}
	for _, kind := range event.CallTypes() {
		got, ok := reapit.SubType(kind)
		if got != want[kind] || ok != (want[kind] != "") {
			t.Errorf("%s: %q, %t", kind, got, ok)
		}
	}
}

func TestBody(t *testing.T) {
	type change func(*reapit.Notification)
	sub := func(s, by string) change {
		return func(n *reapit.Notification) { n.SubType, n.AnsweredByID = s, by }
	}
	for name, changes := range map[string][]change{
		"incoming":             {sub("incomingCall", "")},
		"incoming-no-answerer": {sub("incomingCall", "TST")},
		"answered":             {sub("answeredCall", "TST")},
		"answered-unmapped":    {sub("answeredCall", "")},
		"ended":                {sub("endedCall", "TST")},
		"ended-unmapped":       {sub("endedCall", "")},
		"missed":               {sub("missedCall", "TST")},
		"hunt-group":           {sub("missedCall", ""), func(n *reapit.Notification) { n.Call.HuntGroup = true }},
		"withheld": {func(n *reapit.Notification) {
			n.Call.Caller, n.Call.CallerWithheld = "", true
		}},
		"withheld-word":  {func(n *reapit.Notification) { n.Call.Caller = "Anonymous" }},
		"no-destination": {func(n *reapit.Notification) { n.Call.Called = "reception" }},
		"e164":           {func(n *reapit.Notification) { n.Format = reapit.E164 }},
		"abroad": {func(n *reapit.Notification) {
			n.Region, n.Call.Called = "IE", "00353 1 234 5678"
		}},
		"extension": {func(n *reapit.Notification) { n.Call.Caller = "sip:7042@pbx.example" }},
		"zone": {func(n *reapit.Notification) {
			n.Call.OccurredAt = n.Call.OccurredAt.In(time.FixedZone("", 2*60*60))
		}},
		"several": {func(n *reapit.Notification) { n.Also = []string{"TST", "", "JAS", "TST", "AB"} }},
	} {
		t.Run(name, func(t *testing.T) {
			n := notification()
			for _, c := range changes {
				c(&n)
			}
			body, err := reapit.Body(n)
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/body/"+name+".json", append(pretty.Bytes(), '\n'))
		})
	}
}

func TestBodyIsCompact(t *testing.T) {
	body, err := reapit.Body(notification())
	const want = `{"type":"telephony","subType":"incomingCall","products":["AgencyCloud"],"targets":{"negotiatorId":["JAS"]},` +
		`"payload":{"id":"0f6e7a10-5a3c-4f0e-9d2b-7c1d2e3f4a5b","created":"2026-11-01T10:28:00Z","callerId":"07123456789",` +
		`"destinationId":"01234567890","huntGroup":false}}`
	if err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
}

func TestBodyThatCannotBeMade(t *testing.T) {
	n := notification()
	n.SubType = "heldCall"
	if _, err := reapit.Body(n); !errors.Is(err, reapit.ErrNoSubType) {
		t.Error(err)
	}
	n = notification()
	n.NegotiatorID = ""
	if _, err := reapit.Body(n); !errors.Is(err, reapit.ErrNoTarget) {
		t.Error(err)
	}
}
