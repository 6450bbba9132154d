package reapit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ringstream/schemas/event"
)

// Errors of a notification that cannot be made.
var (
	ErrNoSubType = errors.New("call events of this type are no notification")
	ErrNoTarget  = errors.New("no negotiator to notify")
)

// Notification is one call event for one negotiator.
type Notification struct {
	Customer     string
	NegotiatorID string
	Also         []string // further negotiators, where one request is for several
	SubType      string
	Call         event.Call
	AnsweredByID string // empty when nobody answered or who did is unmapped
	Region       string // of national numbers, ISO 3166
	Format       string // National or E164
}

// Sub types of a telephony notification.
const (
	incomingCall = "incomingCall"
	answeredCall = "answeredCall"
	endedCall    = "endedCall"
	missedCall   = "missedCall"
)

var subTypes = map[event.CallType]string{
	event.Incoming: incomingCall,
	event.Answered: answeredCall,
	event.Ended:    endedCall,
	event.Missed:   missedCall,
}

// SubType is what Reapit calls a call event, if it has a word for it.
func SubType(t event.CallType) (string, bool) {
	s, ok := subTypes[t]
	return s, ok
}

// withheld is one of the words that Reapit takes for a number.
const withheld = "withheld"

type envelope struct {
	Type     string   `json:"type"`
	SubType  string   `json:"subType"`
	Products []string `json:"products"`
	Targets  targets  `json:"targets"`
	Payload  payload  `json:"payload"`
}

type targets struct {
	NegotiatorID []string `json:"negotiatorId"`
}

type payload struct {
	ID            string `json:"id,omitempty"`
	Created       string `json:"created"`
	CallerID      string `json:"callerId"`
	DestinationID string `json:"destinationId,omitempty"`
	HuntGroup     bool   `json:"huntGroup"`
	AnsweredByID  string `json:"answeredById,omitempty"`
}

// Body is the exact JSON of a notification.
func Body(n Notification) ([]byte, error) {
	if !slices.Contains([]string{incomingCall, answeredCall, endedCall, missedCall}, n.SubType) {
		return nil, fmt.Errorf("encode notification of %s as %q: %w", n.Call.EventID(), n.SubType, ErrNoSubType)
	}
	ids := recipients(n)
	if len(ids) == 0 {
		return nil, fmt.Errorf("encode notification of %s: %w", n.Call.EventID(), ErrNoTarget)
	}
	p := payload{
		ID:            n.Call.CallID,
		Created:       n.Call.OccurredAt.UTC().Format("2006-01-02T15:04:05Z"),
		CallerID:      callerID(n),
		DestinationID: Format(n.Call.Called, n.Region, n.Format),
		HuntGroup:     n.Call.HuntGroup,
	}
	if n.SubType == answeredCall || n.SubType == endedCall {
		p.AnsweredByID = n.AnsweredByID
	}
	return json.Marshal(envelope{
		Type: "telephony", SubType: n.SubType, Products: []string{"AgencyCloud"}, Targets: targets{ids}, Payload: p,
	})
}

// recipients are all negotiators of n, each once.
func recipients(n Notification) []string {
	var ids []string
	for _, id := range append([]string{n.NegotiatorID}, n.Also...) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func callerID(n Notification) string {
	if n.Call.CallerWithheld {
		return withheld
	}
	if number := Format(n.Call.Caller, n.Region, n.Format); number != "" {
		return number
	}
	return withheld
}
