package replay

import (
	"fmt"
	"strings"

	"ringstream/schemas/event"
)

// aliases gives everybody of a call another name and number, so that the story
// of a real call can be kept. What the call model reads of a number survives:
// whether it is withheld, an extension, or the same as another in another
// spelling.
type aliases struct {
	users, queues []string
	lines         []phoneLine
}

// phoneLine is one number in all its spellings.
type phoneLine struct{ digits, alias string }

// The numbers of the tests of package call, and those of a range that the
// regulator keeps for fiction.
const (
	customer = "+447700900123"
	agency   = "+441134960000"
	fiction  = "+4416329600%02d"
)

var firstNames = []string{"jane", "tom", "ann", "ben", "kate", "luke", "mary", "nick"}

// The model tells an extension from a number of the world by its length; one
// of so few digits says nothing of a person.
const (
	shortestNational = 7
	longestCountry   = 3
	harmless         = 4
)

func (a *aliases) user(id string) string {
	if id == "" {
		return "-"
	}
	n := place(&a.users, id)
	if n < len(firstNames) {
		return firstNames[n]
	}
	return fmt.Sprintf("user%d", n+1)
}

func (a *aliases) queue(id string) string { return fmt.Sprintf("queue%d", place(&a.queues, id)+1) }

// place returns where an id stands in the order of first appearance.
func place(known *[]string, id string) int {
	for n, k := range *known {
		if k == id {
			return n
		}
	}
	*known = append(*known, id)
	return len(*known) - 1
}

// number gives a number its alias. usual is the alias of the first number in
// its role.
func (a *aliases) number(s, usual string) string {
	digits := digitsOf(s)
	significant := strings.TrimLeft(digits, "0")
	switch {
	case strings.TrimSpace(s) == "":
		return ""
	case digits == "":
		return "anonymous"
	case len(significant) <= harmless:
		return digits
	}
	taken := false
	for _, l := range a.lines {
		if sameLine(l.digits, significant) {
			return l.alias
		}
		taken = taken || l.alias == usual
	}
	l := phoneLine{significant, usual}
	switch {
	case len(significant) < shortestNational:
		l.alias = fmt.Sprintf("9000%02d", len(a.lines))
	case taken || usual == "":
		l.alias = fmt.Sprintf(fiction, len(a.lines))
	}
	a.lines = append(a.lines, l)
	return l.alias
}

// sameLine is the call model's rule for two numbers without leading zeros.
func sameLine(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < shortestNational || len(b)-len(a) > longestCountry {
		return a == b
	}
	return strings.HasSuffix(b, a)
}

// digitsOf reads a number as the call model does.
func digitsOf(s string) string {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, scheme := range []string{"sip:", "sips:", "tel:"} {
		lower = strings.TrimPrefix(lower, scheme)
	}
	if i := strings.IndexAny(lower, "@;"); i >= 0 {
		lower = lower[:i]
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, strings.ReplaceAll(lower, "(0)", ""))
}

// participantOf is whose event it is, as the call model reads it.
func participantOf(r event.Raw) string {
	ofUser := strings.EqualFold(r.EntityType, "User") || r.EntityType == "" && strings.HasPrefix(strings.ToLower(r.EventType), "user")
	if r.UserID == "" && ofUser {
		return r.EntityID
	}
	return r.UserID
}
