package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/coverage"
	"ringstream/transform/internal/replay/explain"
)

// view is what is printed.
type view struct {
	*ledgers
	asked
	window coverage.Window
	gaps   []coverage.Gap // of all replicas together
}

// jsonGap is a line of json.
type jsonGap struct {
	coverage.Gap
	Replica string `json:"replica,omitempty"` // empty: nobody listened
	Settled bool   `json:"settled"`           // it stays as it is
}

func (v view) json(w io.Writer) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	if v.days {
		for _, d := range v.dayByDay() {
			if err := lines.Encode(d); err != nil {
				return err
			}
		}
		return nil
	}
	for _, g := range v.lines() {
		if err := lines.Encode(g); err != nil {
			return err
		}
	}
	return nil
}

// lines are the spans, by their beginning.
func (v view) lines() (all []jsonGap) {
	add := func(replica string, gaps []coverage.Gap) {
		for _, g := range gaps {
			all = append(all, jsonGap{g, replica, !g.Until.After(v.Settled())})
		}
	}
	add("", v.gaps)
	if v.replicas {
		for _, name := range v.names() {
			add(name, v.gapsBy(name))
		}
	}
	slices.SortStableFunc(all, func(a, b jsonGap) int { return a.From.Compare(b.From) })
	return all
}

// dayByDay is all of it in seconds.
func (v view) dayByDay() []day {
	all := daysOf("", v.gaps)
	for _, name := range v.names() {
		all = append(all, daysOf(name, v.gapsBy(name))...)
	}
	return byDay(all)
}

// gapsBy are those of one replica.
func (v view) gapsBy(name string) []coverage.Gap {
	w := v.window
	if last := v.each[name].Newest(); v.gone(name) && (w.Until.IsZero() || last.Before(w.Until)) {
		w.Until = last
	}
	return v.asked.gaps(v.each[name], w)
}

// span is what the answer is about.
func (v view) span() (from, until time.Time) {
	from, until = v.First(), v.window.Now
	if v.since.After(from) {
		from = v.since
	}
	if !v.until.IsZero() && v.until.Before(until) {
		until = v.until
	}
	return from, until
}

func (v view) text(w io.Writer, colour palette) {
	if !v.days {
		v.spans(w)
	}
	v.sum(w, colour)
	if days := v.dayByDay(); len(days) > 0 {
		fmt.Fprintln(w)
		table(w, dayTable(days))
	}
}

// spans prints a line for each, and whose it is where that is asked.
func (v view) spans(w io.Writer) {
	rows := group(v.gaps, byAll)
	head := []string{"FROM", "UNTIL", "FOR", "WHOM", "WHY"}
	if v.replicas {
		head = slices.Insert(head, 3, unheardBy)
		for _, name := range v.names() {
			rows = append(rows, group(v.gapsBy(name), name)...)
		}
		slices.SortStableFunc(rows, byBeginning)
	}
	if len(rows) == 0 {
		return
	}
	lines := [][]string{head}
	for _, r := range rows {
		line := []string{r.From.Format(explain.StoredFormat), r.end(), r.Until.Sub(r.From).Round(time.Millisecond).String(), r.whom(), strings.Join(r.Why, "; ")}
		if v.replicas {
			line = slices.Insert(line, 3, r.by)
		}
		lines = append(lines, line)
	}
	table(w, lines)
}

// sum says it in a line.
func (v view) sum(w io.Writer, colour palette) {
	from, until := v.span()
	about := fmt.Sprintf("from %s until %s", from.Format(explain.StoredFormat), until.Format(explain.StoredFormat))
	rows := group(v.gaps, byAll)
	if len(rows) == 0 {
		fmt.Fprintf(w, "%s: %s, %s\n", colour.paint(green, "covered"), cmp.Or(v.entity, entities(v.Wanted())), about)
		return
	}
	fmt.Fprintf(w, "%s: %s %s", colour.paint(red, "uncovered"), explain.Count(len(rows), "span"), about)
	open := 0
	for _, r := range rows {
		if r.Open {
			open++
		}
	}
	if open > 0 {
		fmt.Fprintf(w, ", %d still open", open)
	}
	fmt.Fprintln(w)
}

// entities says how many there are; of none is known where the stream has lost
// its beginning.
func entities(n int) string {
	switch n {
	case 0:
		return "everything"
	case 1:
		return "1 entity"
	default:
		return fmt.Sprintf("%d entities", n)
	}
}

// table writes lines in columns.
func table(w io.Writer, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], len(cell))
		}
	}
	for _, line := range lines {
		var b strings.Builder
		for i, cell := range line {
			fmt.Fprintf(&b, "%-*s  ", width[i], cell)
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// notes tells what else is to be known.
func (v view) notes(w io.Writer) {
	for _, r := range v.Refused() {
		if v.entity == "" || v.entity == r.Entity {
			fmt.Fprintf(w, "never heard: %s of %s (%s)\n", r.Event, r.Entity, strings.Join(r.Why, "; "))
		}
	}
	for _, name := range v.Blind() {
		fmt.Fprintf(w, "%s: its connection is older than RTE; it is taken to hold everything\n", name)
	}
	_, until := v.span()
	if settled := v.Settled(); until.Sub(settled) > unsettled {
		fmt.Fprintf(w, "what is said of after %s may yet change: %s\n", settled.Format(explain.StoredFormat), strings.Join(v.slowest(settled), ", "))
	}
}

// A quiet hub is heard every 15 s; until then it may turn out to be dead.
const unsettled = 25 * time.Second

// slowest names who has not spoken since.
func (v view) slowest(settled time.Time) (names []string) {
	for name, said := range v.Replicas() {
		if said.Sub(settled) <= unsettled {
			names = append(names, fmt.Sprintf("%s has said nothing since %s", name, said.Format(explain.StoredFormat)))
		}
	}
	slices.Sort(names)
	return names
}

// row is a gap of several entities.
type row struct {
	coverage.Gap
	by       string // whose it is
	entities []string
}

func (r row) end() string {
	if r.Open {
		return "still open"
	}
	return r.Until.Format(explain.StoredFormat)
}

// whom names them, the first at least.
func (r row) whom() string {
	const few = 2
	if n := len(r.entities) - few; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(r.entities[:few], ", "), n)
	}
	return strings.Join(r.entities, ", ")
}

// group joins the gaps that are as long for the same reason. A gap of an entity
// that is, but for a heartbeat, one of everything goes without saying.
func group(gaps []coverage.Gap, by string) (rows []row) {
	var whole []coverage.Gap
	for _, g := range gaps {
		if g.Entity == coverage.Everything {
			whole = append(whole, g)
			rows = append(rows, row{g, by, []string{"everything"}})
		}
	}
	at := map[string]int{}
	for _, g := range gaps {
		if g.Entity == coverage.Everything || slices.ContainsFunc(whole, func(w coverage.Gap) bool { return alike(w, g) }) {
			continue
		}
		key := fmt.Sprint(g.From, g.Until, g.Open, g.Why)
		if n, ok := at[key]; ok {
			rows[n].entities = append(rows[n].entities, g.Entity)
			continue
		}
		at[key] = len(rows)
		rows = append(rows, row{g, by, []string{g.Entity}})
	}
	slices.SortStableFunc(rows, byBeginning)
	return rows
}

func byBeginning(a, b row) int { return cmp.Or(a.From.Compare(b.From), a.Until.Compare(b.Until)) }

func alike(a, b coverage.Gap) bool {
	return a.Open == b.Open && a.From.Sub(b.From).Abs() <= time.Second && a.Until.Sub(b.Until).Abs() <= time.Second
}
