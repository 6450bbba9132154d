package program

import (
	"net/url"
	"os"
	"slices"
	"strings"
)

const fileSuffix = "_FILE"

// secret tells by the name, as interfaces promise it to outsiders.
func (s setting) secret() bool {
	return !s.path && secretName(s.name)
}

func secretName(name string) bool {
	return slices.ContainsFunc([]string{"SECRET", "PASSWORD", "KEY", "TOKEN"}, func(end string) bool {
		return strings.HasSuffix(name, end)
	})
}

// given is what the environment says: the value, or the content of the file
// that NAME_FILE names. Of a setting that is a path, NAME_FILE is the path.
func (s setting) given() (string, *Problem) {
	value := os.Getenv(s.name)
	if !secretName(s.name) {
		return value, nil
	}
	file := os.Getenv(s.name + fileSuffix)
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", &Problem{Setting: s.name, Wrong: "is set, and " + s.name + fileSuffix + " too", Want: "one of the two"}
	case s.path:
		return file, nil
	}
	return s.fromFile(file)
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

// secrets are texts that must not be shown.
type secrets []string

// shortest keeps a one-letter password of a test bench from garbling every line.
const shortest = 4

func secretsOf(all []setting) secrets {
	var hide secrets
	for _, s := range all {
		raw, _ := s.given()
		if s.secret() {
			hide = append(hide, raw)
		} else {
			hide = append(hide, userInfo(s.name, raw)...)
		}
	}
	hide = slices.DeleteFunc(hide, func(text string) bool { return len(text) < shortest })
	// The longest first: a user's whole info before the password within it.
	slices.SortFunc(hide, func(a, b string) int { return len(b) - len(a) })
	return hide
}

func (hide secrets) in(text string) string {
	for _, secret := range hide {
		text = strings.ReplaceAll(text, secret, "(redacted)")
	}
	return text
}

// userInfo finds what stands before the @ of the URLs in raw, and passwords
// alone, as written and unescaped. It rather takes too much than too little: a
// password may hold the very characters that end it.
func userInfo(name, raw string) []string {
	pieces := strings.Split(raw, "://")
	if !strings.HasSuffix(name, "URL") {
		pieces = pieces[1:]
	}
	var found []string
	for _, piece := range pieces {
		at := strings.LastIndex(piece, "@")
		if at <= 0 {
			continue
		}
		info := piece[:at]
		found = append(found, info)
		if _, password, ok := strings.Cut(info, ":"); ok {
			found = append(found, password)
			if plain, err := url.PathUnescape(password); err == nil {
				found = append(found, plain)
			}
		}
	}
	return found
}

// redacted is raw without its user info, however short.
func redacted(name, raw string) string {
	for _, info := range userInfo(name, raw) {
		raw = strings.ReplaceAll(raw, info+"@", "(redacted)@")
	}
	return raw
}
