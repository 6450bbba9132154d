package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	headLine = `{"format":"ringstream-bundle","version":1,"contract":"1","partitions":2,"settings":{"RING_TIMEOUT":"2m","TALK_TIMEOUT":"4h","SETTLE_TIMEOUT":"2s","CLOSED_MEMORY":"10m"}}`
	endLine  = `{"messages":{"RTE":2}}`
)

func message(seq string) string {
	return `{"stream":"RTE","seq":` + seq + `,"stored":"2026-11-02T09:12:00Z","subject":"rte.0.x","body":"{}"}`
}

func zipped(t *testing.T, text io.Reader) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func readAll(r io.Reader) (n int, err error) {
	err = read(r, func(Head) error { return nil }, func(Record) error { n++; return nil })
	return n, err
}

func TestReadRefuses(t *testing.T) {
	whole := strings.Join([]string{headLine, message("5"), message("7"), endLine, ""}, "\n")
	if n, err := readAll(zipped(t, strings.NewReader(whole))); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for text, want := range map[string]string{
		"":                                      "it is cut off",
		strings.TrimSuffix(whole, endLine+"\n"): "it is cut off",
		strings.Replace(whole, `"seq":7`, `"seq":5`, 1):            "message 5 of RTE stands behind message 5",
		strings.Replace(whole, `"seq":5`, `"seq":900`, 1):          "message 7 of RTE stands behind message 900",
		strings.Replace(whole, `"seq":5`, `"seq":0`, 1):            "message 0 of RTE stands behind message 0",
		strings.Replace(whole, `{"RTE":2}`, `{}`, 1):               "it has 2 messages of RTE, not 0",
		strings.Replace(whole, `{"RTE":2}`, `{"RTE":2,"X":1}`, 1):  "it has 0 messages of X, not 1",
		strings.Replace(whole, `"2m"`, `"-2m"`, 1):                 "RING_TIMEOUT is -2m0s; expected more than zero",
		strings.Replace(whole, `"4h"`, `"0s"`, 1):                  "TALK_TIMEOUT is 0s; expected more than zero",
		strings.Replace(whole, `"body":"{}"`, `"body":5`, 1):       "cannot unmarshal number",
		strings.Replace(whole, headLine, `[]`, 1):                  "cannot unmarshal array",
		strings.Replace(whole, message("5"), "{", 1):               "unexpected end of JSON",
		strings.Replace(whole, endLine, endLine+"\n"+endLine, 1):   "more stands behind its end",
		strings.Replace(whole, `"2026-11-02T09:12:00Z"`, `"x"`, 1): "parsing time",
	} {
		_, err := readAll(zipped(t, strings.NewReader(text)))
		if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "cut off") != (want == "it is cut off") {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// Wherever a bundle is cut, it is that.
func TestReadWhatIsCutOff(t *testing.T) {
	whole := zipped(t, strings.NewReader(strings.Join([]string{headLine, message("5"), message("7"), endLine, ""}, "\n"))).Bytes()
	for n := range whole {
		if _, err := readAll(bytes.NewReader(whole[:n])); !errors.Is(err, ErrUnreadable) || !strings.HasSuffix(err.Error(), "it is cut off") {
			t.Errorf("of %d bytes %d: %v", len(whole), n, err)
		}
	}
}

// A small file that unpacks to a line without an end is given up.
func TestReadABomb(t *testing.T) {
	bomb := zipped(t, io.MultiReader(strings.NewReader(headLine+"\n"), io.LimitReader(spaces{}, longest+1)))
	if _, err := readAll(bomb); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// A bundle takes the place of a file, also where a link leads to it, but of
// nothing else.
func TestCreateReplacesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	file, link, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(file, link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir} {
		if w, err := Create(path, Head{}); !errors.Is(err, errNotRegular) {
			t.Errorf("%s: %v, %v", path, w, err)
		}
	}
	w, err := Create(link, Head{})
	if err == nil {
		err = w.Finish()
	}
	is, statErr := os.Stat(file)
	if kind, linkErr := os.Lstat(link); errors.Join(err, statErr, linkErr) != nil || is.Size() == 0 || kind.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v, %v, %v, %v", err, is, kind, linkErr)
	}
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
}
