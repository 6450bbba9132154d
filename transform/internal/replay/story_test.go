package replay

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"ringstream/schemas/event"
)

// script reads a story as the tests of package call do.
func script(t *testing.T, text []byte) []line {
	t.Helper()
	var out []line
	for l := range strings.Lines(string(text)) {
		f := strings.Fields(l)
		if len(f) == 0 {
			continue
		}
		x := line{text: strings.TrimSpace(l), stored: start.Add(duration(t, f[0]))}
		if f[1] != "gap" {
			x.raw = scripted(t, f[1], f[2], x.stored, f[3:])
			x.raw.ID = cmp.Or(x.raw.ID, fmt.Sprintf("e%d", len(out)+1))
		}
		out = append(out, x)
	}
	return out
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func scripted(t *testing.T, name, user string, stored time.Time, keys []string) event.Raw {
	t.Helper()
	r := event.Raw{
		EventType: name, EntityType: "Queue", CallID: "c1", OrganizationID: "org",
		Timestamp: stored, CallerNumber: customer, TargetNumber: agency,
	}
	if user != "-" {
		r.EntityType, r.UserID, r.UserName = "User", user, user+"@agency.example"
	}
	for _, kv := range keys {
		k, v, _ := strings.Cut(kv, "=")
		v = strings.TrimPrefix(v, "-")
		switch {
		case k == "at" && v == "none":
			r.Timestamp = time.Time{}
		case k == "at":
			r.Timestamp = start.Add(duration(t, v))
		case k == "id":
			r.ID = v
		case k == "reason":
			r.Reason = &v
		case k == "caller":
			r.CallerNumber = v
		case k == "called":
			r.TargetNumber = v
		case k == "number":
			r.UserNumber = v
		case k == "queue":
			r.TechQueueID = v
		default:
			t.Fatalf("unknown key %q", k)
		}
	}
	return r
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
				m := Moment{Stored: l.stored.Add(17 * time.Hour)}
				if l.raw.EventType != "" {
					raw := disguised(l.raw)
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
func outcome(script []line, trace []byte) string {
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
		if u := l.raw.UserID; u != "" && !slices.Contains(seen, u) {
			seen = append(seen, u)
			renamed = append(renamed, "\t"+u, fmt.Sprintf("\tu%d", len(seen)), " "+u, fmt.Sprintf(" u%d", len(seen)))
		}
	}
	return strings.NewReplacer(renamed...).Replace(b.String())
}

func TestNumbersKeepWhatTheModelReads(t *testing.T) {
	var a aliases
	for _, tt := range []struct{ number, role, want string }{
		{"+447911123456", customer, customer},
		{"+442079460000", agency, agency},
		{"07911 123456", "", customer}, // the same in another spelling
		{"sip:+442079460000@192.0.2.7", "", agency},
		{"+447911999999", customer, "+441632960002"},
		{"sip:201@pbx.private.example", "", "201"},
		{"460001", "", "900003"},
		{"000", "", "000"},
		{"", customer, ""},
		{"Jane Private", customer, "anonymous"},
	} {
		if got := a.number(tt.number, tt.role); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.number, got, tt.want)
		}
	}
}
