package bundle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
	"ringstream/transform/internal/call"
)

// Pseudonyms give everybody in a bundle another name and number, the same one
// wherever they appear. What the call model reads of them survives: who is the
// same, which numbers are, what is withheld, an extension, of which country.
// Nobody can go back: the key is drawn for one export and not kept.
//
// A number keeps its first digits. Its last six become others by a permutation
// that knows nothing of the rest, so that every spelling of a number becomes a
// spelling of the same alias. An alias may by chance be somebody's number.
type Pseudonyms struct {
	key        []byte
	partitions int
	kept       map[string]map[string]string // by kind, what has which alias
}

// NewPseudonyms are those of a key; who does not have it cannot tell whose they are.
func NewPseudonyms(key []byte, partitions int) *Pseudonyms {
	return &Pseudonyms{key: key, partitions: partitions, kept: map[string]map[string]string{}}
}

// place counts the different ones of a kind.
func (p *Pseudonyms) place(kind, of, format string) string {
	known := p.kept[kind]
	if known == nil {
		known = map[string]string{}
		p.kept[kind] = known
	}
	if known[of] == "" {
		known[of] = fmt.Sprintf(format, len(known)+1)
	}
	return known[of]
}

// user is the alias of a user name, an e-mail address as a rule.
func (p *Pseudonyms) user(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	switch {
	case name == "":
		return ""
	case strings.Contains(name, "@"):
		return p.place("user", name, "person%d@alias.example")
	}
	return p.place("name", name, "person %d")
}

// listed is the alias of what stands for a customer, a negotiator, a replica.
func (p *Pseudonyms) listed(kind, of, format string) string {
	if of == "" {
		return ""
	}
	return p.place(kind, of, format)
}

func (p *Pseudonyms) customer(id string) string   { return p.listed("customer", id, "CUSTOMER%d") }
func (p *Pseudonyms) negotiator(id string) string { return p.listed("negotiator", id, "NEG%d") }
func (p *Pseudonyms) instance(id string) string   { return p.listed("instance", id, "ingest-%d") }
func (p *Pseudonyms) epoch(id string) string      { return p.listed("epoch", id, "epoch-%d") }

const zeroID = "00000000-0000-0000-0000-000000000000"

var (
	guid  = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	small = regexp.MustCompile(`^\d{1,4}$`)
)

// ID keeps a GUID, which says nothing. Of anything else, which might be a number
// or a name, it makes one that falls into the same partition.
func (p *Pseudonyms) ID(of string) string {
	id := strings.ToLower(strings.TrimSpace(of))
	if id == "" || id == zeroID || guid.MatchString(id) || small.MatchString(id) {
		return id
	}
	known := p.kept["id"]
	if known == nil {
		known = map[string]string{}
		p.kept["id"] = known
	}
	for n := uint64(0); known[id] == ""; n++ {
		alias := p.derived(id, n)
		if topology.Partition(alias, p.partitions) == topology.Partition(topology.KeyToken(id), p.partitions) {
			known[id] = alias
		}
	}
	return known[id]
}

// derived is a GUID.
func (p *Pseudonyms) derived(of string, n uint64) string {
	b := p.sum("id", of, n)
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
}

// learn notes that an id is another where it comes of the bytes of a body.
func (p *Pseudonyms) learn(was, is string) {
	if was != is && event.HasFallbackID(was) {
		p.ID(was)
		p.kept["id"][was] = is
	}
}

func (p *Pseudonyms) sum(kind, of string, n uint64) []byte {
	h := hmac.New(sha256.New, p.key)
	_, _ = fmt.Fprintf(h, "%s\n%d\n%s", kind, n, of)
	return h.Sum(nil)
}

// withheldWords are what RTE writes in place of a number.
var withheldWords = map[string]bool{
	"anonymous": true, "restricted": true, "withheld": true, "private": true, "unknown": true, "unavailable": true,
}

