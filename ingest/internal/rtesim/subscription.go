package rtesim

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"ringstream/ingest/internal/rte"
)

// subscribed is one active subscription and its JSON, which every message of it
// carries.
type subscribed struct {
	rte.Subscription
	json json.RawMessage
}

// subscriptions are those of one connection. Nothing outlives the connection.
type subscriptions struct {
	mu    sync.Mutex
	byKey map[rte.EntitySubscription]*subscribed
	order []*subscribed
}

// add subscribes; a second time it changes nothing.
func (s *subscriptions) add(sub rte.Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := rte.EntitySubscription{EntityID: sub.EntityID, EventName: sub.EventType}.Key()
	if _, there := s.byKey[key]; there {
		return
	}
	b, _ := json.Marshal(sub) // strings and booleans always encode
	made := &subscribed{sub, b}
	if s.byKey == nil {
		s.byKey = make(map[rte.EntitySubscription]*subscribed)
	}
	s.byKey[key] = made
	s.order = append(s.order, made)
}

func (s *subscriptions) remove(key rte.EntitySubscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.byKey[key]
	delete(s.byKey, key)
	s.order = slices.DeleteFunc(s.order, func(o *subscribed) bool { return o == gone })
}

func (s *subscriptions) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey, s.order = nil, nil
}

func (s *subscriptions) find(key rte.EntitySubscription) (*subscribed, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.byKey[key]
	return found, ok
}

func (s *subscriptions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}

// list is in the order of subscribing.
func (s *subscriptions) list() []rte.Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]rte.Subscription, 0, len(s.order))
	for _, o := range s.order {
		all = append(all, o.Subscription)
	}
	return all
}

// rules decide what may be subscribed.
type rules struct {
	organization string

	mu           sync.Mutex
	names        map[string]string // lower case to the spelling of the wire
	unauthorized map[string]bool
}

func newRules(organization string, names, unauthorized []string) *rules {
	r := &rules{organization: organization, names: map[string]string{}}
	for _, t := range rte.EntityTypes() {
		r.know(rte.EventNames(t))
	}
	r.know(names)
	r.refuse(unauthorized)
	return r
}

// know makes event names valid.
func (r *rules) know(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range names {
		if _, known := r.names[strings.ToLower(n)]; !known {
			r.names[strings.ToLower(n)] = n
		}
	}
}

// refuse replaces the entities that nobody may subscribe.
func (r *rules) refuse(entityIDs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unauthorized = map[string]bool{}
	for _, id := range entityIDs {
		r.unauthorized[strings.ToLower(strings.TrimSpace(id))] = true
	}
}

func (r *rules) available() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.names))
	for _, n := range r.names {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// check says what an item would subscribe, or why it is refused.
func (r *rules) check(item rte.EntitySubscription) (sub rte.Subscription, refusal string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, err := uuid.Parse(item.EntityID)
	if err != nil {
		return sub, rte.RefusedEntityID
	}
	name, known := r.names[strings.ToLower(item.EventName)]
	if !known {
		return sub, rte.RefusedEventName
	}
	if r.unauthorized[id.String()] {
		return sub, rte.RefusedUnauthorized
	}
	entityType, known := rte.EntityTypeOf(name)
	if !known {
		entityType = rte.User
	}
	return rte.Subscription{
		ID: uuid.NewString(), RootEntityID: r.organization, RootEntityType: "Organization", OrganizationID: r.organization,
		EventType: name, EntityType: string(entityType), EntityID: id.String(),
	}, ""
}
