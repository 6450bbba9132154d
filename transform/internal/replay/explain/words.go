package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"

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
func NameOf(u event.User) string { return Plain(cmp.Or(u.UserName, u.UserID)) }

// Plain is what others wrote as one line that a terminal only shows: no line
// begins in it, no colour, no command, and nothing is written backwards.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return unicode.ReplacementChar
		}
	}, s)
}

// Count says how many: "1 call", "2 calls".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
