package replay

import (
	"bytes"
	"strings"
	"testing"

	"ringstream/schemas/event"
)

// What RTE wrote stays one line of run and of diff, orders nothing to a terminal,
// and shows no number.
func TestWordsOfRTEInLines(t *testing.T) {
	reason := "passed to 07911-123456,07911123456\n\x1b[2J"
	told := Told{Call: event.Call{
		CallID: "c\n1", Type: event.Missed, Caller: "+447911123456", Audience: []event.User{{UserName: "jane\r\x1b[1A@agency.example"}},
		Cause: event.Cause{EventID: "e\x07", EventType: "UserCallInDisconnected\n", Reason: &reason},
	}}
	var run, diff bytes.Buffer
	if err := palette(false).textLine(&run, told); err != nil {
		t.Fatal(err)
	}
	palette(false).parted(&diff, Parted{Key: "c1", Differences: []Difference{{
		Kind: Changed, Want: &told, Have: &Held{Printed: true, Body: []byte(`{"callId":"c1"}`)},
		Fields: dataFields([]byte(`{"cause":{"reason":"07911 123456"}}`), []byte(`{"cause":{"reason":"07911123456"},"caller":"+447911123456"}`)),
	}}}, sideFile)
	for text, lines := range map[string]int{run.String(): 1, diff.String(): 6} {
		if strings.Count(text, "\n") != lines || strings.ContainsAny(text, "\r\x1b\x07") || strings.Contains(text, "123456") || !strings.Contains(text, "…456") {
			t.Errorf("%q", text)
		}
	}
}
