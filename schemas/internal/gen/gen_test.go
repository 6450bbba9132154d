package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"
)

const committed = "../.."

func TestCommittedFilesAreWhatTheTablesSay(t *testing.T) {
	want, err := files()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Error(err)
		} else if string(got) != string(content) {
			t.Errorf("%s differs from its table: run go generate", name)
		}
	}
}

func TestNoFileIsLeftOver(t *testing.T) {
	want, err := files()
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(os.DirFS(committed), "jsonschema", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		dir := path.Base(path.Dir(name))
		handWritten := dir == "deadletter" || dir == "reapit"
		if _, generated := want[name]; generated == handWritten {
			t.Errorf("%s: generated %t, hand-written %t", name, generated, handWritten)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRunWritesEveryFile(t *testing.T) {
	dir := t.TempDir()
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	want, err := files()
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, file, pattern string }{
		{"UserCallInComing", "user-call-in-coming", "^[Uu]ser[Cc]all[Ii]n[Cc]oming$"},
		{"Username", "username", "^[Uu]ser[Nn]ame$"},
		{"CallbackAttempts", "callback-attempts", "^[Cc]all[Bb]ack[Aa]ttempts$"},
		{"MessageTTLSeconds", "message-t-t-l-seconds", "^[Mm]essage[Tt][Tt][Ll][Ss]econds$"},
	} {
		if got := kebab(c.name); got != c.file {
			t.Errorf("kebab(%s) = %s, want %s", c.name, got, c.file)
		}
		if got := anyCasing(c.name); got != c.pattern {
			t.Errorf("anyCasing(%s) = %s, want %s", c.name, got, c.pattern)
		}
	}
}
