package directory

import (
	"maps"
	"slices"
	"strings"

	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/event"
)

// book is one reading of a customer's negotiators; it does not change.
type book struct {
	all      map[string]entry    // by negotiator id
	active   map[string][]string // negotiator ids by e-mail address
	inactive map[string][]string
	count    int // active ones
}

type entry struct {
	email  string
	active bool
}

func newBook(list []reapit.Negotiator) *book {
	b := &book{all: map[string]entry{}, active: map[string][]string{}, inactive: map[string][]string{}}
	for _, n := range list {
		b.all[n.ID] = entry{normal(n.Email), n.Active}
	}
	for _, id := range slices.Sorted(maps.Keys(b.all)) {
		e := b.all[id]
		by := b.inactive
		if e.active {
			by = b.active
			b.count++
		}
		if e.email != "" {
			by[e.email] = append(by[e.email], id)
		}
	}
	return b
}

// find gives a user's negotiator, or the reason why there is none. b is nil
// before the first reading.
func (b *book) find(o Overrides, u event.User) (id string, m miss) {
	if id, ok := o.of(u.UserID, u.UserName); ok {
		return b.overridden(id)
	}
	email := normal(u.UserName)
	switch {
	case email == "":
		return "", miss{why: noName}
	case b == nil:
		return "", miss{why: notLoaded}
	}
	switch ids := b.active[email]; {
	case len(ids) == 1:
		return ids[0], miss{}
	case len(ids) > 1:
		return "", miss{ambiguous, strings.Join(ids, ", ")}
	case len(b.inactive[email]) > 0:
		return "", miss{inactive, strings.Join(b.inactive[email], ", ")}
	}
	return "", miss{why: nobody}
}

// overridden trusts the operator with an id that Reapit did not list, as it
// lists only the offices that installed the application.
func (b *book) overridden(id string) (string, miss) {
	if b == nil {
		return id, miss{}
	}
	id = b.listed(id)
	if e, known := b.all[id]; known && !e.active {
		return "", miss{retired, id}
	}
	return id, miss{}
}

// listed gives id as Reapit writes it: the operator need not know the casing.
func (b *book) listed(id string) string {
	if _, exact := b.all[id]; exact {
		return id
	}
	for known := range b.all {
		if strings.EqualFold(known, id) {
			return known
		}
	}
	return id
}

// difference is what one reading has and another has not, as negotiator ids.
type difference struct{ added, removed, changed []string }

func (b *book) since(old *book) difference {
	var d difference
	if old == nil {
		return d
	}
	for _, id := range slices.Sorted(maps.Keys(b.all)) {
		was, known := old.all[id]
		switch {
		case !known:
			d.added = append(d.added, id)
		case was != b.all[id]:
			d.changed = append(d.changed, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old.all)) {
		if _, known := b.all[id]; !known {
			d.removed = append(d.removed, id)
		}
	}
	return d
}

func (d difference) empty() bool { return len(d.added)+len(d.removed)+len(d.changed) == 0 }
