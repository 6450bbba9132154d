package call

import (
	"encoding/hex"
	"testing"
	"time"

	"ringstream/schemas/event"
)

func TestDiffer(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"+441134960000", "+441134960000", false},
		{"+44 113 496 0000", "0113 4960000", false},
		{"0044(0)1134960000", "+441134960000", false},
		{"441134960000", "+441134960000", false},
		{"sip:+441134960000@10.0.0.1", "tel:01134960000;ext=5", false},
		{"", "+441134960000", false},
		{"jane", "+441134960000", false},
		{"201", "201", false},
		{"201", "202", true},
		{"000", "+441134960000", true},
		{"0000", "+441134960000", true},
		{"201", "+441134960201", true},
		{"01134960001", "+441134960000", true},
		{"+358401234567", "+441234567000", true},
		{"4960000", "+441134960000", true},
	} {
		if Differ(tt.a, tt.b) != tt.want || Differ(tt.b, tt.a) != tt.want {
			t.Errorf("Differ(%q, %q) is not %v both ways", tt.a, tt.b, tt.want)
		}
	}
}

func TestWithheld(t *testing.T) {
	for _, s := range []string{"", "anonymous", "Restricted", "withheld", "private", "unknown", "+", "sip:anonymous@192.0.2.1", "null"} {
		if !withheld(s) {
			t.Errorf("%q is withheld", s)
		}
	}
	for _, s := range []string{"201", "+447700900123", "sip:201@pbx.example", "07700 900123"} {
		if withheld(s) {
			t.Errorf("%q is not withheld", s)
		}
	}
}

func TestConcerns(t *testing.T) {
	for name, want := range map[string]bool{
		"UserCallInComing": true, "usercalloutgoing": true, "QueueCallInArrived": true, "UserCallInFoo": true,
		"UserStatus": false, "QueueStatus": false, "UserAvailability": false, "": false,
	} {
		if Concerns(event.Raw{EventType: name, CallID: "c1"}) != want {
			t.Errorf("Concerns(%q) is not %v", name, want)
		}
	}
	if Concerns(event.Raw{EventType: "UserCallInCallbackCreated"}) {
		t.Error("an event without a CallId concerns no call")
	}
}

func TestParticipant(t *testing.T) {
	for _, tt := range []struct {
		name string
		raw  event.Raw
		want string
	}{
		{"the UserId", event.Raw{UserID: "u", EntityType: "User", EntityID: "e"}, "u"},
		{"else the entity, when it is a user", event.Raw{EntityType: "user", EntityID: "e"}, "e"},
		{"not when it is a queue", event.Raw{EventType: "QueueCallInArrived", EntityType: "Queue", EntityID: "q"}, ""},
		{"a user's event is about a user", event.Raw{EventType: "UserCallInArrived", EntityID: "e"}, "e"},
		{"a queue's is not", event.Raw{EventType: "QueueCallInArrived", EntityID: "q"}, ""},
	} {
		if got := Participant(tt.raw); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestHappened(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   time.Time
		want time.Time
	}{
		{"its own time", start.Add(-time.Hour), start.Add(-time.Hour)},
		{"a day off", start.Add(24 * time.Hour), start.Add(24 * time.Hour)},
		{"more than a day early", start.Add(-24*time.Hour - 1), start},
		{"more than a day late", start.Add(24*time.Hour + 1), start},
		{"absurd", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), start},
		{"missing", time.Time{}, start},
	} {
		if got := Happened(tt.at, start); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCallEventIsComplete(t *testing.T) {
	c := New("c1")
	r := event.Raw{
		ID: "e1", EventType: "UserCallInUserAllocated", CallID: "c1", UserID: "u1", OrganizationID: "org",
		CallerNumber: "+447700900123", TargetNumber: "+441134960000", Timestamp: start.Add(1234567),
	}
	reason := "local"
	r.Reason = &reason
	told, _ := c.Apply(r, start, DefaultLimits())
	if len(told) != 1 {
		t.Fatalf("%d events", len(told))
	}
	e := told[0]
	if e.OrganizationID != "org" || e.Direction != event.Inbound || !e.OccurredAt.Equal(start.Add(1234567)) ||
		e.Coverage != event.Complete || e.Cause.EventType != r.EventType || e.Cause.Reason == nil || *e.Cause.Reason != "local" ||
		e.CallerWithheld || e.AnsweredBy != nil || e.Inferred {
		t.Errorf("%+v", e)
	}
	if e.Audience[0] != (event.User{UserID: "u1"}) {
		t.Errorf("audience %v", e.Audience)
	}
	// The name is told later, and by then is known.
	told, _ = c.Apply(event.Raw{ID: "e2", EventType: "UserCallInUserConnected", CallID: "c1", UserID: "u1", UserName: "jane"}, start, DefaultLimits())
	if told[0].Audience[0].UserName != "jane" || told[0].AnsweredBy.UserName != "jane" {
		t.Errorf("%+v", told[0])
	}
}

func TestEveryVerdictHasAName(t *testing.T) {
	seen := map[string]bool{}
	for v := range numVerdicts {
		seen[v.String()] = v.String() != "" && v.String() != "invalid"
	}
	if len(seen) != int(numVerdicts) || numVerdicts.String() != "invalid" {
		t.Errorf("names %v", seen)
	}
}

// TestSnapshotFormat pins the format: whoever changes it must give the
// snapshots of the fold a new version.
func TestSnapshotFormat(t *testing.T) {
	c := New("c1")
	for _, l := range script(t, []byte(`
		+0s UserCallOutGoing ann caller=201 called=202
		+1s UserCallInComing jane queue=sales
		+2s UserCallInUserAllocated jane number=201
		+3s UserCallInUserAllocated tom
		+5s UserCallInUserConnected jane
		+9s UserCallInTransferStarted jane reason=local`)) {
		c.Apply(l.Raw, l.Stored, DefaultLimits())
	}
	c.MarkGap()
	c.ID = "0b4ad1f2-16f1-4a5e-8b34-3cf3d4a0d0a1"
	p := NewPacker()
	c.Pack(p)
	golden(t, "testdata/snapshot.golden.txt", []byte(hex.Dump(p.Bytes())))
}
