package explain

import (
	"strings"
	"testing"
	"time"

	"ringstream/schemas/event"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"jane@agency.example": "jane@agency.example", "Åse Ø 💥 李…": "Åse Ø 💥 李…", "": "",
		"a\r\nb\tc\u00a0d": "a  b c d", "\x1b[2J\x07": "\ufffd[2J\ufffd", "\u202eexe.gnp\u200b": "\ufffdexe.gnp\ufffd", "\u009b31m\x00": "\ufffd31m\ufffd", "\xff": "\ufffd",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestShortName(t *testing.T) {
	for in, want := range map[string]string{
		"jane.smith@agency.example": "Jane Smith", "åse_østergaard@agency.example": "Åse Østergaard", "Jane Smith": "Jane Smith",
		"@agency.example": "@agency.example", "._@agency.example": "._@agency.example", "ja\nne@agency.example": "Ja ne", "": "u1",
	} {
		if got := ShortName(event.User{UserID: "u1", UserName: in}); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// Whatever RTE and Reapit say, the first line is the answer, a line of the
// timeline is one line, and nothing in it is an order to a terminal or a number.
func TestWordsOfOthersAreOnlyWords(t *testing.T) {
	const odd = "+447911123456,07911123456\r\n\x1b]0;x\x07\u202e"
	reason := odd
	name := event.User{UserID: "jane", UserName: "jane\r\n\x1b[2J@agency.example"}
	e := evidence(t, ring, false, time.Hour, end("c1/1", event.Rejected, 2*time.Second, why("rejected", odd, 422, 1), func(o *event.Outcome) {
		o.Users = []event.User{name}
	}))
	for i := range e.Raw {
		e.Raw[i].Raw.UserName, e.Raw[i].Raw.Reason, e.Raw[i].Words, e.Raw[i].Raw.EventType = name.UserName, &reason, []string{odd}, e.Raw[i].Raw.EventType+"\n\x1b"
	}
	for i := range e.Events {
		e.Events[i].Call.Audience = []event.User{name}
	}
	e.Letters = []Letter{{Seq: 1, DeadLetter: event.DeadLetter{EventID: "c1/1", NegotiatorID: "JAS", CallID: "c1", Reason: "rejected\x1b", Errors: []event.FieldError{{Field: odd, Message: odd}}}}}
	a := Conclude(e, "", deadlines, true)
	said := []string{a.Answer}
	for _, v := range a.Users {
		said = append(said, v.Sentence)
	}
	for _, entry := range a.Timeline {
		said = append(said, entry.What)
	}
	if want := len(e.Raw) + len(e.Events) + len(e.Outcomes) + len(e.Letters); len(a.Timeline) < want || len(said) < want+2 {
		t.Errorf("%d lines of %d messages, %d texts", len(a.Timeline), want, len(said))
	}
	for _, s := range said {
		if strings.ContainsAny(s, "\r\n\x1b\x07\u202e") || strings.Contains(s, "123456") {
			t.Errorf("%q", s)
		}
	}
}
