package program

import (
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
)

const fileSuffix = "_FILE"

// secret tells by the name, as outsiders are promised. A switch has nothing to hide.
func (s setting) secret() bool { return secretName(s.name) && s.field.Kind() != reflect.Bool }

func secretName(name string) bool {
	return slices.ContainsFunc([]string{"SECRET", "PASSWORD", "KEY", "TOKEN"}, func(end string) bool {
		return strings.HasSuffix(name, end)
	})
}

// subject is the setting that a name in the environment belongs to: NAME of
// NAME_FILE where NAME is a secret's, and else the name itself.
func subject(name string) string {
	if plain, ok := strings.CutSuffix(name, fileSuffix); ok && secretName(plain) {
		return plain
	}
	return name
}

// given is what the environment says: the value, or the content of the file
// that NAME_FILE names. Of a setting that is a path, NAME_FILE is the path.
func (s setting) given() (string, *Problem) {
	value := os.Getenv(s.name)
	if !s.secret() {
		return value, nil
	}
	file := os.Getenv(s.name + fileSuffix)
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", &Problem{Setting: s.name, Wrong: "is set, and " + s.name + fileSuffix + " too", Want: "one of the two"}
	default:
		return s.fromFile(file)
	}
}

func (s setting) fromFile(file string) (string, *Problem) {
	content, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return "", &Problem{Setting: s.name + fileSuffix, Wrong: err.Error(), Want: "a readable file that holds the secret"}
	}
	value := strings.TrimRight(string(content), "\r\n")
	if value == "" {
		return "", &Problem{Setting: s.name + fileSuffix, Wrong: file + " is empty", Want: "a file that holds the secret"}
	}
	return value, nil
}

// secret is a text that must not be shown, and what is shown instead.
type secret struct{ text, instead string }

const hidden = "(redacted)"

// shortest keeps a one-letter password of a test bench from garbling every line.
const shortest = 4

func secretsOf(all []setting) []secret {
	var hide []secret
	for _, s := range all {
		raw, _ := s.given()
		switch {
		case !s.secret():
			hide = append(hide, userInfo(s.name, raw)...)
		case len(raw) >= shortest:
			hide = append(hide, secret{raw, hidden})
		}
	}
	// The longest first: a user's whole info before the password within it.
	slices.SortStableFunc(hide, func(a, b secret) int { return len(b.text) - len(a.text) })
	return hide
}

// without replaces secrets in a text that somebody else wrote.
func without(hide []secret, text string) string {
	for _, s := range hide {
		text = strings.ReplaceAll(text, s.text, s.instead)
	}
	return text
}

// userInfo finds what stands before the @ of the URLs in raw, and the passwords
// alone, as written and unescaped. It rather takes too much than too little: a
// password may hold the very characters that would end it.
func userInfo(name, raw string) []secret {
	pieces := strings.Split(raw, "://")
	if !strings.HasSuffix(name, "URL") {
		pieces = pieces[1:]
	}
	var found []secret
	for _, piece := range pieces {
		at := strings.LastIndex(piece, "@")
		if at <= 0 {
			continue
		}
		found = append(found, secret{piece[:at+1], hidden + "@"})
		_, password, _ := strings.Cut(piece[:at], ":")
		plain, _ := url.PathUnescape(password) // what cannot be unescaped is short of the limit
		for _, p := range []string{password, plain} {
			if len(p) >= shortest {
				found = append(found, secret{p, hidden})
			}
		}
	}
	return found
}

// redacted is the value of a setting without user info.
func redacted(name, raw string) string { return without(userInfo(name, raw), raw) }
