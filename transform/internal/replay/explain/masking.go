package explain

import (
	"regexp"
	"strings"

	"ringstream/schemas/telemetry"
)

// Masking leaves three digits of a number, unless it is off (--numbers).
type Masking bool

func (m Masking) number(s string) string {
	if strings.TrimSpace(s) == "" {
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

// text masks numbers in what others say.
func (m Masking) text(s string) string {
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
	v.Sentence = m.text(v.Sentence)
	return v
}
