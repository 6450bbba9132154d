package event_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringstream/schemas/event"
)

// What EncodeCall writes without reflection is what json.Marshal, which NewCall
// goes by, makes of the same call.
func TestACallIsWrittenAsJSONMarshalDoes(t *testing.T) {
	text := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[a-z0-9@.+ -]{0,40}`), rapid.SampledFrom([]string{"", "<&>", `"\`, "\x00\x1f\n", "\x7f", "\u2028\u2029", "\xff\xfe", "é😀"}),
	)
	user := rapid.Custom(func(t *rapid.T) event.User {
		return event.User{UserID: text.Draw(t, "user"), UserName: text.Draw(t, "name")}
	})
	zones := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("CET", -5400), time.FixedZone("odd", 3601)})
	at := rapid.Custom(func(t *rapid.T) time.Time {
		when := time.Unix(rapid.Int64Range(-63_000_000_000, 260_000_000_000).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		return rapid.SampledFrom([]time.Time{{}, when.In(zones.Draw(t, "zone"))}).Draw(t, "time")
	})
	rapid.Check(t, func(t *rapid.T) {
		c := event.Call{
			CallID: text.Draw(t, "call"), OrganizationID: text.Draw(t, "organization"), Type: event.CallType(text.Draw(t, "type")),
			Direction: event.Direction(text.Draw(t, "direction")), OccurredAt: at.Draw(t, "occurred"), RecordedAt: at.Draw(t, "recorded"),
			Caller: text.Draw(t, "caller"), Called: text.Draw(t, "called"), CallerWithheld: rapid.Bool().Draw(t, "withheld"),
			HuntGroup: rapid.Bool().Draw(t, "group"), Audience: rapid.SliceOfN(user, -1, 4).Draw(t, "audience"),
			AnsweredBy: rapid.Ptr(user, true).Draw(t, "answered"), Sequence: rapid.Int().Draw(t, "sequence"), Inferred: rapid.Bool().Draw(t, "inferred"),
			Coverage: event.Coverage(text.Draw(t, "coverage")),
			Cause:    event.Cause{EventID: text.Draw(t, "event"), EventType: text.Draw(t, "kind"), Reason: rapid.Ptr(text, true).Draw(t, "reason")},
		}
		if len(c.Audience) == 0 && rapid.Bool().Draw(t, "nobody") {
			c.Audience = nil
		}
		want, refused := event.NewCall(c, "", "")
		_, got, err := event.EncodeCall(c, "", "")
		if (err != nil) != (refused != nil) {
			t.Fatalf("%v, want %v", err, refused)
		}
		if err == nil && string(got) != string(want.Data()) {
			t.Fatalf("%s\nwant %s", got, want.Data())
		}
	})
}
