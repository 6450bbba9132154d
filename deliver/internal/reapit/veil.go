package reapit

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// veil takes out of what somebody else said the words that nobody must read, in
// every form in which they were sent and may have been echoed.
type veil []string

func veilOf(cfg Config) veil {
	if cfg.ClientSecret == "" {
		return nil
	}
	id, secret := url.QueryEscape(cfg.ClientID), url.QueryEscape(cfg.ClientSecret)
	v := veil{cfg.ClientSecret, secret}
	for _, basic := range []string{id + ":" + secret, cfg.ClientID + ":" + cfg.ClientSecret} {
		v = append(v, base64.StdEncoding.EncodeToString([]byte(basic)))
	}
	return v
}

// with hides a token, too.
func (v veil) with(t token) veil {
	if t.secret == "" {
		return v
	}
	return append(v[:len(v):len(v)], t.secret)
}

func (v veil) text(s string) string {
	for _, hidden := range v {
		s = strings.ReplaceAll(s, hidden, "[redacted]")
	}
	return s
}

// result hides before it cuts: half a token is a secret as well.
func (v veil) result(r *Result) {
	clean := func(s string) string { return cut(printable(v.text(s))) }
	r.Description, r.RequestID = clean(r.Description), clean(r.RequestID)
	for i := range r.Errors {
		r.Errors[i].Field, r.Errors[i].Message = clean(r.Errors[i].Field), clean(r.Errors[i].Message)
	}
}

// err is an error in other words where its own quote a secret: net/http quotes
// an answer that is no HTTP.
func (v veil) err(err error) error {
	if text := v.text(err.Error()); text != err.Error() {
		return veiledError{text, err}
	}
	return err
}

type veiledError struct {
	text string
	err  error
}

func (e veiledError) Error() string { return e.text }

func (e veiledError) Unwrap() error { return e.err }
