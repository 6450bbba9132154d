package reapit

import (
	"errors"
	"testing"
)

// A token in the wrong place leaves nothing.
func TestATokenOfAnotherCustomerIsNotSent(t *testing.T) {
	c := New(Config{APIURL: "http://127.0.0.1:1"}, nil)
	r := c.send(t.Context(), request{method: "POST", path: "/notifications/", customer: "SBOX"}, token{secret: "x", customer: "RES"})
	if r.Kind != Unsendable || r.Sent || !errors.Is(r.Err, errForeign) {
		t.Errorf("%+v", r.Result)
	}
}
