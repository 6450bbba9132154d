package call

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata/*.txtar and STATES.md")

// TestStories replays every testdata/*.txtar. The comment tells the story,
// "events" is its script, and "want" what becomes of it. The call is put
// through its snapshot format before every event.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d stories (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil || len(ar.Files) != 2 || len(ar.Comment) == 0 {
				t.Fatalf("not a story: %v", err)
			}
			got := []byte(TellStory(script(t, ar.Files[0].Data), func(c *Call) *Call { return restored(t, c) }))
			if *update {
				ar.Files[1].Data = got
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := ar.Files[1].Data; !bytes.Equal(got, want) {
				t.Errorf("trace differs\ngot:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

var start = StoryStart()

func script(t *testing.T, text []byte) []Line {
	t.Helper()
	lines, err := ReadStory(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// restored puts the call through its snapshot format.
func restored(t interface{ Fatal(...any) }, c *Call) *Call {
	to := NewPacker()
	c.Pack(to)
	from, back := NewUnpacker(to.Bytes()), new(Call)
	if back.Pack(from); from.Err() != nil || len(from.Bytes()) > 0 {
		t.Fatal("the snapshot cannot be read:", from.Err(), len(from.Bytes()))
	}
	if !reflect.DeepEqual(back, c) {
		t.Fatal("the snapshot lost something:", fmt.Sprintf("%+v", c))
	}
	return back
}

func TestStoryThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"soon UserCallInComing jane":           "invalid duration",
		"+0s UserCallInComing":                 "no user",
		"+0s UserCallInComing jane at=soon":    "invalid duration",
		"+0s UserCallInComing jane colour=red": `unknown key "colour"`,
	} {
		if _, err := ReadStory(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "read ") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
