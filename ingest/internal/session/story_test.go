package session

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the stories' outcomes and STATES.md")

// TestStories tells each story of testdata/stories.txtar. A line is an event,
// in front of it how much later it happens, and behind the arrow what follows.
func TestStories(t *testing.T) {
	const path = "testdata/stories.txtar"
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, story := range archive.Files {
		t.Run(story.Name, func(t *testing.T) {
			told := tell(t, string(story.Data))
			if !*update && told != string(story.Data) {
				t.Errorf("came out otherwise:\n%s", told)
			}
			archive.Files[i].Data = []byte(told)
		})
	}
	if *update {
		rewrite(t, path, txtar.Format(archive))
	}
}

func rewrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func tell(t *testing.T, story string) string {
	t.Helper()
	var b strings.Builder
	m, now := New(limits), noon
	for line := range strings.Lines(story) {
		text, _, _ := strings.Cut(strings.TrimSpace(line), "->")
		e := Event{Chance: 0.5}
		for _, word := range strings.Fields(text) {
			switch later, err := time.ParseDuration(strings.TrimPrefix(word, "+")); {
			case err == nil:
				now = now.Add(later)
			case e.Kind == "":
				e.Kind = Kind(word)
			default:
				e.Cause = Cause(word)
			}
		}
		e.At = now
		var err error
		m, err = m.Next(e)
		fmt.Fprintf(&b, "%-22s -> %s\n", strings.TrimSpace(text), outcome(m, err))
	}
	return b.String()
}

func outcome(m Machine, err error) string {
	text := string(m.State)
	if err != nil {
		text = err.Error()
	}
	if m.Limit > 0 {
		text += " " + m.Limit.Round(time.Millisecond).String()
	}
	if m.Failures > 0 {
		text += fmt.Sprintf(", failures %d", m.Failures)
	}
	return text
}

// TestStatesPicture keeps STATES.md the picture of the tables.
func TestStatesPicture(t *testing.T) {
	const path = "STATES.md"
	var b bytes.Buffer
	fmt.Fprint(&b, "# States of the supervisor\n\nGenerated from the tables by `go test ./internal/session -update`. What is not drawn changes nothing.\n\n")
	fmt.Fprint(&b, "```mermaid\nstateDiagram-v2\n    [*] --> idle\n")
	for _, from := range States() {
		for _, k := range Kinds() {
			switch to := steps[from][k]; to {
			case "":
			case byCause:
				fmt.Fprintf(&b, "    %s --> %s : %s, at once\n    %s --> %s : %s, wait\n", from, Token, k, from, BackOff, k)
			default:
				fmt.Fprintf(&b, "    %s --> %s : %s\n", from, to, k)
			}
		}
	}
	fmt.Fprintf(&b, "```\n\n## Endings\n\nA row of failures ends with a connection that was live for %s.\n\n", Settled)
	fmt.Fprint(&b, "| cause | first of a row | cause differs from the last | same cause again |\n|---|---|---|---|\n")
	for _, c := range Causes() {
		if row, ok := endings[c]; ok {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c, row.first, row.other, row.again)
		}
	}
	if *update {
		rewrite(t, path, b.Bytes())
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what the tables say (go test -update rewrites it)\n%s", path, b.Bytes())
	}
}
