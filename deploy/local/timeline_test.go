package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	firstCall  = "0f6e0000-0000-4000-8000-000000000001"
	secondCall = "0f6e0000-0000-4000-8000-000000000002"
	janeID     = "aa9730c4-ce86-e611-80c9-00505689257e"
)

var (
	noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	jane = event.User{UserID: janeID, UserName: "jane@agency.example"}
	tom  = event.User{UserID: "bb1141d5-df97-e611-80c9-00505689257e", UserName: "tom@agency.example"}
)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// tale makes entries of messages as the streams hold them.
type tale struct {
	tb      testing.TB
	writer  writer
	entries []entry
}

func (s *tale) raw(ms int, id, data string) {
	body := `{"data":{"id":"` + id + `",` + data + `}}`
	if e, ok := s.writer.raw(bus.Message{Data: []byte(body), Stored: at(ms)}); ok {
		s.entries = append(s.entries, e)
	}
}

func (s *tale) call(ms int, c event.Call) {
	c.OrganizationID, c.Direction, c.OccurredAt = "29f6e823-b484-e611-80c9-00505689257e", event.Inbound, at(ms)
	c.Sequence, c.Coverage = max(c.Sequence, 1), event.Complete
	encoded, err := event.NewCall(c, c.CallID, "")
	if err != nil {
		s.tb.Fatal(err)
	}
	header, data, err := event.Encode(encoded)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.keep(s.writer.call(bus.Message{Header: header, Data: data, Stored: at(ms)}))
}

func (s *tale) outcome(ms int, o event.Outcome) {
	o.EventID, o.OrganizationID, o.Customer = o.CallID+"/1", "29f6e823-b484-e611-80c9-00505689257e", "SBOX"
	o.Type, o.OccurredAt, o.ReceivedAt, o.FinishedAt = event.Incoming, at(ms), at(ms), at(ms)
	encoded, err := event.NewOutcome(o, "")
	if err != nil {
		s.tb.Fatal(err)
	}
	header, data, err := event.Encode(encoded)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.keep(s.writer.outcome(bus.Message{Header: header, Data: data}))
}

func (s *tale) keep(e entry, err error) {
	if err != nil {
		s.tb.Fatal(err)
	}
	s.entries = append(s.entries, e)
}

func (s *tale) post(ms int, negotiator, subType, callID, caller string, group bool, answeredBy string) {
	n := notification{Time: at(ms), NegotiatorID: negotiator, SubType: subType}
	n.Payload.ID, n.Payload.CallerID, n.Payload.HuntGroup, n.Payload.AnsweredByID = callID, caller, group, answeredBy
	s.entries = append(s.entries, s.writer.notification(n))
}

// tell is two calls at once: one answered, one that Reapit never takes.
func (s *tale) tell() {
	of := `"callId":"` + firstCall + `","userId":"` + janeID + `"`
	s.entries = append(s.entries, entry{at: at(-1), stage: stageNote, about: "\na note"})
	s.raw(0, "r1", `"eventType":"UserCallInComing","userName":"jane@agency.example","callerNumber":"+447123456789","targetNumber":"+442071838750",`+of)
	s.raw(1, "r2", `"eventType":"UserStatus",`+of)
	s.raw(300, "r3", `"eventType":"UserCallInUserAllocated","callerNumber":"+447123456789","targetNumber":"+442071838750",`+of)
	// Reapit's stream was read before CALLS: the cause must come first all the same.
	s.post(331, "JAS", incoming, firstCall, "07123456789", false, "")
	s.call(304, event.Call{CallID: firstCall, Type: event.Incoming, Audience: []event.User{jane}, Cause: event.Cause{EventID: "r3"}})
	s.raw(400, "r4", `"eventType":"UserCallInUserAllocated","callerNumber":"","targetNumber":"+442071838751","callId":"`+secondCall+`","userName":"tom@agency.example"`)
	s.call(402, event.Call{CallID: secondCall, Type: event.Incoming, HuntGroup: true, Audience: []event.User{jane, tom}, AnsweredBy: &tom, Inferred: true, Cause: event.Cause{EventID: "r4"}})
	s.outcome(500, event.Outcome{CallID: secondCall, SubType: incoming, Outcome: event.Unmapped, Users: []event.User{tom}, Reason: "no negotiator has that address"})
	s.outcome(501, event.Outcome{CallID: secondCall, SubType: incoming, Outcome: event.Superseded, NegotiatorID: "JAS", Users: []event.User{jane}})
	s.raw(2000, "r5", `"eventType":"UserCallInDisconnected","reason":"remote",`+of)
	s.call(2004, event.Call{CallID: firstCall, Sequence: 2, Type: event.Ended, HuntGroup: true, Audience: []event.User{jane, tom}, AnsweredBy: &jane, Cause: event.Cause{EventID: "r5"}})
	s.post(2011, "JAS", ended, firstCall, "withheld", true, "JAS")
	s.outcome(2012, event.Outcome{CallID: firstCall, SubType: ended, Outcome: event.Delivered, NegotiatorID: "TOM", Status: 202, Users: []event.User{tom}})
}

func TestTimeline(t *testing.T) {
	for name, c := range map[string]struct {
		paint  paint
		writer writer
	}{
		"plain":    {paint{}, newWriter(false)},
		"coloured": {paint{on: true}, newWriter(false)},
		"masked":   {paint{}, newWriter(true)},
	} {
		t.Run(name, func(t *testing.T) {
			s := &tale{tb: t, writer: c.writer}
			s.tell()
			line := newTimeline(c.paint)
			for _, e := range s.entries {
				line.add(e)
			}
			lines := append([]string{header(c.paint)}, line.due(at(10_000))...)
			golden(t, name, strings.Join(lines, "\n")+"\n")
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", file, got)
	}
}

func TestTimelineHoldsBackWhatIsNotDue(t *testing.T) {
	line := newTimeline(paint{})
	line.add(entry{at: at(10), callID: firstCall, kind: "late"})
	line.add(entry{at: at(5), callID: firstCall, kind: "early"})
	first := strings.Join(line.due(at(10)), "\n")
	if !strings.Contains(first, "early") || strings.Contains(first, "late") {
		t.Errorf("due first: %q", first)
	}
	if rest := line.due(at(11)); len(rest) != 1 || !strings.Contains(rest[0], "late") {
		t.Errorf("due then: %q", rest)
	}
}

func TestTimelineForgetsOldCalls(t *testing.T) {
	line := newTimeline(paint{})
	for n := range 3 * remembered {
		line.add(entry{at: at(n), callID: label(n), kind: "UserCallInComing"})
	}
	line.due(at(10_000))
	if len(line.calls) != remembered || len(line.order) != remembered || len(line.pending) != 0 {
		t.Errorf("%d calls, %d in order, %d pending", len(line.calls), len(line.order), len(line.pending))
	}
}

func TestLabel(t *testing.T) {
	for n, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 27: "AB", 52: "BA", 701: "ZZ", 702: "AAA"} {
		if got := label(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	none := func(string) string { return "" }
	if paintFor(file, none).on {
		t.Error("a file was painted")
	}
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = device.Close() }()
	if !paintFor(device, none).on {
		t.Error("a device was not painted")
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		if paintFor(device, func(n string) string { return map[string]string{name: value}[n] }).on {
			t.Errorf("painted in spite of %s", name)
		}
	}
}
