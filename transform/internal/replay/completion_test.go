package replay

import (
	"slices"
	"strings"
	"testing"
)

// completed is what the shell would offer behind these words.
func completed(t *testing.T, words ...string) (offered []string, files bool) {
	t.Helper()
	out, _, code := replay(t.Context(), append([]string{"__complete"}, words...)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	directive := lines[len(lines)-1]
	if code != Clean || directive != ":4" && directive != ":0" {
		t.Fatalf("%v: exit %d, %q", words, code, out)
	}
	for _, l := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(l, "\t")
		offered = append(offered, word)
	}
	return offered, directive == ":0"
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, errs, code := replay(t.Context(), "completion", shell); code != Clean || errs != "" || !strings.Contains(out, "__complete") {
			t.Errorf("%s: exit %d, said %q", shell, code, errs)
		}
	}
	for _, tt := range []struct {
		words string // what is to be completed is behind the last blank
		want  string // offered, at least
		not   string
		files bool
	}{
		{words: "", want: "run diff coverage explain tail export import completion"},
		{words: "co", want: "coverage completion", not: "run"},
		{words: "explain ", want: "call user"},
		{words: "coverage --", want: "--entity --since --until --output --server"},
		{words: "run -o ", want: "text json story"},
		{words: "run --output=", want: "story"},
		{words: "coverage -o ", want: "text json", not: "story"},
		{words: "explain call -o ", want: "text json", not: "story"},
		{words: "explain user -o ", want: "text json", not: "story"},
		{words: "tail -o ", want: "text json"},
		{words: "tail --type ", want: "incoming answered ended missed callback-requested", not: "text"},
		{words: "run --since "},
		{words: "explain call "},
		{words: "explain user --at "},
		{words: "run --creds ", files: true},
		{words: "run ", files: true},
		{words: "import ", files: true},
		{words: "export -o ", files: true},
	} {
		got, files := completed(t, strings.Split(tt.words, " ")...)
		for _, want := range strings.Fields(tt.want) {
			if !slices.Contains(got, want) {
				t.Errorf("%q: %s is not offered, but %v", tt.words, want, got)
			}
		}
		if slices.Contains(got, tt.not) || files != tt.files {
			t.Errorf("%q: offered are %v, and files: %v", tt.words, got, files)
		}
	}
}

// A flag with an output format that the shell does not know is forgotten here.
func TestEveryFormatIsOffered(t *testing.T) {
	for _, sub := range (&command{}).root().Commands() {
		f := sub.Flag("output")
		if f == nil || files[sub.CommandPath()+" output"] {
			continue
		}
		offered := offers[sub.CommandPath()]["output"]
		for _, word := range strings.FieldsFunc(f.Usage, func(r rune) bool { return r == ' ' || r == ',' }) {
			if word != "or" && !slices.Contains(offered, word) {
				t.Errorf("%s: %s is not offered", sub.CommandPath(), word)
			}
		}
	}
}
