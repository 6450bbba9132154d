package reapit

import (
	"net/http"
	"strings"
)

// Settings that a failure can point to.
const (
	SettingAPIURL      = "REAPIT_API_URL"
	SettingAPIVersion  = "REAPIT_API_VERSION"
	SettingTokenURL    = "REAPIT_TOKEN_URL"
	SettingCredentials = "REAPIT_CLIENT_ID or REAPIT_CLIENT_SECRET"
	SettingCustomer    = "REAPIT_CUSTOMER"
	SettingSharedToken = "REAPIT_SHARED_TOKEN"
)

// What an application must be granted to do what this package does.
const (
	ScopeNotify      = "notifications.telephony.write"
	ScopeNegotiators = "negotiators.read"
)

// FaultError is a request that was not accepted, in words.
type FaultError struct{ Result Result }

// Error names the setting to look at, if there is one.
func (e *FaultError) Error() string {
	text, setting := e.Result.words(), e.Result.Suspect()
	if e.Result.unexplained() {
		text += unexplained
	}
	if strings.Contains(text, setting) { // any text contains none
		return text
	}
	return setting + ": " + text
}

// Unwrap gives what went wrong where nothing was answered.
func (e *FaultError) Unwrap() error { return e.Result.Err }

// suspicion is one line of what answers are known to mean. An empty word is in
// every description.
type suspicion struct {
	from, to int
	words    string // of the description, in lower case
	setting  string
}

var suspicions = []suspicion{
	{300, 399, "", SettingAPIURL},
	{400, 403, "api-version", SettingAPIVersion},
	{400, 400, "https", SettingAPIURL}, // a server that wants TLS and did not get it
	{400, 403, "reapit-customer", SettingCustomer},
	{401, 401, "does not have the application installed", SettingCustomer},
	{401, 401, "could not be located in the reapit foundations marketplace", SettingCredentials},
	{403, 403, strings.ToLower(MissingAuthenticationToken), SettingAPIURL},
	{404, 405, "", SettingAPIURL},
}

// Suspect names the setting to look at, or none.
func (r Result) Suspect() string {
	switch r.Kind {
	case Refused, DNS, TLS, Timeout, Network, Malformed:
		return SettingAPIURL
	case Answered:
		return suspectOf(r.Status, strings.ToLower(r.Description))
	default:
		return r.setting
	}
}

func suspectOf(status int, description string) string {
	for _, s := range suspicions {
		if s.from <= status && status <= s.to && strings.Contains(description, s.words) {
			return s.setting
		}
	}
	return ""
}

// unexplained is what a 401 can mean that does not say, of a token that was just
// given: Reapit answers so for a while after an installation, too.
const unexplained = "; perhaps the customer does not have the application installed or has not consented to its scopes" +
	", or the token is for another platform, or Reapit itself is in trouble (status.reapit.com)"

func (r Result) unexplained() bool {
	return r.Kind == Answered && r.Status == http.StatusUnauthorized && r.Suspect() == ""
}

// Ungranted tells whether the answer means that the application was not granted
// the scope that the request takes.
func (r Result) Ungranted() bool {
	return r.Kind == Answered && r.Status == http.StatusForbidden && r.Suspect() == ""
}
