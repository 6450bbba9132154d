package event

import (
	"encoding/json"
	"strings"
	"testing"
)

func FuzzValidIsThatOfEncodingJSON(f *testing.F) {
	for _, s := range []string{
		``, ` `, `{}`, `[]`, ` { "a" : [ 1 , -0.5e+10 , true , false , null , "\"\\\/\b\f\n\r\t\u00fF" ] , "" : {} } `, "\"\xff\x7f\"", "\"\x1f\"",
		`01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`, `0x1`, `nul`, `nulll`, `tru e`, `{`, `[`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`,
		`{"a":1]`, `[1}`, `1 2`, `{},{}`, `"`, `"\`, `"\u12"`, `"\u12g4"`, `"\x"`, "[\x00]", "1\x00", "\x00", "{}\x00", "\u00a01", "[1\v]",
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
		strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := Valid(b), json.Valid(b); got != want {
			t.Errorf("%.200q: %v, want %v", b, got, want)
		}
	})
}
