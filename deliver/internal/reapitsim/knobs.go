package reapitsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Duration is a time.Duration that JSON writes as Go does: "30s".
type Duration time.Duration

// MarshalText writes 30s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads 30s.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

const (
	accept = "accept"
	reject = "reject"
	ends   = "ends"
	goesOn = "goesOn"
)

// Knobs decide what the public contract leaves open. The comments name the other values.
type Knobs struct {
	ValidationStatus   int    `json:"validationStatus"`   // 422, or 400 as the endpoint's own page lists
	ZonelessCreated    string `json:"zonelessCreated"`    // reject, or accept as the published example has it
	CallerIDSpaces     string `json:"callerIdSpaces"`     // reject, or accept likewise; of destinationId too
	MissingDestination string `json:"missingDestination"` // accept, or reject a payload without destinationId
	UnknownTarget      string `json:"unknownTarget"`      // accept, or reject targets and answeredById that are no negotiators
	ExtraProperties    string `json:"extraProperties"`    // reject, or accept

	LegacyAuthorizer bool     `json:"legacyAuthorizer"` // a token acts for its first customer for five minutes
	MissingCustomer  int      `json:"missingCustomer"`  // status without reapit-customer: 400, 401 or 403
	NotInstalled     []string `json:"notInstalled"`     // customers who get 401
	Unlisted         bool     `json:"unlisted"`         // the application is not in the marketplace: 401
	MissingScopes    []string `json:"missingScopes"`    // scopes that get 403
	TokenSeconds     [2]int   `json:"tokenSeconds"`     // shortest and longest life of a new token
	CachedTokens     bool     `json:"cachedTokens"`     // true: a token is given again while five minutes of it are left, or false: each is new

	Rate           int      `json:"rate"`           // requests a second; 0 is no limit, here and below
	RateWindow     string   `json:"rateWindow"`     // sliding: any second; fixed: each second of the clock
	Concurrency    int      `json:"concurrency"`    // at a time, per customer
	Daily          int      `json:"daily"`          // in a UTC day
	LimitBody      string   `json:"limitBody"`      // pascal, or camel
	LeakedSlot     Duration `json:"leakedSlot"`     // how long a slot stays taken after a 504; 0s is not at all
	GatewayTimeout Duration `json:"gatewayTimeout"` // then 504
	Deserted       string   `json:"deserted"`       // ends, or goesOn: what a request does whose client has left
	LinkPrefix     string   `json:"linkPrefix"`     // put before the paths of _links, such as /api
	FaultSeed      uint64   `json:"faultSeed"`      // which requests meet the faults that have a chance
}

// DefaultKnobs are the strict reading of the contract.
func DefaultKnobs() Knobs {
	return Knobs{
		ValidationStatus: 422, ZonelessCreated: reject, CallerIDSpaces: reject,
		MissingDestination: accept, UnknownTarget: accept, ExtraProperties: reject,
		MissingCustomer: 400, NotInstalled: []string{}, MissingScopes: []string{}, TokenSeconds: [2]int{300, 3600}, CachedTokens: true,
		Rate: 20, RateWindow: "sliding", Concurrency: 5, Daily: 250000, LimitBody: "pascal",
		GatewayTimeout: Duration(30 * time.Second), Deserted: ends,
	}
}

func (k Knobs) clone() Knobs {
	k.NotInstalled, k.MissingScopes = slices.Clone(k.NotInstalled), slices.Clone(k.MissingScopes)
	return k
}

// check names every knob that has a value it cannot have.
func (k Knobs) check() error {
	var bad []string
	want := func(name string, ok bool) {
		if !ok {
			bad = append(bad, name)
		}
	}
	oneOf := func(name, value string, values ...string) { want(name, slices.Contains(values, value)) }
	want("validationStatus", k.ValidationStatus == 422 || k.ValidationStatus == 400)
	oneOf("zonelessCreated", k.ZonelessCreated, accept, reject)
	oneOf("callerIdSpaces", k.CallerIDSpaces, accept, reject)
	oneOf("missingDestination", k.MissingDestination, accept, reject)
	oneOf("unknownTarget", k.UnknownTarget, accept, reject)
	oneOf("extraProperties", k.ExtraProperties, accept, reject)
	want("missingCustomer", slices.Contains([]int{400, 401, 403}, k.MissingCustomer))
	want("tokenSeconds", k.TokenSeconds[0] > 0 && k.TokenSeconds[0] <= k.TokenSeconds[1])
	want("rate", k.Rate >= 0)
	oneOf("rateWindow", k.RateWindow, "sliding", "fixed")
	want("concurrency", k.Concurrency >= 0)
	want("daily", k.Daily >= 0)
	oneOf("limitBody", k.LimitBody, "pascal", "camel")
	want("leakedSlot", k.LeakedSlot >= 0)
	want("gatewayTimeout", k.GatewayTimeout > 0)
	oneOf("deserted", k.Deserted, ends, goesOn)
	if bad != nil {
		return fmt.Errorf("knobs out of range: %s", strings.Join(bad, ", "))
	}
	return nil
}
