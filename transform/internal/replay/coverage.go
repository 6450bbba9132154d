package replay

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/coverage"
	"ringstream/transform/internal/fold"
	"ringstream/transform/internal/replay/explain"
	"ringstream/transform/internal/replay/stream"
)

// ErrUncovered means that nobody listened for some time.
var ErrUncovered = errors.New("not everything was covered")

const (
	coverageAbout = `coverage prints the spans in which an entity (a user, queue or call list) was not
listened to: some event of it that had been subscribed was held by no connection
of any replica of ingest. What happened then is in no stream.

It goes by the coverage events in RTE (feed.>) alone, and by the replicas' clocks.
Times are UTC. A span that is still open has not ended, as far as anybody said.
Nothing is final after the moment up to which all replicas have spoken: one that
is cut off from NATS tells later what it heard.

text   one line a span, for all entities that were missing for as long; "everything"
       where no replica had any subscription
json   one span of one entity a line; entity "*" for everything

What the hub refuses to every replica is no gap; it is listed as never heard.

Exit codes: 0 covered, 1 there are gaps, 2 wrong arguments or settings, RTE has no
coverage event or tells of no subscription of the entity, or could not be read.`

	coverageExamples = `  replay coverage
  replay coverage --since 24h || echo "look at what was missed"
  replay coverage --entity aa9730c4-ce86-e611-80c9-00505689257e -o json`
)

// asked is what coverage is to print.
type asked struct {
	entity       string // in lower case; empty: all
	since, until time.Time
	format       string
}

