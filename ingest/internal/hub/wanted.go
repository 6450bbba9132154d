package hub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"ringstream/ingest/internal/rte"
)

// Wanted is what shall be subscribed.
type Wanted struct {
	Items    []rte.EntitySubscription // single events
	Entities []Entity                 // events of a kind
}

// Entity is a user, a queue or a call list and which of its events are wanted;
// none named means all that the hub offers.
type Entity struct {
	Type   rte.EntityType
	ID     string
	Events []string
}

// Empty reports whether nothing is wanted at all.
func (w Wanted) Empty() bool { return len(w.Items) == 0 && len(w.Entities) == 0 }

// kinds are the prefixes that stand for every event of an entity.
var kinds = map[string]rte.EntityType{"user": rte.User, "queue": rte.Queue, "calllist": rte.CallList}

// ParseWanted reads <EventName>:<EntityId>, user:<id>, queue:<id> and
// calllist:<id>. The error joins one for every item that is none of these.
func ParseWanted(list []string) (Wanted, error) {
	var w Wanted
	var wrong []error
	for _, item := range list {
		name, id, found := strings.Cut(item, ":")
		name, id = strings.TrimSpace(name), strings.TrimSpace(id)
		switch {
		case !found || name == "":
			wrong = append(wrong, fmt.Errorf("item %q is not of the form <EventName>:<EntityId>, user:<id>, queue:<id> or calllist:<id>", item))
			continue
		case !isID(id):
			wrong = append(wrong, fmt.Errorf("item %q: %q is no GUID", item, id))
			continue
		}
		kind, whole := kinds[strings.ToLower(name)]
		switch {
		case whole:
			w.Entities = append(w.Entities, Entity{Type: kind, ID: id})
		case isEvent(name):
			w.Items = append(w.Items, rte.EntitySubscription{EntityID: id, EventName: name})
		default:
			wrong = append(wrong, fmt.Errorf("item %q: %q is neither user, queue or calllist nor the name of an event, which begins with a capital letter", item, name))
		}
	}
	return w, errors.Join(wrong...)
}

// The hub takes a GUID with hyphens only as far as its documentation shows.
func isID(s string) bool { return len(s) == 36 && uuid.Validate(s) == nil }

// isEvent tells an event, one that is not known yet too, from a misspelt kind.
// Those that are known are known in any casing, as the hub takes them.
func isEvent(name string) bool {
	kind, _ := rte.EntityTypeOf(name)
	known := func(event string) bool { return strings.EqualFold(event, name) }
	return unicode.IsUpper([]rune(name)[0]) || slices.ContainsFunc(rte.EventNames(kind), known)
}

// Resolve lists the items to subscribe, spelled as the hub spells its events,
// and those that it does not offer. No item is listed twice.
func (w Wanted) Resolve(offered []string) (items, missing []rte.EntitySubscription) {
	spelling := make(map[string]string, len(offered))
	for _, name := range offered {
		spelling[strings.ToLower(name)] = name
	}
	seen := map[rte.EntitySubscription]bool{}
	for _, item := range w.expand(offered) {
		if seen[item.Key()] {
			continue
		}
		seen[item.Key()] = true
		if name, ok := spelling[strings.ToLower(item.EventName)]; ok {
			items = append(items, rte.EntitySubscription{EntityID: item.EntityID, EventName: name})
		} else {
			missing = append(missing, item)
		}
	}
	return items, missing
}

func (w Wanted) expand(offered []string) []rte.EntitySubscription {
	all := slices.Clone(w.Items)
	for _, e := range w.Entities {
		events := e.Events
		if len(events) == 0 {
			events = ofKind(e.Type, offered)
		}
		for _, name := range events {
			all = append(all, rte.EntitySubscription{EntityID: e.ID, EventName: name})
		}
	}
	return all
}
