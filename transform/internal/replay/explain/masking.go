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

// What looks like a telephone number in somebody's words. Ids have letters or
// groups of other lengths in them.
var numberLike = regexp.MustCompile(`(^|[^0-9A-Za-z-])(\+?[0-9][0-9 ()]{5,}[0-9])($|[^0-9A-Za-z-])`)

// Text masks numbers in what others say.
func (m Masking) Text(s string) string {
	if !m {
		return s
	}
	return numberLike.ReplaceAllStringFunc(s, func(found string) string {
		part := numberLike.FindStringSubmatch(found)
		return part[1] + telemetry.Mask(part[2]) + part[3]
	})
}

// verdict masks what is quoted in it.
func (m Masking) verdict(v Verdict) Verdict {
	v.Sentence = m.Text(v.Sentence)
	return v
}
