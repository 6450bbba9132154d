package event

import (
	"encoding/json"
	"strconv"
	"time"
)

// writer comes to the bytes that json.Marshal makes, without reflection: a test
// compares them. What is rare is left to json.Marshal.
type writer struct {
	b   []byte
	err error
}

const (
	usualSize  = 768 // what a call event seldom exceeds
	latestYear = 9999
)

// marshal writes a call event.
func (c Call) marshal() ([]byte, error) {
	w := writer{b: make([]byte, 0, usualSize)}
	w.text(`{"callId":`, c.CallID)
	w.text(`,"organizationId":`, c.OrganizationID)
	w.text(`,"type":`, string(c.Type))
	w.text(`,"direction":`, string(c.Direction))
	w.time(`,"occurredAt":`, c.OccurredAt)
	if !c.RecordedAt.IsZero() {
		w.time(`,"recordedAt":`, c.RecordedAt)
	}
	w.text(`,"caller":`, c.Caller)
	w.text(`,"called":`, c.Called)
	w.flag(`,"callerWithheld":`, c.CallerWithheld)
	w.flag(`,"huntGroup":`, c.HuntGroup)
	w.audience(c.Audience)
	w.raw(`,"answeredBy":`)
	w.answeredBy(c.AnsweredBy)
	w.raw(`,"sequence":`)
	w.b = strconv.AppendInt(w.b, int64(c.Sequence), 10)
	w.flag(`,"inferred":`, c.Inferred)
	w.text(`,"coverage":`, string(c.Coverage))
	w.cause(c.Cause)
	w.raw(`}`)
	return w.b, w.err
}

func (w *writer) audience(users []User) {
	w.raw(`,"audience":`)
	if users == nil {
		w.raw(`null`)
		return
	}
	before := `[`
	for _, u := range users {
		w.raw(before)
		w.user(u)
		before = `,`
	}
	if len(users) == 0 {
		w.raw(before)
	}
	w.raw(`]`)
}

func (w *writer) answeredBy(u *User) {
	if u == nil {
		w.raw(`null`)
		return
	}
	w.user(*u)
}

func (w *writer) user(u User) {
	w.text(`{"userId":`, u.UserID)
	w.text(`,"userName":`, u.UserName)
	w.raw(`}`)
}

func (w *writer) cause(c Cause) {
	w.text(`,"cause":{"eventId":`, c.EventID)
	w.text(`,"eventType":`, c.EventType)
	if c.Reason == nil {
		w.raw(`,"reason":null}`)
		return
	}
	w.text(`,"reason":`, *c.Reason)
	w.raw(`}`)
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) text(before, s string) {
	w.raw(before)
	if !standsForItself(s) {
		w.rare(s)
		return
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

// standsForItself reports whether a string is printable ASCII that JSON, as
// json.Marshal writes it, escapes nothing of.
func standsForItself(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

func (w *writer) time(before string, t time.Time) {
	w.raw(before)
	if t.Location() != time.UTC || t.Year() < 0 || t.Year() > latestYear {
		w.rare(t)
		return
	}
	w.b = append(w.b, '"')
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

func (w *writer) flag(before string, is bool) {
	w.raw(before)
	w.b = strconv.AppendBool(w.b, is)
}

func (w *writer) rare(value any) {
	b, err := json.Marshal(value)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.b = append(w.b, b...)
}
