package fold

import (
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// A call event tells when ingest heard of it, whatever the hub's clock says,
// however long the message waited for NATS and however late it is folded.
func TestCallEventsTellWhenTheyWereHeardOf(t *testing.T) {
	ring := event.Raw{
		ID: "a", EventType: "UserCallInUserAllocated", UserID: "u", CallID: "c", OrganizationID: org, CallerNumber: "1", Timestamp: start.Add(-40 * time.Second),
	}
	gone := ring
	gone.ID, gone.EventType = "b", "UserCallInDisconnected"
	for name, c := range map[string]struct{ recorded, want time.Time }{
		"at once":           {start.Add(-time.Millisecond), start.Add(-time.Millisecond)},
		"waited for NATS":   {start.Add(-time.Minute), start.Add(-time.Minute)},
		"ingest is ahead":   {start.Add(time.Second), start},
		"ingest never said": {time.Time{}, start},
	} {
		f := New(call.DefaultLimits())
		s := f.Step(Input{Seq: 1, Stored: start, Recorded: c.recorded, Raw: &ring})
		if len(s.Outputs) != 1 || !s.Outputs[0].Call.RecordedAt.Equal(c.want) || !s.Outputs[0].Call.OccurredAt.Equal(ring.Timestamp) {
			t.Errorf("%s: %+v", name, s.Outputs)
		}
		f.Step(Input{Seq: 2, Stored: start.Add(time.Second), Raw: &gone})
		s = f.Step(Input{Seq: 3, Stored: start.Add(4 * time.Second), Feed: &event.Feed{}})
		if len(s.Outputs) != 1 || !s.Outputs[0].Call.RecordedAt.Equal(start.Add(4*time.Second)) {
			t.Errorf("%s: a timer: %+v", name, s.Outputs)
		}
	}
}

func TestDecodeTakesTheTimeOfArrival(t *testing.T) {
	arrived := start.Add(-time.Second)
	body := []byte(`{"subscription":{},"data":{"Id":"a","EventType":"UserCallInComing","CallId":"c"}}`)
	r, err := event.ParseRaw(body)
	if err != nil {
		t.Fatal(err)
	}
	header, data, err := event.Encode(event.NewRaw(r, body, "hub", "c", arrived, ""))
	if err != nil {
		t.Fatal(err)
	}
	in, err := Decode(bus.Message{Subject: "rte.0.o.UserCallInComing.c", Header: header, Data: data, Seq: 1, Stored: start})
	if err != nil || !in.Recorded.Equal(arrived) {
		t.Errorf("%+v, %v", in, err)
	}
}
