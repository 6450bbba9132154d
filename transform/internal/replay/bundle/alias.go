package bundle

import (
	"fmt"
	"strings"

	"ringstream/transform/internal/call"
)

// Aliases gives everybody of a call another name and number, so that the story
// of a real call can be kept. What the call model reads of a number survives:
// whether it is withheld, an extension, or the same as another in another
// spelling.
type Aliases struct {
	users, queues []string
	lines         []phoneLine
}

// phoneLine is one number in all its spellings.
type phoneLine struct{ digits, alias string }

// Numbers of a range that the regulator keeps for fiction.
const fiction = "+4416329600%02d"

var firstNames = []string{"jane", "tom", "ann", "ben", "kate", "luke", "mary", "nick"}

// A number of so few digits says nothing of a person.
const harmless = 4

// User is the alias of a user.
func (a *Aliases) User(id string) string {
	if id == "" {
		return "-"
	}
	n := place(&a.users, id)
	if n < len(firstNames) {
		return firstNames[n]
	}
	return fmt.Sprintf("user%d", n+1)
}

// Queue is the alias of a queue.
func (a *Aliases) Queue(id string) string { return fmt.Sprintf("queue%d", place(&a.queues, id)+1) }

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

// Number gives a number its alias. usual is the alias of the first number in
// its role.
func (a *Aliases) Number(s, usual string) string {
	digits := call.Digits(s)
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
		if !call.Differ(l.digits, significant) {
			return l.alias
		}
		taken = taken || l.alias == usual
	}
	l := phoneLine{significant, usual}
	switch {
	case len(significant) < call.ShortestNational:
		l.alias = fmt.Sprintf("9000%02d", len(a.lines))
	case taken || usual == "":
		l.alias = fmt.Sprintf(fiction, len(a.lines))
	}
	a.lines = append(a.lines, l)
	return l.alias
}
