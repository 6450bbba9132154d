package replay

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
)

// Selection says which call events to print. What it leaves out is folded all
// the same: the state must be right.
type Selection struct {
	Since, Until time.Time // of the message that made the fold tell it; zero: open
	Call, Org    string    // ids in lower case; empty: all
}

// Has reports whether a call event is selected.
func (s Selection) Has(t Told) bool {
	return !t.Stored.Before(s.Since) && !s.Past(t.Stored) &&
		(s.Call == "" || s.Call == t.Call.CallID) && (s.Org == "" || s.Org == t.Call.OrganizationID)
}

// Narrow reports whether only one call or organization is selected.
func (s Selection) Narrow() bool { return s.Call != "" || s.Org != "" }

// Asks reports whether a raw event is of the call and the organization selected.
func (s Selection) Asks(r event.Raw) bool {
	return call.Concerns(r) && (s.Call == "" || strings.EqualFold(s.Call, r.CallID)) && (s.Org == "" || strings.EqualFold(s.Org, r.OrganizationID))
}

// String says what is selected.
func (s Selection) String() string {
	var parts []string
	for _, p := range []struct{ of, what string }{{"of call ", s.Call}, {"of organization ", s.Org}} {
		if p.what != "" {
			parts = append(parts, p.of+p.what)
		}
	}
	if !s.Until.IsZero() {
		parts = append(parts, "stored before "+s.Until.Format(time.RFC3339))
	}
	return strings.Join(parts, " ")
}

// Past reports whether nothing stored at t or later is selected.
func (s Selection) Past(t time.Time) bool { return !s.Until.IsZero() && !t.Before(s.Until) }

// timeFormats are the ways to write a moment, most exact first; a missing zone is UTC.
var timeFormats = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// clockFormats name a moment of the last 24 hours.
var clockFormats = []string{"15:04:05", "15:04"}

// inDays is a count of days, which time.ParseDuration does not know.
var inDays = regexp.MustCompile(`^-?(\d{1,4})d$`)

// ParseMoment reads a moment, or how long before now it was. A time of day is the
// newest that was; empty text is the zero time.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	switch d := inDays.FindStringSubmatch(text); {
	case text == "":
		return time.Time{}, nil
	case text == "now":
		return now, nil
	case d != nil:
		n, err := strconv.Atoi(d[1])
		return now.AddDate(0, 0, -n), err
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d.Abs()), nil
	}
	for _, format := range timeFormats {
		if t, err := time.Parse(format, text); err == nil {
			return t.UTC(), nil
		}
	}
	for _, format := range clockFormats {
		if t, err := time.Parse(format, text); err == nil {
			y, m, d := now.UTC().Date()
			t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
			if t.After(now) {
				t = t.AddDate(0, 0, -1)
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 2026-11-02T09:00:00Z, 2026-11-02 09:00 (UTC), 2026-11-02, 09:00 (UTC, the last that was), or how long ago: 90m, 2d", text)
}
