package call

import "strings"

// Digits returns the digits of a telephone number as RTE may write it. Of a
// URI or an address only the user part counts: the host has digits too.
func Digits(s string) string {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, scheme := range []string{"sip:", "sips:", "tel:"} {
		lower = strings.TrimPrefix(lower, scheme)
	}
	if i := strings.IndexAny(lower, "@;"); i >= 0 {
		lower = lower[:i]
	}
	lower = strings.ReplaceAll(lower, "(0)", "")
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, lower)
}

// withheld reports whether there is no number: empty, anonymous, and the like.
func withheld(s string) bool { return Digits(s) == "" }

// ShortestNational is how many digits a number of the world has at least; with
// fewer it is an extension.
const ShortestNational = 7

const longestCountry = 3 // digits of a country calling code

// Differ reports whether two numbers are certainly not the same one: both have
// digits, and after the leading zeros (trunk 0, international 00) one is
// neither the other nor the other with a country code before it. Extensions
// are compared whole.
func Differ(a, b string) bool {
	a, b = Digits(a), Digits(b)
	if a == "" || b == "" {
		return false
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < ShortestNational || len(b)-len(a) > longestCountry {
		return a != b
	}
	return !strings.HasSuffix(b, a)
}
