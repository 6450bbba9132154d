package explain

import (
	"regexp"
	"strings"

	"ringstream/schemas/telemetry"
)

// Masking leaves three digits of a number, unless it is off (--numbers).
type Masking bool

// Number masks one; of a word that stands for none it says so.
func (m Masking) Number(s string) string {
	if !strings.ContainsAny(s, "0123456789") {
		return "withheld"
	}
	if !m {
		return s
	}
	return telemetry.Mask(s)
}

// What looks like a telephone number in somebody's words. Ids have letters in
// them or are longer, and what is no number begins or ends with others.
var (
	numberLike = regexp.MustCompile(`(?:^|[^0-9A-Za-z-])(\+?[0-9][0-9 ()./-]{5,22}[0-9])(?:$|[^0-9A-Za-z-])`)
	notANumber = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}( \d{2})?|\d{1,3}(\.\d{1,3}){3}|\d{18,})$`) // a date, an address of IPv4, more digits than any has
)

// Text masks numbers in what others say.
func (m Masking) Text(s string) string {
	if !m {
		return s
	}
	var masked strings.Builder
	for {
		at := numberLike.FindStringSubmatchIndex(s)
		if at == nil {
			return masked.String() + s
		}
		number := s[at[2]:at[3]]
		if !notANumber.MatchString(number) {
			number = telemetry.Mask(number)
		}
		masked.WriteString(s[:at[2]] + number)
		s = s[at[3]:] // with what ends this one, which may begin the next
	}
}

// verdict masks what is quoted in it.
func (m Masking) verdict(v Verdict) Verdict {
	v.Sentence = m.Text(Plain(v.Sentence))
	return v
}
