package replay

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"ringstream/schemas/coverage"
)

// day is for how long of a UTC day an entity was not listened to, by one replica
// or by none of them.
type day struct {
	Day     string  `json:"day"`
	Replica string  `json:"replica,omitempty"` // empty: by none
	Entity  string  `json:"entity"`
	Seconds float64 `json:"seconds"`

	spent time.Duration
}

// daysOf divides the gaps of entities among the days, in order. Those of one
// entity do not overlap.
func daysOf(replica string, gaps []coverage.Gap) []day {
	type part struct{ day, entity string }
	spent := map[part]time.Duration{}
	for _, g := range gaps {
		for from := g.From.UTC(); from.Before(g.Until); {
			until := from.Truncate(24 * time.Hour).Add(24 * time.Hour)
			if until.After(g.Until) {
				until = g.Until.UTC()
			}
			spent[part{from.Format(time.DateOnly), g.Entity}] += until.Sub(from)
			from = until
		}
	}
	all := make([]day, 0, len(spent))
	for p, d := range spent {
		all = append(all, day{Day: p.day, Replica: replica, Entity: p.entity, Seconds: d.Round(time.Millisecond).Seconds(), spent: d})
	}
	slices.SortFunc(all, func(a, b day) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Entity, b.Entity)) })
	return all
}

// byDay puts the days of several in one order: none of them, then each, day by day.
func byDay(days []day) []day {
	slices.SortStableFunc(days, func(a, b day) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Replica, b.Replica)) })
	return days
}

// Whose gap it is when nobody listened.
const (
	unheardBy = "UNHEARD BY"
	byAll     = "all"
)

// dayTable is a line for all entities that were missing for as long. One that was,
// but for a second, as long as everything goes without saying.
func dayTable(days []day) [][]string {
	type line struct{ day, replica, seconds string }
	lines := [][]string{{"DAY", "SECONDS", unheardBy, "WHOM"}}
	whom, order := map[line][]string{}, []line{}
	everything := map[line]time.Duration{} // without seconds
	for _, d := range days {
		whole, found := everything[line{d.Day, d.Replica, ""}]
		if found && (d.spent-whole).Abs() <= time.Second {
			continue
		}
		name := d.Entity
		if name == coverage.Everything { // which sorts before all ids
			everything[line{d.Day, d.Replica, ""}] = d.spent
			name = "everything"
		}
		l := line{d.Day, d.Replica, strconv.FormatFloat(d.Seconds, 'f', -1, 64)}
		if whom[l] == nil {
			order = append(order, l)
		}
		whom[l] = append(whom[l], name)
	}
	for _, l := range order {
		lines = append(lines, []string{l.day, l.seconds, cmp.Or(l.replica, byAll), row{entities: whom[l]}.whom()})
	}
	return lines
}
