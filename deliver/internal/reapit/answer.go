package reapit

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringstream/schemas/event"
)

const (
	maxDescription = 500 // bytes
	maxFieldErrors = 50
	maxRetryAfter  = 24 * time.Hour
)

// problem has the members of every error body seen: of the platform in either
// casing (encoding/json matches any), of the gateway, and of OAuth2.
type problem struct {
	Description, Message, Title, Detail, Error json.RawMessage

	ErrorDescription json.RawMessage `json:"error_description"`
	Errors           json.RawMessage
}

// readProblem takes from an error body what it says; a body of another kind
// says nothing.
func readProblem(header http.Header, body []byte) (description string, fields []event.FieldError) {
	var p problem
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if json.Unmarshal(body, &p) != nil {
		return plainText(header, body), nil
	}
	for _, raw := range []json.RawMessage{p.Description, p.Message, p.ErrorDescription, p.Error, p.Detail, p.Title} {
		if description = text(raw); description != "" {
			break
		}
	}
	return description, fieldErrors(p.Errors)
}

// plainText is the words of an answer that is no JSON; those of a page of HTML,
// or of JSON that breaks off, are no use to anybody.
func plainText(header http.Header, body []byte) string {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	words := strings.TrimSpace(string(body))
	if !utf8.ValidString(words) || strings.IndexAny(words, "<{") == 0 || kind != "" && kind != "text/plain" && kind != "application/json" {
		return ""
	}
	return words
}

// isPage tells an answer that is for people: a proxy or a portal on the way gave
// it, or the address is of something else. It comes with a good status, too.
func isPage(header http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return kind == "text/html" || kind == "application/xhtml+xml" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return strings.TrimSpace(s)
}

// fieldErrors reads a list of {field, message}, each item for itself.
func fieldErrors(raw json.RawMessage) []event.FieldError {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	var fields []event.FieldError
	for _, item := range items[:min(len(items), maxFieldErrors)] {
		var f struct{ Field, Message json.RawMessage }
		if json.Unmarshal(item, &f) != nil {
			f.Message = item
		}
		if e := (event.FieldError{Field: text(f.Field), Message: text(f.Message)}); e != (event.FieldError{}) {
			fields = append(fields, e)
		}
	}
	return fields
}

// printable leaves out what would do something to the terminal, or to the line
// in a log, where it is read.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
}

func cut(s string) string {
	if len(s) <= maxDescription {
		return s
	}
	return strings.ToValidUTF8(s[:maxDescription], "") + "…"
}

// retryAfter reads both forms of Retry-After. A date is held against the
// answer's own Date: the two clocks may differ.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		wait = time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	} else if until, err := http.ParseTime(value); err == nil {
		if said, err := http.ParseTime(header.Get("Date")); err == nil {
			now = said
		}
		wait = until.Sub(now)
	}
	return max(0, min(wait, maxRetryAfter))
}
