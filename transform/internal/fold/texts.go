package fold

import "ringstream/schemas/event"

// texts are what many events say alike: every call that remembers it would keep
// a copy of its own.
type texts map[string]string

// How many are kept; then others take their places.
const maxTexts = 100_000

// shared returns the event with texts that were read before.
func (t texts) shared(r event.Raw) event.Raw {
	for _, text := range [...]*string{&r.OrganizationID, &r.EventType, &r.EntityID, &r.UserID, &r.UserName, &r.TargetNumber, &r.TechQueueID} {
		known, ok := t[*text]
		if !ok {
			if len(t) >= maxTexts {
				clear(t)
			}
			known = *text
			t[known] = known
		}
		*text = known
	}
	return r
}
