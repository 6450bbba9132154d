package reapit

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// How national numbers are written (NUMBER_FORMAT).
const (
	National = "national"
	E164     = "e164"
)

const (
	shortNumber = 6  // digits of an extension or short code, at most
	maxDigits   = 20 // of any number that is sent; Reapit's own limit is unknown
)

// Format writes a number of whatever notation as Reapit takes it: digits, with
// a plus before those of other countries, or before all in E164. It is empty
// when raw has no digits.
//
// Only the country calling code, the national prefix and the possible lengths
// of region's numbers count. Whether a number is assigned does not: a call from
// an odd one is shown like any other.
func Format(raw, region, format string) string {
	digits, international := dialled(raw)
	if digits == "" || !international && len(digits) <= shortNumber {
		return digits
	}
	c := countryOf(region)
	return clip(c.write(digits, international || c.lacksPlus(digits), format))
}

// clip keeps what would be too long to be a number from being refused.
func clip(number string) string {
	digits, plus := strings.CutPrefix(number, "+")
	digits = digits[:min(len(digits), maxDigits)]
	if plus {
		return "+" + digits
	}
	return digits
}

// KnownRegion tells whether region (ISO 3166) has a country calling code.
func KnownRegion(region string) bool {
	return phonenumbers.GetCountryCodeForRegion(strings.ToUpper(region)) != 0
}

// country is what is known of the numbers of one region.
type country struct {
	calling int
	code    string // the calling code in digits; empty for an unknown region
	trunk   string // what national numbers begin with, where it is written
}

// countries are those that were asked for: working one out takes longer than
// writing a number does.
var countries sync.Map // by region as given

func countryOf(region string) country {
	known, ok := countries.Load(region)
	if !ok {
		known, _ = countries.LoadOrStore(region, workOut(strings.ToUpper(strings.TrimSpace(region))))
	}
	return known.(country) //nolint:forcetypeassert // nothing else is stored
}

func workOut(region string) country {
	calling := phonenumbers.GetCountryCodeForRegion(region)
	if calling == 0 {
		return country{}
	}
	return country{calling, strconv.Itoa(calling), trunkOf(region)}
}

// trunkOf finds the national prefix as the region writes it: 0 in Britain, none
// in North America although 1 can be dialled.
func trunkOf(region string) string {
	example := phonenumbers.GetExampleNumber(region)
	if example == nil {
		return ""
	}
	written := phonenumbers.NormalizeDigitsOnly(phonenumbers.Format(example, phonenumbers.NATIONAL))
	trunk, ok := strings.CutSuffix(written, phonenumbers.GetNationalSignificantNumber(example))
	if !ok {
		return phonenumbers.GetNddPrefixForRegion(region, true)
	}
	return trunk
}

// lacksPlus tells whether seven or more digits are an international number of
// the region's own, written without its plus.
func (c country) lacksPlus(digits string) bool {
	rest, own := strings.CutPrefix(digits, c.code)
	return own && c.code != "" && c.possible(c.untrunked(rest))
}

// possible goes by the length alone; any digits will do.
func (c country) possible(national string) bool {
	if national == "" || len(national) > 17 { // more than the library counts with
		return false
	}
	n, _ := strconv.ParseUint("1"+strings.Repeat("0", len(national)-1), 10, 64)
	code := int32(c.calling) //nolint:gosec // at most three digits
	number := phonenumbers.PhoneNumber{CountryCode: &code, NationalNumber: &n}
	return phonenumbers.IsPossibleNumberWithReason(&number) == phonenumbers.IS_POSSIBLE
}

// untrunked takes the trunk prefix off a national number. Where it is another
// digit than 0, a number may well begin with it.
func (c country) untrunked(national string) string {
	rest, ok := strings.CutPrefix(national, c.trunk)
	if ok && c.trunk != "" && (c.trunk[0] == '0' || !c.possible(national) && c.possible(rest)) {
		return rest
	}
	return national
}

func (c country) write(digits string, international bool, format string) string {
	national := digits
	if international {
		rest, own := strings.CutPrefix(digits, c.code)
		if !own || c.code == "" || rest == "" {
			return "+" + digits
		}
		national = rest
	} else if c.code == "" {
		return digits
	}
	national = c.untrunked(national)
	if format == E164 {
		return "+" + c.code + national
	}
	return c.trunk + national
}

// dialled takes the digits out of raw, and tells whether they begin with a
// country calling code, which never begins with 0. Zeros of an extension are
// its own.
func dialled(raw string) (digits string, international bool) {
	digits, plus := digitsOf(userPart(raw))
	if plus || len(digits) > shortNumber {
		rest, zeros := strings.CutPrefix(digits, "00")
		if (plus || zeros) && rest != "" && rest[0] != '0' {
			return rest, true
		}
	}
	return digits, false
}

// userPart is what stands for the subscriber in a sip: or tel: URI, with or
// without a display name, or in user@host.
func userPart(raw string) string {
	s := strings.TrimSpace(raw)
	if _, in, ok := strings.Cut(s, "<"); ok {
		s, _, _ = strings.Cut(in, ">")
	}
	scheme, rest, ok := strings.Cut(s, ":")
	uri := ok && isScheme(strings.ToLower(scheme))
	if uri {
		s = rest
	}
	if uri && strings.HasPrefix(s, "[") { // the address of a machine
		return ""
	}
	user, _, at := strings.Cut(s, "@")
	if at {
		user, _, _ = strings.Cut(user, ":") // a password
	} else if uri && isHost(user) {
		return ""
	}
	if plain, err := url.PathUnescape(user); err == nil {
		user = plain
	}
	user = trunkZero.ReplaceAllString(user, "")
	return serviceCode.ReplaceAllString(strings.TrimSpace(user), "$1")
}

var (
	trunkZero = regexp.MustCompile(`\( *0 *\)`)
	// serviceCode is what is dialled before a number and not part of it, such as
	// #31# to hide one's own. By itself it is a short code.
	serviceCode = regexp.MustCompile(`^[*#]{1,2}[0-9]{1,3}[*#](.*[0-9])`)
)

func isScheme(s string) bool { return s == "sip" || s == "sips" || s == "tel" }

// isHost spots a URI that names a machine and nobody at it.
func isHost(s string) bool {
	s, _, _ = strings.Cut(s, ";")
	s, _, _ = strings.Cut(s, ":")
	_, err := netip.ParseAddr(s)
	return err == nil || strings.Contains(s, ".") && strings.ContainsFunc(s, unicode.IsLetter)
}

// digitsOf reads a number up to where an extension, a pause or a parameter
// begins, and tells whether a plus stood before its first digit.
func digitsOf(s string) (digits string, plus bool) {
	var b strings.Builder
	for _, r := range narrow.Replace(s) {
		digit := phonenumbers.NormalizeDigitsOnly(string(r))
		switch {
		case len(digit) == 1: // not every script's digits have a plain form
			b.WriteString(digit)
		case b.Len() == 0:
			plus = plus || r == '+'
		case unicode.IsLetter(r), strings.ContainsRune(";,#*?:", r):
			return b.String(), plus
		}
	}
	return b.String(), plus
}

// narrow makes the wide plus of East Asian keyboards a plain one.
var narrow = strings.NewReplacer("\uff0b", "+")
