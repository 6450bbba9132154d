package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"ringstream/ingest/internal/rte"
)

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
	return onlyKeys(node, (*plain)(l), "id", "events")
}

// lists is a subscriptions file.
type lists struct {
	Users     []listed `yaml:"users"`
	Queues    []listed `yaml:"queues"`
	CallLists []listed `yaml:"calllists"`
	Events    []string `yaml:"events"`
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (l *lists) UnmarshalYAML(node *yaml.Node) error {
	type plain lists
	return onlyKeys(node, (*plain)(l), "users", "queues", "calllists", "events")
}

// onlyKeys decodes a mapping that has no other keys. The decoder's own check
// would name Go's types, and not reach into what decodes itself.
func onlyKeys(node *yaml.Node, into any, allowed ...string) error {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if key := node.Content[i]; !slices.Contains(allowed, key.Value) {
				return fmt.Errorf("line %d: key %q is unknown, known are %s", key.Line, key.Value, strings.Join(allowed, ", "))
			}
		}
	}
	return node.Decode(into)
}

var (
	errEmpty = errors.New("it lists nothing; it may list users, queues and calllists")

	lineOf = regexp.MustCompile(`^line \d+`)
)

// readLists says in one line what is wrong with a file.
func readLists(content []byte) (lists, error) {
	var file lists
	err := yaml.NewDecoder(bytes.NewReader(content)).Decode(&file)
	var mismatch *yaml.TypeError
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, io.EOF):
		return lists{}, errEmpty
	case errors.As(err, &mismatch):
		return lists{}, fmt.Errorf("%s: users, queues and calllists list ids or {id, events}, events lists names", lineOf.FindString(mismatch.Errors[0]))
	default:
		return lists{}, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
}

// ParseWantedFile reads a subscriptions file: lists users, queues and
// calllists, each of ids or of {id, events}, and events, which holds for every
// entity without events of its own. Each entity takes those of its kind.
func ParseWantedFile(content []byte) (Wanted, error) {
	file, err := readLists(content)
	if err != nil {
		return Wanted{}, err
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
