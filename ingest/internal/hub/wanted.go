package hub

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"

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

// listed is one entity in a subscriptions file: an id, or an id with events.
type listed struct {
	ID     string   `yaml:"id"`
	Events []string `yaml:"events"`
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (l *listed) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&l.ID)
	}
	type plain listed
	return node.Decode((*plain)(l))
}

// ParseWantedFile reads a subscriptions file: lists users, queues and
// calllists, each of ids or of {id, events}, and events, which holds for every
// entity without events of its own. Each entity takes those of its kind.
func ParseWantedFile(content []byte) (Wanted, error) {
	var file struct {
		Users     []listed `yaml:"users"`
		Queues    []listed `yaml:"queues"`
		CallLists []listed `yaml:"calllists"`
		Events    []string `yaml:"events"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(content)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return Wanted{}, fmt.Errorf("read YAML: %w", err)
	}
	var w Wanted
	var wrong []error
	add := func(section string, t rte.EntityType, entities []listed) {
		for _, l := range entities {
			if !isID(l.ID) {
				wrong = append(wrong, fmt.Errorf("%s: %q is no GUID", section, l.ID))
			}
			events := l.Events
			if len(events) == 0 {
				events = ofKind(t, file.Events)
			}
			if len(events) == 0 && len(file.Events) > 0 {
				continue // the file wants nothing of this kind
			}
			w.Entities = append(w.Entities, Entity{Type: t, ID: l.ID, Events: events})
		}
	}
	add("users", rte.User, file.Users)
	add("queues", rte.Queue, file.Queues)
	add("calllists", rte.CallList, file.CallLists)
	return w, errors.Join(wrong...)
}

func ofKind(t rte.EntityType, names []string) []string {
	var found []string
	for _, n := range names {
		if kind, known := rte.EntityTypeOf(n); known && kind == t {
			found = append(found, n)
		}
	}
	return found
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

// Source is where the wanted list comes from: settings, and a file that may change.
type Source struct {
	Fixed Wanted
	Path  string // of the subscriptions file; may be empty
}

// Read returns the fixed items and those in the file as it is now.
func (s Source) Read() (Wanted, error) {
	if s.Path == "" {
		return s.Fixed, nil
	}
	content, err := os.ReadFile(s.Path)
	if err != nil {
		return Wanted{}, fmt.Errorf("read subscriptions: %w", err)
	}
	w, err := ParseWantedFile(content)
	if err != nil {
		return Wanted{}, fmt.Errorf("read subscriptions from %s: %w", s.Path, err)
	}
	w.Items = append(w.Items, s.Fixed.Items...)
	w.Entities = append(slices.Clone(s.Fixed.Entities), w.Entities...)
	return w, nil
}

// stamp changes when the file changes.
type stamp struct {
	modified time.Time
	size     int64
}

func (s Source) stamp() stamp {
	info, err := os.Stat(s.Path)
	if s.Path == "" || err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}
