package explain

import (
	"testing"
	"time"

	"ringstream/schemas/event"
)

func TestLineOfARawEvent(t *testing.T) {
	at := time.Date(2026, 11, 2, 9, 12, 0, 0, time.UTC)
	reason := "remote"
	raw := event.Raw{EventType: "UserCallInDisconnected", UserID: "jane", UserName: "jane@agency.example", CallerNumber: "+447123456780", Reason: &reason}
	dated := raw
	dated.Timestamp = at.Add(-5 * time.Millisecond)
	old := dated
	old.Timestamp = at.Add(-24 * time.Hour)
	for _, tt := range []struct {
		h    Heard
		want string
	}{
		{Heard{Raw: raw}, ""},
		{Heard{Raw: dated}, ", dated 09:11:59.995"},
		{Heard{Raw: dated, Recorded: at.Add(-time.Millisecond)}, ", dated 09:11:59.995, heard 09:11:59.999"},
		{Heard{Raw: dated, Recorded: at.Add(-time.Millisecond), By: "ingest-2"}, ", dated 09:11:59.995, heard 09:11:59.999 (ingest-2's copy)"},
		{Heard{Raw: old, Recorded: at}, ", dated 2026-11-01T09:12:00.000Z, heard 09:12:00.000"},
	} {
		tt.h.Stored = at
		want := "UserCallInDisconnected of jane@agency.example (remote), from …780" + tt.want
		e := tt.h.Entry(true)
		if e.What != want || e.Raw.By != tt.h.By || !e.Raw.Dated.Equal(tt.h.Raw.Timestamp) || !e.Raw.Heard.Equal(tt.h.Recorded) {
			t.Errorf("got %q, %+v\nwant %q", e.What, e.Raw, want)
		}
	}
}
