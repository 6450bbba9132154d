package fold

import (
	"fmt"

	"ringstream/schemas/event"
)

// longest is how many bytes a text of a raw event may have. What is longer is
// no number, name or id of anything, and would be in every event of its call
// and in every snapshot, which the server may not take.
const longest = 1024

// largest is how many bytes a call event may have: with its headers it fits the
// server's default max_payload. Some thousand users take part in a larger one.
const largest = 512 << 10

// oversize says which text of an event is too long.
func oversize(r *event.Raw) error {
	reason := ""
	if r.Reason != nil {
		reason = *r.Reason
	}
	if max(len(r.ID), len(r.EventType), len(r.EntityID), len(r.OrganizationID), len(r.CallID), len(r.UserID),
		len(r.UserName), len(r.UserNumber), len(r.CallerNumber), len(r.TargetNumber), len(r.TechQueueID), len(reason)) <= longest {
		return nil
	}
	for _, text := range []struct{ name, is string }{
		{"id", r.ID},
		{"event type", r.EventType},
		{"entity id", r.EntityID},
		{"organization id", r.OrganizationID},
		{"call id", r.CallID},
		{"user id", r.UserID},
		{"user name", r.UserName},
		{"user number", r.UserNumber},
		{"caller number", r.CallerNumber},
		{"target number", r.TargetNumber},
		{"queue id", r.TechQueueID},
		{"reason", reason},
	} {
		if len(text.is) > longest {
			return fmt.Errorf("its %s has %d bytes, of which %d are allowed", text.name, len(text.is), longest)
		}
	}
	return nil
}
