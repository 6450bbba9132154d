package rtesim

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ringstream/ingest/internal/rte"
)

// Send says what to send outside a scenario: an event that is composed, or
// bytes that go out verbatim.
type Send struct {
	EventType string                     `json:"eventType"`
	User      string                     `json:"user"` // names of the agency's directory
	Queue     string                     `json:"queue"`
	CallList  string                     `json:"callList"`
	EntityID  string                     `json:"entityId"` // instead of a name
	Data      map[string]json.RawMessage `json:"data"`     // fields that differ; new ones are added
	Count     int                        `json:"count"`    // 0 means 1; each has its own id, and seq from 1
	Calls     int                        `json:"calls"`    // how many CallIds the events take turns with; 0 means 1
	CallIDs   []string                   `json:"callIds"`  // instead of new ones: those of calls that were sent before

	Raw       string `json:"raw"`       // the argument, verbatim
	RawBase64 string `json:"rawBase64"` // the same, for bytes that are no text
	To        string `json:"to"`        // of raw: "" subscribers, "all", or a connection id
	Target    string `json:"target"`    // of raw: the callback, MessageReceived when empty
	Record    bool   `json:"record"`    // of raw: it is the whole record, not an argument
	Binary    bool   `json:"binary"`    // of raw: it is a whole binary WebSocket message
}

// SendResult tells what became of it.
type SendResult struct {
	Events    int      `json:"events"`
	Receivers int      `json:"receivers"` // deliveries to connections
	FirstID   string   `json:"firstId,omitempty"`
	LastID    string   `json:"lastId,omitempty"`
	CallIDs   []string `json:"callIds,omitempty"`
}

const maxCalls = 100_000

func (h *hub) send(ctx context.Context, s Send) (SendResult, error) {
	raw := []byte(s.Raw)
	if s.RawBase64 != "" {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(s.RawBase64); err != nil {
			return SendResult{}, fmt.Errorf("rawBase64: %w", err)
		}
	}
	if len(raw) > 0 {
		return h.sendRaw(ctx, s, raw)
	}
	return h.sendEvents(ctx, s)
}

func (h *hub) sendRaw(ctx context.Context, s Send, raw []byte) (SendResult, error) {
	entry := identify(raw)
	key := rte.EntitySubscription{
		EntityID:  cmp.Or(s.EntityID, entry.EntityID),
		EventName: cmp.Or(s.EventType, entry.EventType),
	}.Key()
	wants := func(c *conn) bool {
		if s.To == "" {
			_, ok := c.subs.find(key)
			return ok
		}
		return s.To == "all" || s.To == c.id
	}
	made := func() message {
		if s.Binary {
			return message{record: raw, binary: true}
		}
		if s.Record {
			return message{record: append(append([]byte{}, raw...), rte.Separator)}
		}
		return eventMessage(cmp.Or(s.Target, rte.CallbackMessageReceived), raw, entry)
	}
	result := SendResult{FirstID: entry.ID, LastID: entry.ID}
	for range max(1, s.Count) {
		n, err := h.publishRaw(ctx, made, wants)
		result.Receivers += n
		if err != nil {
			return result, err
		}
		result.Events++
	}
	return result, nil
}

func (h *hub) sendEvents(ctx context.Context, s Send) (SendResult, error) {
	var result SendResult
	if s.EventType == "" {
		return result, errors.New("neither eventType nor raw is given")
	}
	if max(s.Calls, len(s.CallIDs)) > maxCalls {
		return result, fmt.Errorf("calls must be at most %d", maxCalls)
	}
	if s.Calls > 0 && len(s.CallIDs) > 0 {
		return result, errors.New("either calls or callIds")
	}
	spec, err := s.spec()
	if err != nil {
		return result, err
	}
	template, err := newTemplate(Agency(), spec, s.Count > 1)
	if err != nil {
		return result, err
	}
	h.rules.know([]string{s.EventType})
	var identities [][]field
	for _, id := range s.callIDs() {
		result.CallIDs, identities = append(result.CallIDs, id), append(identities, call{id: id}.identity())
	}
	for i := range max(1, s.Count) {
		o := template.vary(variation{uuid.NewString(), identities[i%len(identities)], time.Now(), i + 1})
		n, err := h.publish(ctx, o)
		result.Receivers += n
		if err != nil {
			return result, err
		}
		result.Events++
		result.FirstID, result.LastID = cmp.Or(result.FirstID, o.id), o.id
	}
	return result, nil
}

// callIDs are those that the events take turns with.
func (s Send) callIDs() []string {
	if len(s.CallIDs) > 0 {
		return s.CallIDs
	}
	ids := make([]string, max(1, s.Calls))
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	return ids
}

func (s Send) spec() (eventSpec, error) {
	spec := eventSpec{eventType: s.EventType, user: s.User, queue: s.Queue, callList: s.CallList}
	if s.EntityID != "" {
		spec.fields = append(spec.fields, textField("entityId", s.EntityID))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Data)) {
		if strings.TrimSpace(name) == "" {
			return spec, errors.New("a field of data has no name")
		}
		spec.fields = append(spec.fields, field{name, s.Data[name]})
	}
	return spec, nil
}
