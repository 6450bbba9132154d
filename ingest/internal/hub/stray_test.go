package hub

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// sorted is what a tap makes of WebSocket messages.
type sorted struct {
	messages []string
	strays   []string // reason and record
}

// sort gives a tap one WebSocket message after the other.
func sort(kinds func(i int) websocket.MessageType, parts ...string) (s sorted) {
	t := newTap(nil, "id", 16<<20, time.Second,
		func(b []byte) { s.messages = append(s.messages, string(b)) },
		func(b []byte, reason string) { s.strays = append(s.strays, reason+" "+string(b)) })
	_ = t.library.Close() // nobody reads
	for i, part := range parts {
		_ = t.consume(kinds(i), []byte(part))
	}
	t.cancel()
	return s
}

func text(int) websocket.MessageType { return websocket.MessageText }

func record(argument string) string {
	return `{"type":1,"target":"MessageReceived","arguments":[` + argument + "]}\x1e"
}

// Whatever the hub sends, it is kept as it is, with the reason where it is no
// message, and its neighbours arrive.
func TestNothingIsLostWithWhatIsMalformed(t *testing.T) {
	huge := `{"note":"` + strings.Repeat("x", 8<<20) + `"}`
	for name, c := range map[string]struct {
		sent   string
		binary bool
		kept   []string // messages, between the neighbours
		reason string
		stray  string // when it is not what was sent
	}{
		"invalid JSON":              {sent: record(`not json`), reason: StrayBroken},
		"invalid UTF-8":             {sent: "\xff\xfe\x1e", reason: StrayBroken},
		"JSON cut short":            {sent: `{"type":1,"target":"MessageReceived","arguments":[{"a"` + "\x1e", reason: StrayBroken},
		"an empty record":           {sent: "\x1e", reason: StrayBroken},
		"no object":                 {sent: "[]\x1e", reason: StrayBroken},
		"no type":                   {sent: "{}\x1e", reason: StrayBroken},
		"a type in words":           {sent: `{"type":"invocation"}` + "\x1e", reason: StrayBroken},
		"arguments of another kind": {sent: `{"type":1,"target":"MessageReceived","arguments":{}}` + "\x1e", reason: StrayBroken},
		"a type not known":          {sent: `{"type":42}` + "\x1e", reason: StrayFrame},
		"a stream's item":           {sent: `{"type":2,"invocationId":"1","item":1}` + "\x1e", reason: StrayFrame},
		"an acknowledgement":        {sent: `{"type":8,"sequenceId":1}` + "\x1e", reason: StrayFrame},
		"an unknown callback":       {sent: `{"type":1,"target":"SubscribeDetails","arguments":[{"a":1}]}` + "\x1e", reason: StrayCallback},
		"a callback without a name": {sent: `{"type":1,"arguments":[{}]}` + "\x1e", reason: StrayCallback},
		"an answer to nothing":      {sent: `{"type":3,"invocationId":"9","result":1}` + "\x1e", reason: StrayAnswer},
		"no arguments":              {sent: record(""), reason: StrayArguments},
		"arguments missing":         {sent: `{"type":1,"target":"MessageReceived"}` + "\x1e", reason: StrayArguments},
		"two arguments":             {sent: record(`{"one":1},{"two":2}`), kept: []string{`{"one":1}`}, reason: StrayArguments},
		"two that are no objects":   {sent: record(`1,{"two":2}`), kept: []string{`1`}, reason: StrayArguments},
		"null":                      {sent: record(`null`), kept: []string{`null`}},
		"a number":                  {sent: record(`7`), kept: []string{`7`}},
		"a list":                    {sent: record(`[{}]`), kept: []string{`[{}]`}},
		"JSON in a text":            {sent: record(`"{}"`), kept: []string{`"{}"`}},
		"an empty object":           {sent: record(`{}`), kept: []string{`{}`}},
		"8 MiB":                     {sent: record(huge), kept: []string{huge}},
		"binary":                    {sent: "\x93\x01\x80\xc0", binary: true, reason: StrayBinary},
		"binary with a separator":   {sent: "\x93\x1e", binary: true, reason: StrayBroken},
		"a record in binary":        {sent: record(`{"n":1}`), binary: true, kept: []string{`{"n":1}`}},
		"text that does not end":    {sent: "garbage", reason: StrayBroken},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := func(i int) websocket.MessageType {
				if i == 2 && c.binary {
					return websocket.MessageBinary
				}
				return websocket.MessageText
			}
			got := sort(kinds, "{}\x1e", record(`{"before":1}`), c.sent, record(`{"after":1}`))
			if want := slices.Concat([]string{`{"before":1}`}, c.kept, []string{`{"after":1}`}); !slices.Equal(got.messages, want) {
				t.Errorf("messages %.300q, want %.300q", got.messages, want)
			}
			var want []string
			if c.reason != "" {
				want = []string{c.reason + " " + strings.TrimSuffix(c.sent, "\x1e")}
			}
			if !slices.Equal(got.strays, want) {
				t.Errorf("strays %q, want %q", got.strays, want)
			}
		})
	}
}

