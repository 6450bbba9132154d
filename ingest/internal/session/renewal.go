package session

import "time"

// A token is looked at when a connection is made, never after; so the next one
// is fetched while there is time to tell that it cannot be had.
const (
	leadPart = 4 // of its life
	leadMost = 10 * time.Minute
)

// RenewAt is when to fetch the token that is to follow one. It reports false
// where nobody knows when that one expires.
func RenewAt(granted, expires time.Time) (time.Time, bool) {
	if expires.IsZero() {
		return time.Time{}, false
	}
	return expires.Add(-min(expires.Sub(granted)/leadPart, leadMost)), true
}