func (c *command) coverageCommand() *cobra.Command {
	var a asked
	var since, until string
	cmd := &cobra.Command{
		Use: "coverage", Short: "print when nobody listened, and to whom", Long: coverageAbout, Example: coverageExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.asked(a, since, until)
			if err != nil {
				return err
			}
			return c.connected(cmd.Context(), func(js jetstream.JetStream, s Settings) error {
				return c.coverage(cmd.Context(), js, s, a)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.entity, "entity", "", "id of the only user, queue or call list")
	f.StringVar(&since, "since", "", "from this moment on: RFC 3339, a date, or how long ago (2h)")
	f.StringVar(&until, "until", "", "before this moment")
	f.StringVarP(&a.format, "output", "o", "text", "text or json")
	return cmd
}

// asked checks the flags of coverage.
func (c *command) asked(a asked, since, until string) (asked, error) {
	sel, err := c.selection(Selection{}, since, until, "text")
	if err != nil {
		return a, err
	}
	a.entity, a.since, a.until = strings.ToLower(strings.TrimSpace(a.entity)), sel.Since, sel.Until
	if !slices.Contains([]string{"text", "json"}, a.format) {
		return a, usage("--output: %q is unknown; write text or json", a.format)
	}
	return a, nil
}

func (c *command) coverage(ctx context.Context, js jetstream.JetStream, s Settings, a asked) error {
	rte, err := stream.LookRTE(ctx, js, s.Partitions)
	if err != nil {
		return err
	}
	var l coverage.Ledger
	unreadable := 0
	bar := progress{w: c.bar, what: "reading"}
	err = stream.Read(ctx, js, rte, rte.First, func(m bus.Message) error {
		bar.at(rte, m.Seq)
		if !strings.HasPrefix(m.Subject, "feed.") {
			return nil
		}
		if in, _ := fold.Decode(m); in.Feed != nil {
			l.Take(*in.Feed)
		} else {
			unreadable++
		}
		return nil
	})
	bar.done()
	if err != nil {
		return err
	}
	if unreadable > 0 {
		fmt.Fprintf(c.err, "%s of RTE could not be read and changed nothing\n", explain.Count(unreadable, "coverage event"))
	}
	return c.uncovered(&l, a)
}

// uncovered prints what a ledger says.
func (c *command) uncovered(l *coverage.Ledger, a asked) error {
	switch {
	case l.Newest().IsZero():
		return fmt.Errorf("%w: RTE holds no coverage event (feed.>); ingest writes one a second: has it run?", stream.ErrNothing)
	case a.entity != "" && !l.Knows(a.entity):
		return fmt.Errorf("%w: RTE tells of no subscription of entity %s; is it in RTE_SUBSCRIPTIONS?", stream.ErrNothing, a.entity)
	case !a.until.IsZero() && !a.until.After(l.First()):
		return fmt.Errorf("%w: the coverage events of RTE begin at %s", stream.ErrNothing, l.First().Format(explain.StoredFormat))
	}
	v := view{Ledger: l, asked: a, window: coverage.Window{From: a.since, Until: a.until, Now: explain.Present(l, c.now)}}
	if a.entity == "" {
		v.gaps = l.Gaps(v.window)
	} else {
		v.gaps = l.GapsOf(a.entity, v.window)
	}
	out := bufio.NewWriter(c.out)
	var err error
	if a.format == "json" {
		err = v.json(out)
		v.notes(c.err)
	} else {
		v.text(out, c.colour)
		v.notes(out)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if len(v.gaps) > 0 {
		return ErrUncovered
	}
	return nil
}

// view is what is printed.
type view struct {
	*coverage.Ledger
	asked
	window coverage.Window
	gaps   []coverage.Gap
}

// jsonGap is a line of json.
type jsonGap struct {
	coverage.Gap
	Settled bool `json:"settled"` // it stays as it is
}

func (v view) json(w io.Writer) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for _, g := range v.gaps {
		if err := lines.Encode(jsonGap{g, !g.Until.After(v.Settled())}); err != nil {
			return err
		}
	}
	return nil
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
	from, until := v.span()
	about := fmt.Sprintf("from %s until %s", from.Format(explain.StoredFormat), until.Format(explain.StoredFormat))
	rows := group(v.gaps)
	if len(rows) == 0 {
		what := v.entity
		if what == "" {
			what = entities(v.Wanted())
		}
		fmt.Fprintf(w, "%s: %s, %s\n", colour.paint(green, "covered"), what, about)
		return
	}
	lines := [][]string{{"FROM", "UNTIL", "FOR", "WHOM", "WHY"}}
	open := 0
	for _, r := range rows {
		end := r.Until.Format(explain.StoredFormat)
		if r.Open {
			end = "still open"
			open++
		}
		lines = append(lines, []string{
			r.From.Format(explain.StoredFormat), end, r.Until.Sub(r.From).Round(time.Millisecond).String(), r.whom(), strings.Join(r.Why, "; "),
		})
	}
	table(w, lines)
	fmt.Fprintf(w, "%s: %s %s", colour.paint(red, "uncovered"), explain.Count(len(rows), "span"), about)
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
	entities []string
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
func group(gaps []coverage.Gap) (rows []row) {
	var whole []coverage.Gap
	for _, g := range gaps {
		if g.Entity == coverage.Everything {
			whole = append(whole, g)
			rows = append(rows, row{g, []string{"everything"}})
		}
	}
	by := map[string]int{}
	for _, g := range gaps {
		if g.Entity == coverage.Everything || slices.ContainsFunc(whole, func(w coverage.Gap) bool { return alike(w, g) }) {
			continue
		}
		key := fmt.Sprint(g.From, g.Until, g.Open, g.Why)
		if at, ok := by[key]; ok {
			rows[at].entities = append(rows[at].entities, g.Entity)
			continue
		}
		by[key] = len(rows)
		rows = append(rows, row{g, []string{g.Entity}})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Or(a.From.Compare(b.From), a.Until.Compare(b.Until)) })
	return rows
}

func alike(a, b coverage.Gap) bool {
	return a.Open == b.Open && a.From.Sub(b.From).Abs() <= time.Second && a.Until.Sub(b.Until).Abs() <= time.Second
}