// However the hub's bytes are cut into WebSocket messages, the same messages
// arrive in the same order. More may: a cut can free one from what spoils it.
func FuzzTapCuts(f *testing.F) {
	const message = `{"type":1,"target":"MessageReceived","arguments":[{"n":1}]}`
	f.Add("{}\x1e"+message+"\x1e"+message+"\x1e", uint8(7))
	f.Add("{}\x1e{broken\x1e"+`{"type":6}`+"\x1e"+message, uint8(1))
	f.Add("\x1e\x1e"+`{"type":1,"target":"x"}`+"\x1e", uint8(2))
	f.Add("{}\x1e"+`{"type":1,"target":"MessageReceived","arguments":[{"a":1},2]}`+"\x1e"+`{"type":3}`+"\x1e", uint8(30))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		whole := sort(text, stream)
		var parts []string
		for part := range slices.Chunk([]byte(stream), int(size)+1) {
			parts = append(parts, string(part))
		}
		cut := sort(text, parts...)
		left := whole.messages
		for _, m := range cut.messages {
			if len(left) > 0 && m == left[0] {
				left = left[1:]
			}
		}
		if len(left) > 0 {
			t.Errorf("cut into %d: %q, whole: %q", int(size)+1, cut.messages, whole.messages)
		}
	})
}

// Whatever stands before, between and behind them, good messages arrive.
func FuzzTapNeighbours(f *testing.F) {
	f.Add([]byte("garbage"), false)
	f.Add([]byte("\x93\x01\x80"), true)
	f.Add([]byte(`{"type":1,"target":"MessageReceived","arguments":[`), false)
	f.Add([]byte(`{"type":3,"invocationId":"1"}`+"\x1e"), false)
	f.Add([]byte(`"`), false)
	f.Fuzz(func(t *testing.T, odd []byte, isBinary bool) {
		kinds := func(i int) websocket.MessageType {
			if isBinary && i == 2 {
				return websocket.MessageBinary
			}
			return websocket.MessageText
		}
		got := sort(kinds, "{}\x1e", record(`{"before":1}`), string(odd), record(`{"after":1}`))
		if n := len(got.messages); n < 2 || got.messages[0] != `{"before":1}` || got.messages[n-1] != `{"after":1}` {
			t.Errorf("messages %q, strays %q", got.messages, got.strays)
		}
		for _, m := range got.messages {
			if !json.Valid([]byte(m)) {
				t.Errorf("delivered %q", m)
			}
		}
		for _, stray := range got.strays {
			if _, kept, _ := strings.Cut(stray, " "); !bytes.Contains(odd, []byte(kept)) {
				t.Errorf("%q is no part of %q", kept, odd)
			}
		}
	})
}
