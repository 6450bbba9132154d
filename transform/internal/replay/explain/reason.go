package explain

import (
	"slices"
	"strings"
)

// reasons are RTE's words for why a call went past somebody, as its pages list
// them; what they do not list is quoted.
var reasons = map[string]string{
	"dnd":                   "do not disturb was on",
	"offwork":               "the user was off work",
	"busyonbusy":            "the user was busy",
	"busy":                  "the user was busy",
	"busyfortechnicalerror": "the phone could not be reached, for a technical error",
	"noanswer":              "nobody answered there",
	"transferall":           "the user diverts all calls",
	"avaactiveprofile":      "the user's availability profile diverts calls",
	"useractivelydeclined":  "the user declined it",
	"interruptoverflow":     "it was taken away while it was offered",
	"blindtransfer":         "it was passed on at once",
	"noavailableproviders":  "nobody of the queue was available",
	"queuefull":             "the queue was full",
}

// spelled says a reason of RTE's, and quotes it.
func spelled(reason string) string {
	if known, ok := reasons[strings.ToLower(reason)]; ok {
		return known + " (" + reason + ")"
	}
	return "RTE gives the reason " + reason
}

// diverted finds the last reason for which a call went past somebody. Who hung up
// and why a ring was withdrawn is no reason for a phone not to ring.
func diverted(heard []Heard) (why string, found bool) {
	for _, h := range slices.Backward(heard) {
		name := strings.ToLower(h.Raw.EventType)
		if strings.HasSuffix(name, "disconnected") || strings.HasSuffix(name, "usercancelled") {
			continue
		}
		words := h.Words
		if h.Raw.Reason != nil {
			words = append([]string{*h.Raw.Reason}, words...)
		}
		for _, w := range words {
			if w = strings.TrimSpace(w); w != "" {
				return spelled(w) + ", says its " + h.Raw.EventType, true
			}
		}
	}
	return "", false
}

func outboundOnly(heard []Heard) bool {
	return !slices.ContainsFunc(heard, func(h Heard) bool { return !strings.HasPrefix(strings.ToLower(h.Raw.EventType), "usercallout") })
}

// withdrawn finds the event that took the call away, and RTE's reason.
func withdrawn(heard []Heard) (why string, found bool) {
	for _, h := range slices.Backward(heard) {
		if !strings.HasSuffix(strings.ToLower(h.Raw.EventType), "usercancelled") {
			continue
		}
		why = h.Raw.EventType
		if h.Raw.Reason != nil && *h.Raw.Reason != "" {
			why += ": " + *h.Raw.Reason
		}
		return why, true
	}
	return "", false
}