const personal = 6 // last digits of a number that become others

// number is the alias of a telephone number in its own spelling: with the
// scheme, plus, zeros and separators that it had.
func (p *Pseudonyms) number(s string) string {
	s = strings.TrimSpace(s)
	digits := call.Digits(s)
	switch {
	case s == "" || withheldWords[strings.ToLower(s)]:
		return s
	case digits == "":
		return "anonymous"
	}
	scheme, rest := "", strings.ToLower(s)
	for _, known := range []string{"sip:", "sips:", "tel:"} {
		if strings.HasPrefix(rest, known) {
			scheme, rest = scheme+known, strings.TrimPrefix(rest, known)
		}
	}
	host := ""
	if i := strings.IndexAny(rest, "@;"); i >= 0 {
		if rest[i] == '@' {
			host = "@pbx.example"
		}
		rest = rest[:i]
	}
	return scheme + respelled(strings.ReplaceAll(rest, "(0)", ""), p.digits(digits)) + host
}

// respelled puts digits in the places of those of a spelling, of which nothing but
// separators is kept.
func respelled(as, digits string) string {
	var b strings.Builder
	for _, r := range as {
		switch {
		case '0' <= r && r <= '9' && digits != "":
			b.WriteByte(digits[0])
			digits = digits[1:]
		case strings.ContainsRune("+()-./ ", r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// digits changes what belongs to a person: nothing of a short number, all but
// the first digit of an extension, the last six of any other.
func (p *Pseudonyms) digits(all string) string {
	significant := strings.TrimLeft(all, "0")
	n := personal
	switch {
	case len(significant) <= harmless:
		return all
	case len(significant) < call.ShortestNational:
		n = len(significant) - 1
	}
	at := len(all) - n
	return all[:at] + p.permuted(all[at:])
}

// permuted is a Feistel network over decimal digits: no two numbers become one.
func (p *Pseudonyms) permuted(digits string) string {
	half := len(digits) / 2
	a, b := value(digits[:half]), value(digits[half:])
	sizes := [2]uint64{power(half), power(len(digits) - half)}
	for round := range uint64(8) {
		if round%2 == 0 {
			a = (a + p.mix(len(digits), round, b)) % sizes[0]
		} else {
			b = (b + p.mix(len(digits), round, a)) % sizes[1]
		}
	}
	return fmt.Sprintf("%0*d%0*d", half, a, len(digits)-half, b)
}

func (p *Pseudonyms) mix(length int, round, with uint64) uint64 {
	return binary.BigEndian.Uint64(p.sum(fmt.Sprint("digits", length, "/", with), "", round)) >> 1
}

func value(digits string) (n uint64) {
	for _, d := range []byte(digits) {
		n = 10*n + uint64(d-'0')
	}
	return n
}

func power(digits int) uint64 {
	n := uint64(1)
	for range digits {
		n *= 10
	}
	return n
}

// text says how long it was.
func (p *Pseudonyms) text(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	return fmt.Sprintf("(text of %d characters)", utf8.RuneCountInString(s))
}

var word = regexp.MustCompile(`^([A-Za-z][A-Za-z_-]{0,39}\d{0,3}|\d{1,3})$`)

// word keeps what can only be one of a list that RTE or ringstream has, such as
// a reason.
func (p *Pseudonyms) word(s string) string {
	if word.MatchString(strings.TrimSpace(s)) {
		return s
	}
	return p.text(s)
}

var (
	odd        = regexp.MustCompile(`[^A-Za-z0-9_-]`)
	manyDigits = regexp.MustCompile(`\d{4,}`)
)

const longestKind = 64

// kind keeps a type of event, which decides what its message is.
func (p *Pseudonyms) kind(s string) string {
	s = manyDigits.ReplaceAllString(odd.ReplaceAllString(strings.TrimSpace(s), "_"), "_")
	return s[:min(len(s), longestKind)]
}
