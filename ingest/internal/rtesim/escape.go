package rtesim

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// escapeLegacy escapes the strings of a JSON text as .NET Core 3.1 does by
// default; later versions leave these characters alone.
func escapeLegacy(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/8)
	inside, escaped := false, false
	for _, r := range string(b) {
		switch {
		case inside && !escaped && (r > 0x7e || strings.ContainsRune("+<>&'`", r)):
			out = appendUTF16(out, r)
			continue
		case escaped:
			escaped = false
		case inside && r == '\\':
			escaped = true
		case r == '"':
			inside = !inside
		}
		out = append(out, string(r)...)
	}
	return out
}

func appendUTF16(dst []byte, r rune) []byte {
	for _, unit := range utf16.Encode([]rune{r}) {
		dst = fmt.Appendf(dst, `\u%04X`, unit)
	}
	return dst
}
