package replay

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"ringstream/schemas/event"
	"ringstream/transform/internal/call"
	"ringstream/transform/internal/replay/bundle"
)

// script reads a story of package call.
func script(t *testing.T, text []byte) []call.Line {
	t.Helper()
	lines, err := call.ReadStory(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// Every story that package call has, retold under aliases, must come out as
// the same story: the same users move in the same way, and are told the same.
func TestRetoldStoriesAreTheSame(t *testing.T) {
	files, err := filepath.Glob("../call/testdata/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d stories (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var moments []Moment
			for _, l := range script(t, ar.Files[0].Data) {
				m := Moment{Stored: l.Stored.Add(17 * time.Hour), Filled: l.Filled}
				if l.Raw.EventType != "" {
					raw := disguised(l.Raw)
					m.Raw = &raw
				}
				moments = append(moments, m)
			}
			retold := txtar.Parse(Story("A story.", moments))
			if again := play(script(t, retold.Files[0].Data)); string(again) != string(retold.Files[1].Data) {
				t.Errorf("what it tells is not what its script gives:\n%s\nscript:\n%s", retold.Files[1].Data, again)
			}
			if got, want := outcome(script(t, retold.Files[0].Data), retold.Files[1].Data), outcome(script(t, ar.Files[0].Data), ar.Files[1].Data); got != want {
				t.Errorf("got:\n%s\nwant:\n%s\nscript:\n%s", got, want, retold.Files[0].Data)
			}
		})
	}
}

// disguised gives the names and numbers of the tests others, as real ones are.
func disguised(r event.Raw) event.Raw {
	if r.UserID != "" {
		r.UserID = "id-of-" + r.UserID
	}
	if !r.Timestamp.IsZero() {
		r.Timestamp = r.Timestamp.Add(17 * time.Hour)
	}
	r.ID = "id-" + r.ID
	return r
}

var (
	offsets = regexp.MustCompile(`, at \+\S+`)
	numbers = regexp.MustCompile(`, (caller|called) [^,\n]+`)
)

// outcome is what a trace tells of users and events, whoever and whenever they
// are: without numbers, offsets and the lines of the script.
func outcome(script []call.Line, trace []byte) string {
	var b strings.Builder
	for l := range strings.Lines(string(trace)) {
		switch {
		case strings.HasPrefix(l, "\t"):
			b.WriteString(numbers.ReplaceAllString(offsets.ReplaceAllString(l, ", earlier"), ""))
		case strings.Contains(l, ": "):
			b.WriteString("verdict" + l[strings.LastIndex(l, ": "):])
		}
	}
	var seen []string
	var renamed []string
	for _, l := range script {
		if u := l.Raw.UserID; u != "" && !slices.Contains(seen, u) {
			seen = append(seen, u)
			renamed = append(renamed, "\t"+u, fmt.Sprintf("\tu%d", len(seen)), " "+u, fmt.Sprintf(" u%d", len(seen)))
		}
	}
	return strings.NewReplacer(renamed...).Replace(b.String())
}

func TestNumbersKeepWhatTheModelReads(t *testing.T) {
	var a bundle.Aliases
	for _, tt := range []struct{ number, role, want string }{
		{"+447911123456", call.StoryCaller, call.StoryCaller},
		{"+442079460000", call.StoryCalled, call.StoryCalled},
		{"07911 123456", "", call.StoryCaller}, // the same in another spelling
		{"sip:+442079460000@192.0.2.7", "", call.StoryCalled},
		{"+447911999999", call.StoryCaller, "+441632960002"},
		{"sip:201@pbx.private.example", "", "201"},
		{"460001", "", "900003"},
		{"000", "", "000"},
		{"", call.StoryCaller, ""},
		{"Jane Private", call.StoryCaller, "anonymous"},
	} {
		if got := a.Number(tt.number, tt.role); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.number, got, tt.want)
		}
	}
}
