package explain

import (
	"fmt"
	"strings"
	"time"

	"ringstream/schemas/event"
)

// How moments are written: in full, and without the day. They are UTC.
const (
	StoredFormat   = "2006-01-02T15:04:05.000Z"
	OccurredFormat = "15:04:05.000"
)

// Occurred leaves out the day where it goes without saying.
func Occurred(at, stored time.Time) string {
	if at.UTC().Format(time.DateOnly) == stored.UTC().Format(time.DateOnly) {
		return at.UTC().Format(OccurredFormat)
	}
	return at.UTC().Format(StoredFormat)
}

// ToldTo says who is to be told a call event.
func ToldTo(e event.Call) string {
	names := make([]string, len(e.Audience))
	for i, u := range e.Audience {
		names[i] = NameOf(u)
	}
	to := "to " + strings.Join(names, ", ")
	if e.AnsweredBy != nil {
		to += " (answered by " + NameOf(*e.AnsweredBy) + ")"
	}
	return to
}

// NameOf is what a user is called: the name, or the id where that is not known.
func NameOf(u event.User) string {
	if u.UserName != "" {
		return u.UserName
	}
	return u.UserID
}

// Count says how many: "1 call", "2 calls".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
